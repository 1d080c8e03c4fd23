"""Errors as pages and as JSON: where, what, and one thing to try."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Match

from anabranch.model.errors import (
    AnabranchError,
    ConflictError,
    Diagnostic,
    InvalidProject,
    NotFoundError,
    UsageError,
)
from anabranch.show import shapes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope


class Denied(AnabranchError):
    """Somebody may not do this here."""

    exit_code = 2
    default_code = "denied"

    def __init__(self, message: str, *, code: str, hint: str, status: int = 401) -> None:
        """Say what, and with which status of HTTP."""
        super().__init__(message, code=code, hint=hint)
        self.status = status


STATUS: dict[type[AnabranchError], int] = {
    NotFoundError: 404,
    UsageError: 400,
    ConflictError: 409,
    InvalidProject: 422,
}
"""How each kind of error is told in HTTP; any other of ours is 500."""


def status_of(error: BaseException) -> int:
    """Return the status that tells an error; a store that cannot be read now is 503."""
    if isinstance(error, Denied):
        return error.status
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, AnabranchError) and error.code in {"store-failed", "newer-version"}:
        return 503
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def diagnostics_of(error: BaseException) -> tuple[Diagnostic, ...]:
    """Return an error as diagnostics."""
    if isinstance(error, InvalidProject):
        return error.diagnostics
    if isinstance(error, AnabranchError):
        return (Diagnostic(error.code, error.message, error.hint, error.place),)
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase.lower()
        hint = "go back to the start page" if error.status_code == HTTPStatus.NOT_FOUND else ""
        what = (
            "there is no such page" if error.status_code == HTTPStatus.NOT_FOUND else "this address is asked otherwise"
        )
        return (Diagnostic(phrase.replace(" ", "-"), f"{phrase}: {what}", hint),)
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return (Diagnostic("internal", told, "the server's own output has the traceback; please report it"),)


def answer(scope: Scope, error: Exception) -> Response:
    """Return an error as whoever asked wants it."""
    status, found = status_of(error), diagnostics_of(error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if is_api(scope):
        code = error.exit_code if isinstance(error, AnabranchError) else 1
        body: dict[str, Any] = {"anabranch": 1, **shapes.error(found, code)}
        return JSONResponse(body, status, headers)
    from anabranch.web.render import environment

    root = str(scope.get("root_path", ""))
    page = environment().get_template("failure.html").render(status=status, found=found, root=root)
    return HTMLResponse(page, status, headers)


def is_api(scope: Scope) -> bool:
    """Tell whether a request is a program's."""
    root, path = str(scope.get("root_path", "")), str(scope["path"])
    path = path.removeprefix(root) if root else path
    return path.startswith("/api/") or path == "/metrics"


async def told(request: Request, error: Exception) -> Response:
    """Answer a request that failed."""
    answered = answer(request.scope, error)
    if answered.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # a page and its button are two routes of one path
        routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
        answered.headers["allow"] = ", ".join(sorted({method for route in routes for method in route.methods or ()}))
    return answered
