"""Style, scripts and signs: files of this package, each under an address that changes with its content."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
FILES = frozenset({"style.css", "live.js", "mark.svg", "vendor/htmx.min.js", "vendor/hx-sse.min.js"})
FOREVER = "public, max-age=31536000, immutable"


@cache
def content(name: str) -> bytes | None:
    """Return a file; None when there is none of that name."""
    if name not in FILES:
        return None
    return resources.files("anabranch.web").joinpath("static", *name.split("/")).read_bytes()


@cache
def version(name: str) -> str:
    """Return what tells this content of a file from any other."""
    return hashlib.sha256(content(name) or b"").hexdigest()[:12]


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    found = content(name)
    if found is None:
        raise HTTPException(404)
    return Response(found, media_type=TYPES[name.rpartition(".")[2]], headers={"cache-control": FOREVER})


def routes() -> list[Route]:
    """Return the route of all files."""
    return [Route("/static/{name:path}", _file, name="static")]
