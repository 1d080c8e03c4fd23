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
FILES = {
    "style.css": ("style.css",),
    "mark.svg": ("mark.svg",),
    # One file: htmx looks for its extensions as soon as it is there, not when they are.
    "pages.js": ("vendor/htmx.min.js", "vendor/hx-sse.min.js", "live.js"),
}
"""What is served, and of which files it is made."""

FOREVER = "public, max-age=31536000, immutable"


@cache
def content(name: str) -> bytes | None:
    """Return a file; None when there is none of that name."""
    if name not in FILES:
        return None
    folder = resources.files("anabranch.web").joinpath("static")
    return b"\n".join(folder.joinpath(*part.split("/")).read_bytes() for part in FILES[name])


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
