"""Logs as files, and as they grow: in pieces that a browser can keep up with."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, StreamingResponse
from starlette.routing import Route

from anabranch.model.run import RunState
from anabranch.web import logs
from anabranch.web.look.log import path_of
from anabranch.web.page import Asked, number
from anabranch.web.turns import BYE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from anabranch.model.run import RunId
    from anabranch.web.site import Site
    from anabranch.web.turns import Turns

PAUSE = 0.3
"""Seconds between two pieces."""

CHECKS = 10
"""Pieces after which it is looked whether the run goes on."""

AT = number("at", "The byte to go on from.", 0, low=0, high=2**62)


def routes(site: Site, turns: Turns) -> list[Route]:
    """Return the routes: a log as a file, and its live form."""
    path = "/runs/{run}/logs/{attempt}/{step:path}"
    return [
        Route(f"/files{path}", partial(_file, site), name="log.file"),
        Route(f"/live{path}", partial(_live, site, turns), name="log.live"),
    ]


def _asked(site: Site, request: Request) -> Asked:
    return Asked(site, request.path_params, {}, str(request.scope.get("root_path", "")))


async def _file(site: Site, request: Request) -> Response:
    asked = _asked(site, request)
    path, attempt = await site.work(lambda: path_of(asked))
    name = "".join(char if char.isalnum() else "_" for char in asked.path["step"])
    return FileResponse(
        path, media_type="text/plain; charset=utf-8", filename=f"{asked.path['run']}.{name}.{attempt}.log"
    )


async def _live(site: Site, turns: Turns, request: Request) -> Response:
    asked = _asked(site, request)
    path, _ = await site.work(lambda: path_of(asked))
    run = await site.work(lambda: asked.run)
    at = AT.read(request.headers.get("last-event-id") or request.query_params.get("at"))

    async def grow() -> AsyncIterator[str]:
        with turns.take(request) as over:
            async for piece in _grow(site, run, path, at):
                yield piece
                if over.is_set():
                    yield BYE
                    return

    return StreamingResponse(grow(), media_type="text/event-stream")


async def _grow(site: Site, run: RunId, path: Path, at: int) -> AsyncIterator[str]:
    """Yield new whole lines as they come; when they come too fast the newest, and how much was left out."""
    rounds = 0
    while True:
        rounds += 1
        over = rounds % CHECKS == 1 and await site.work(lambda: site.store().run(run).state is not RunState.RUNNING)
        text, at = await site.work(partial(_piece, path, at, last=over))
        if text:
            yield text
        elif over:
            yield "event: end\ndata: {}\n\n"
            return
        elif rounds % CHECKS == 0:
            yield ": alive\n\n"
        await asyncio.sleep(PAUSE)


def _piece(path: Path, at: int, *, last: bool) -> tuple[str, int]:
    """Return an event with the whole lines past a byte, and the byte to go on from."""
    whole = logs.size(path) or 0
    skipped = 0
    if whole - at > logs.BLOCK:
        page = logs.last(path)
        skipped, at = page.start - at, page.start
    page = logs.page(path, at)
    end = page.end
    lines = page.lines
    if not last and end == page.whole and lines and not _ends(path, end):
        lines, end = lines[:-1], _last_start(path, page.start, end)
    if not lines and not skipped:
        return "", at
    body = json.dumps({"lines": lines, "skipped": max(skipped, 0), "end": end})
    return f"id: {end}\ndata: {body}\n\n", end


def _ends(path: Path, end: int) -> bool:
    with path.open("rb") as file:
        file.seek(max(end - 1, 0))
        return file.read(1) == b"\n"


def _last_start(path: Path, start: int, end: int) -> int:
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(end - start)
    return start + text.rfind(b"\n") + 1
