"""One POST, with a time limit and without surprises: no redirect is followed, no secret goes to another host."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

PATIENCE = 4.0
"""Seconds that connecting, and each wait for a part of the answer, may take."""

UNREACHABLE, REFUSED = "export-unreachable", "export-refused"
"""Codes of what goes wrong: the first may pass by itself, the second will not."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_SAID = 300
"""Bytes of an answer that are read."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        """Follow nothing: urllib would repeat a POST as a GET, and its headers at another host."""


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout: float = PATIENCE, tls: ssl.SSLContext | None = None
) -> None:
    """Send a body once. Proxies are those of the environment.

    Args:
        url: where to.
        body: what.
        headers: with the content's type among them.
        timeout: seconds.
        tls: how servers are verified, where not as usual.

    Raises:
        StepError: `export-unreachable`, nobody answers, or only that it cannot now; `export-refused`.
    """
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310 - the scheme was checked
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=tls))
    try:
        with opener.open(request, timeout=timeout) as answer:
            answer.read(_SAID)
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(url, error) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error
        told = getattr(why, "strerror", None) or str(why) or type(why).__name__
        message = f"{shown(url)} does not answer: {str(told).lower()}"
        raise StepError(
            message, code=UNREACHABLE, hint="look whether it runs, and at `export` in anabranch.yaml"
        ) from None


def _refused(url: str, error: urllib.error.HTTPError) -> StepError:
    try:
        said = " ".join(error.read(_SAID).decode(errors="replace").split())
    except (OSError, http.client.HTTPException):
        said = ""
    answer = f"{error.code} {error.reason}" + (f": {said}" if said else "")
    message = f"{shown(url)} answers {answer}"
    if error.code in _PASSING:
        return StepError(message, code=UNREACHABLE, hint="look at its log")
    if error.code in {401, 403}:
        return StepError(message, code=REFUSED, hint="look at the token or the headers of `export` in anabranch.yaml")
    return StepError(message, code=REFUSED, hint="look at the URL of `export` in anabranch.yaml")


def shown(url: str) -> str:
    """Return a URL for people: without a login, a query or a fragment, any of which may hold a secret.

    >>> shown("https://me:pw@host:5000/api/v1/lineage?key=x")
    'https://host:5000/api/v1/lineage'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
