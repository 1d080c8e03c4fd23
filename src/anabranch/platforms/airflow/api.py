"""Airflow's REST API, version 2: the few calls that drive runs, each with a time limit and bounded, jittered retries.

Source: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from anabranch.model.errors import ConflictError, NotFoundError, StepError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3 import BaseHTTPResponse

PAGE = 100
"""Objects of one answer."""

SHORTEST_SECRET = 4
"""Characters of what is blotted out where a server repeats it: less would blot out words."""

PATIENCE = {"connect": 5.0, "read": 25.0}
"""Seconds."""
SILENCES = 2
"""How often it may say nothing, or hang up: an Airflow that hangs is told within a minute."""
_AGAIN = (429, 500, 502, 503, 504)
_ILL = 500
"""The first status of HTTP that tells trouble of the server's own."""
_LONGEST_WAIT = 10
"""Seconds between two tries, however long a server says to wait: it may say an hour."""


class AirflowApi:
    """One Airflow, asked as one user."""

    def __init__(self, url: str, token: str = "", user: str = "", password: str = "") -> None:
        """Name the Airflow; nothing is asked yet.

        Args:
            url: of its web server.
            token: a bearer token; without one it is asked for a token.
            user: whom it gives a token to; nobody where everybody is an administrator.
            password: the user's.

        Raises:
            StepError: `not-installed`.
        """
        try:
            import urllib3
        except ImportError:
            message, hint = "asking Airflow needs the package urllib3", "pip install 'anabranch[airflow]'"
            raise StepError(message, code="not-installed", hint=hint) from None
        self._url, self._token, self._login, self._given = url, token, (user, password), bool(token)

        class Patience(urllib3.Retry):
            def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
                told = super().get_retry_after(response)
                return None if told is None else min(told, _LONGEST_WAIT)

        self._safe = Patience(
            total=4,
            read=SILENCES - 1,
            backoff_factor=0.3,
            backoff_jitter=0.3,
            status_forcelist=_AGAIN,
            raise_on_status=False,
        )
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(**PATIENCE), retries=self._safe, maxsize=4)

    def get(self, path: str, *, holding: str = "", **query: Any) -> dict[str, Any]:
        """Return an object.

        Args:
            path: of it, below the API's.
            holding: what it must have to be what was asked for.
            query: what is asked.

        Raises:
            NotFoundError: `not-on-airflow`.
            ConflictError: `airflow-denied`.
            StepError: `airflow-unreachable`, `airflow-refused`; `not-airflow`, something else answers at the address.
        """
        told = self.ask("GET", f"{path}?{urlencode(query)}" if query else path)
        if holding and told.get(holding) is None:
            raise self._no_airflow(path, json.dumps(told))
        return told

    def pages(self, path: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield the objects of a listing, page by page; raises as `get`."""
        offset = 0
        while True:
            answer = self.get(path, holding=key, limit=PAGE, offset=offset, **query)
            found: list[dict[str, Any]] = answer[key]
            yield from found
            offset += len(found)
            if not found or offset >= int(answer.get("total_entries", 0)):
                return

    def ask(self, method: str, path: str, body: Any = None, *, again: bool = False) -> dict[str, Any]:
        """Make one call and return its answer; raises as `get`. Calls that are not safe to repeat are made once.

        A token that was asked for ends some day: then another is asked for, once.

        Args:
            method: of HTTP.
            path: below the API's.
            body: what is sent, as JSON.
            again: it may be repeated though its method does not say so, because it comes to the same.
        """
        fresh = not self._token
        if fresh:
            self._token = self._new_token()
        status, text = self._bearing(method, path, body, again=again)
        if status == 401 and not fresh and not self._given:  # noqa: PLR2004 - what HTTP calls unauthorized
            self._token = self._new_token()
            status, text = self._bearing(method, path, body, again=again)
        return self._answer(status, text, path)

    def _bearing(self, method: str, path: str, body: Any, *, again: bool) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._call(method, f"/api/v2{path}", body, headers, again=again)

    def _new_token(self) -> str:
        user, password = self._login
        if user:
            status, text = self._call("POST", "/auth/token", {"username": user, "password": password}, {})
        else:
            status, text = self._call("GET", "/auth/token", None, {})
        told = self._answer(status, text, "/auth/token")
        if not told.get("access_token"):
            raise self._no_airflow("/auth/token", "an answer without a token")  # it may have one by another name
        return str(told["access_token"])

    def _call(
        self, method: str, path: str, body: Any, headers: dict[str, str], *, again: bool = False
    ) -> tuple[int, str]:
        sent = None if body is None else json.dumps(body).encode()
        answer = self._send(method, path, sent, {"Content-Type": "application/json", **headers}, again=again)
        return answer.status, answer.data.decode(errors="replace")

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        *,
        follow: bool = True,
        again: bool = False,
    ) -> BaseHTTPResponse:
        import urllib3

        # By default only methods that may be repeated are: a call that timed out may have worked.
        patience = self._safe.new(allowed_methods=None) if again else self._safe
        told = {"Accept": "application/json", **headers}
        try:
            return self._pool.request(
                method, self._url + path, body=body, headers=told, redirect=follow, retries=patience
            )
        except urllib3.exceptions.HTTPError as error:
            why = self._without_secrets(str(getattr(error, "reason", None) or error).partition("\n")[0])
            message = f"Airflow at {self._url} does not answer: {why}"
            hint = "look whether its api-server runs, and at airflow.url in anabranch.yaml"
            raise StepError(message, code="airflow-unreachable", hint=hint) from None
        except ValueError:  # of a header: what it says has the token in it
            message = f"the token for Airflow at {self._url} has characters that no token has"
            raise ConflictError(message, code="airflow-denied", hint="look at the secret's value") from None

    def _answer(self, status: int, text: str, path: str) -> dict[str, Any]:
        if status < 300:  # noqa: PLR2004 - what HTTP calls success
            try:
                told: Any = json.loads(text) if text else {}
            except ValueError:
                raise self._no_airflow(path, text) from None
            return told if isinstance(told, dict) else {"answer": told}
        said = self._without_secrets(_detail(text))
        if status in {401, 403}:
            message = f"Airflow at {self._url} denies {path}: {said}"
            hint = "look at the token or the user in anabranch.yaml, whether it has ended, and at what the user may do"
            raise ConflictError(message, code="airflow-denied", hint=hint)
        if status == 404:  # noqa: PLR2004 - what HTTP calls not found
            if not _is_airflows(text):
                raise self._no_airflow(path, text)
            raise NotFoundError(f"Airflow: {said}", code="not-on-airflow", hint="anabranch apply, then wait a moment")
        if status == 409:  # noqa: PLR2004 - what HTTP calls a conflict
            raise ConflictError(f"Airflow: {said}", code="airflow-conflict", hint="look at it in Airflow")
        message = f"Airflow at {self._url} answers {status} to {path}: {said}"
        code = "airflow-unreachable" if status in _AGAIN or status >= _ILL else "airflow-refused"
        raise StepError(message, code=code, hint="look at the log of its api-server")

    def _no_airflow(self, path: str, text: str) -> StepError:
        said = self._without_secrets(" ".join(text.split())[:80]) or "nothing"
        message = f"what answers at {self._url} is not the REST API of an Airflow 3: to {path} it says {said}"
        hint = "airflow.url is the address of its web server, without /home or /api, and without a login page before it"
        return StepError(message, code="not-airflow", hint=hint)

    def _without_secrets(self, text: str) -> str:
        """Return what was said without the token or the password: a server may repeat what it was sent."""
        for secret in (self._token, self._login[1]):
            text = text.replace(secret, "***") if len(secret) >= SHORTEST_SECRET else text
        return text


def _is_airflows(text: str) -> bool:
    """Tell whether Airflow says that something is not there, and not a server that knows no such path.

    >>> _is_airflows('{"detail": "The Dag with ID: `x` was not found"}'), _is_airflows('{"detail": "Not Found"}')
    (True, False)
    """
    try:
        told: Any = json.loads(text)
    except ValueError:
        return False
    return isinstance(told, dict) and bool(told.get("detail")) and told["detail"] != "Not Found"


def _detail(text: str) -> str:
    try:
        told: Any = json.loads(text)
    except ValueError:
        return text[:200]
    detail = told.get("detail", told) if isinstance(told, dict) else told
    return detail if isinstance(detail, str) else json.dumps(detail)[:500]


def part(text: str) -> str:
    """Return an id as one part of a path."""
    return quote(text, safe="")
