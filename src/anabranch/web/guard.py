"""Who may come in, who may change something, and what a browser may do with our pages."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse

from anabranch.model.errors import UsageError
from anabranch.web.failure import Denied, answer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""Names of this machine for itself. Another name that leads here is a page elsewhere that plays tricks with names."""

COOKIE, TOKEN_HEADER = "anabranch_token", "x-anabranch-token"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline: what a value holds can never run."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """Who may come in.

    Attributes:
        token: what a browser or program must know; empty for nothing.
        header: the header by which a proxy in front says who asks, such as `X-Forwarded-User`; empty for no proxy.
        hosts: names by which the server may be asked; empty for any.
        secret: what a page must give back with everything that it changes; other sites cannot read it.
    """

    token: str = field(default="", repr=False)
    header: str = ""
    hosts: tuple[str, ...] = LOCAL
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


class Guard:
    """The outermost layer: refuses whoever may not come in, and tells the browser to be strict."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Stand before an application."""
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request pass, or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        if self._access.hosts and _name(headers.get("host", "")) not in self._access.hosts:
            hint = "ask by the name that `anabranch ui` printed, or start it with --host"
            message = f"this server is not asked as {headers.get('host', '')[:100]!r}"
            await answer(scope, Denied(message, code="unknown-host", hint=hint))(scope, receive, strict)
            return
        if self._access.header:
            user = headers.get(self._access.header, "")
            if not user:
                message = f"nobody has said who you are: the header {self._access.header} is missing"
                problem = Denied(message, code="not-known", hint="come by way of the proxy that signs people in")
                await answer(scope, problem)(scope, receive, strict)
                return
            scope["anabranch.user"] = user
        if self._access.token and not _knows(headers, self._access.token):
            await self._sign_in(scope, receive, strict)
            return
        await self._app(scope, receive, strict)

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in who brings the token in the address, once: a cookie remembers it, and the address forgets it."""
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == "token"), "")
        if scope["method"] in {"GET", "HEAD"} and _same(given, self._access.token):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            path = "/" + quote(scope["path"]).lstrip("/")  # never //elsewhere
            response = RedirectResponse(path + (f"?{rest}" if rest else ""), status_code=303)
            response.set_cookie(COOKIE, self._access.token, httponly=True, samesite="strict", path="/")
            await response(scope, receive, send)
            return
        hint = "open the address that `anabranch ui` printed, with its ?token=...; programs send it as a bearer token"
        problem = Denied("this server wants a token", code="no-token", hint=hint)
        await answer(scope, problem)(scope, receive, send)


def demand_same_origin(request: Request, given: str, access: Access) -> None:
    """Make sure that a change was asked for by one of our own pages, or by a program that knows the token.

    Raises:
        Denied: `cross-origin`, `no-same-origin-token`.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
    elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if elsewhere or site not in {"same-origin", "none"}:
        message = "a page of another site asked for this"
        raise Denied(message, code="cross-origin", hint="ask from a page of anabranch", status=403)
    if not _same(given or request.headers.get(TOKEN_HEADER, ""), access.secret):
        hint = "load the page again, and press the button again; programs take the token from /api/v1/token"
        message = "the token of this page is missing or of an earlier start of the server"
        raise Denied(message, code="no-same-origin-token", hint=hint, status=403)


def address_of(host: str) -> str:
    """Return a host as it is written in an address.

    >>> address_of("::1"), address_of("0.0.0.0"), address_of("box")
    ('[::1]', '0.0.0.0', 'box')
    """
    return f"[{host}]" if ":" in host else host


def demand_token(host: str, access: Access) -> None:
    """Make sure that a server that others can reach asks them who they are.

    Raises:
        UsageError: `open-to-all`.
    """
    if address_of(host) in LOCAL or access.token or access.header:
        return
    message = f"on {host}, everybody who can reach this machine could read your data and run your code"
    raise UsageError(message, code="open-to-all", hint="--token, or --auth-header behind a proxy that signs people in")


def _name(host: str) -> str:
    """Return a Host header without its port.

    >>> _name("localhost:8000"), _name("[::1]:80"), _name("box")
    ('localhost', '[::1]', 'box')
    """
    return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0].lower()


def _knows(headers: Headers, token: str) -> bool:
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and _same(given.strip(), token):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and _same(cookie.value, token)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
