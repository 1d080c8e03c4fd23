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

_PATIENCE = {"connect": 5.0, "read": 30.0}
_AGAIN = (429, 500, 502, 503, 504)


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
        safe = urllib3.Retry(
            total=4, backoff_factor=0.3, backoff_jitter=0.3, status_forcelist=_AGAIN, raise_on_status=False
        )
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(**_PATIENCE), retries=safe, maxsize=4)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return an object.

        Raises:
            NotFoundError: `not-on-airflow`.
            ConflictError: `airflow-denied`.
            StepError: `airflow-unreachable`, `airflow-refused`.
        """
        return self.ask("GET", f"{path}?{urlencode(query)}" if query else path)

    def pages(self, path: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield the objects of a listing, page by page; raises as `get`."""
        offset = 0
        while True:
            answer = self.get(path, limit=PAGE, offset=offset, **query)
            found: list[dict[str, Any]] = answer[key]
            yield from found
            offset += len(found)
            if not found or offset >= int(answer.get("total_entries", 0)):
                return

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Make one call and return its answer; raises as `get`. Calls that are not safe to repeat are made once.

        A token that was asked for ends some day: then another is asked for, once.
        """
        fresh = not self._token
        if fresh:
            self._token = self._new_token()
        status, text = self._bearing(method, path, body)
        if status == 401 and not fresh and not self._given:  # noqa: PLR2004 - what HTTP calls unauthorized
            self._token = self._new_token()
            status, text = self._bearing(method, path, body)
        return self._answer(status, text, path)

    def _bearing(self, method: str, path: str, body: Any) -> tuple[int, str]:
        return self._call(method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

    def _new_token(self) -> str:
        user, password = self._login
        if user:
            status, text = self._call("POST", "/auth/token", {"username": user, "password": password}, {})
        else:
            status, text = self._call("GET", "/auth/token", None, {})
        return str(self._answer(status, text, "/auth/token")["access_token"])

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, str]:
        sent = None if body is None else json.dumps(body).encode()
        answer = self._send(method, path, sent, {"Content-Type": "application/json", **headers})
        return answer.status, answer.data.decode(errors="replace")

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, follow: bool = True
    ) -> BaseHTTPResponse:
        import urllib3

        try:
            # By default only methods that may be repeated are: a trigger that timed out may have worked.
            return self._pool.request(
                method, self._url + path, body=body, headers={"Accept": "application/json", **headers}, redirect=follow
            )
        except urllib3.exceptions.HTTPError as error:
            why = str(getattr(error, "reason", None) or error).partition("\n")[0]
            message = f"Airflow at {self._url} does not answer: {why}"
            hint = "look whether its api-server runs, and at airflow.url in anabranch.yaml"
            raise StepError(message, code="airflow-unreachable", hint=hint) from None

    def _answer(self, status: int, text: str, path: str) -> dict[str, Any]:
        if status < 300:  # noqa: PLR2004 - what HTTP calls success
            told: Any = json.loads(text) if text else {}
            return told if isinstance(told, dict) else {"answer": told}
        said = _detail(text)
        if status in {401, 403}:
            message = f"Airflow at {self._url} denies {path}: {said}"
            hint = "look at the token or the user in anabranch.yaml, and at what the user may do"
            raise ConflictError(message, code="airflow-denied", hint=hint)
        if status == 404:  # noqa: PLR2004 - what HTTP calls not found
            raise NotFoundError(f"Airflow: {said}", code="not-on-airflow", hint="anabranch apply, then wait a moment")
        message = f"Airflow at {self._url} answers {status} to {path}: {said}"
        raise StepError(message, code="airflow-refused", hint="look at the log of its api-server")


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
