"""POSTs over one connection, with a time limit and without surprises: no redirect is followed."""

from __future__ import annotations

import ssl
from base64 import b64encode
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from anabranch.model.errors import StepError
from anabranch.platforms.delivery import REFUSED, UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE = 4.0
"""Seconds that connecting, and each wait for a part of the answer, may take."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_FINE = range(200, 300)
_SAID = 300
"""Bytes of an answer that are read; after a longer one the connection is not used again."""


class Poster:
    """Sends bodies to one URL, over a connection that stays open. Proxies are those of the environment."""

    def __init__(
        self, url: str, headers: Mapping[str, str], *, timeout: float = PATIENCE, tls: ssl.SSLContext | None = None
    ) -> None:
        """Name where bodies go; nothing is connected yet.

        Args:
            url: of http or https.
            headers: of each request, with the content's type among them.
            timeout: seconds.
            tls: how servers are verified, where not as usual.
        """
        self._url, self._timeout, self._tls = url, timeout, tls
        self._headers = {"User-Agent": "anabranch", **headers}
        self._open: HTTPConnection | None = None
        self.where = shown(url)

    def post(self, body: bytes) -> bytes:
        """Send one body, once; twice only where the connection had been closed before it was sent.

        Returns:
            The start of the answer.

        Raises:
            StepError: `export-unreachable`, nobody answers, or only that it cannot now; `export-refused`.
        """
        try:
            try:
                answer, said = self._ask(body)
            except ConnectionError:
                if self._open is None:
                    raise
                self.close()  # it had been open, and the server had grown tired of it
                answer, said = self._ask(body)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            told = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
            hint = "look whether it runs, and at `export` in anabranch.yaml"
            raise StepError(f"{self.where} does not answer: {told}", code=UNREACHABLE, hint=hint) from None
        if answer.status not in _FINE:
            raise self._refusal(answer, said)
        return said

    def close(self) -> None:
        """Close the connection; the next body opens another one."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _ask(self, body: bytes) -> tuple[HTTPResponse, bytes]:
        fresh = self._open is None
        connection = _connection(self._url, self._timeout, self._tls) if self._open is None else self._open
        try:
            parts = urlsplit(self._url)
            path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            target = f"{parts.scheme}://{parts.netloc}{path}" if _proxied(connection, parts.hostname) else path
            connection.request("POST", target, body, self._headers)
            answer = connection.getresponse()
            said = answer.read(_SAID)
        except BaseException:
            if fresh:
                connection.close()
            raise
        self._open = connection if answer.isclosed() and not answer.will_close else None
        if self._open is None:
            connection.close()
        return answer, said

    def _refusal(self, answer: HTTPResponse, said: bytes) -> StepError:
        text = " ".join(said.decode(errors="replace").split())
        message = f"{self.where} answers {answer.status} {answer.reason}" + (f": {text}" if text else "")
        if answer.status in _PASSING:
            return StepError(message, code=UNREACHABLE, hint="look at its log")
        what = "token or the headers" if answer.status in {401, 403} else "URL"
        return StepError(message, code=REFUSED, hint=f"look at the {what} of `export` in anabranch.yaml")


def _connection(url: str, timeout: float, tls: ssl.SSLContext | None) -> HTTPConnection:
    """Return a connection to a URL's host, or to the proxy that the environment has for it."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    proxy = None if proxy_bypass(host) else getproxies().get(parts.scheme)
    if proxy is None:
        if secure:
            return HTTPSConnection(host, parts.port, timeout=timeout, context=tls or ssl.create_default_context())
        return HTTPConnection(host, parts.port, timeout=timeout)
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if not secure:
        return HTTPConnection(via.hostname or "", via.port, timeout=timeout)
    login = f"{unquote(via.username or '')}:{unquote(via.password or '')}".encode()
    headers = {"Proxy-Authorization": f"Basic {b64encode(login).decode()}"} if via.username else {}
    context = tls or ssl.create_default_context()
    connection = HTTPSConnection(via.hostname or "", via.port, timeout=timeout, context=context)
    connection.set_tunnel(host, parts.port, headers)
    return connection


def _proxied(connection: HTTPConnection, host: str | None) -> bool:
    """Tell whether a request must name the whole URL: it goes to a proxy that reads it."""
    return not isinstance(connection, HTTPSConnection) and connection.host != host


def shown(url: str) -> str:
    """Return a URL for people: without a login, a query or a fragment, any of which may hold a secret.

    >>> shown("https://me:pw@host:5000/api/v1/lineage?key=x")
    'https://host:5000/api/v1/lineage'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
