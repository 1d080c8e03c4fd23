"""Streams take turns: a browser has six connections to one server, and ten tabs must not starve each other."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from starlette.requests import Request
    from starlette.responses import Response

COOKIE = "anabranch_browser"
"""Tells browsers apart, and nothing else of them."""

MOST = 4
"""Streams that one browser holds at a time; two connections are left for pages."""

AGAIN = 6000
"""Milliseconds after which a stream that had to make room asks again."""

BYE = f"event: pause\nretry: {AGAIN}\ndata: {{}}\n\n"
"""What it is told."""


class Turns:
    """Who holds streams."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._held: dict[str, list[asyncio.Event]] = {}

    @contextmanager
    def take(self, request: Request) -> Generator[asyncio.Event]:
        """Hold a stream; yield what is set when it must make room. Programs, which bring no cookie, never must."""
        browser = request.cookies.get(COOKIE, "")
        over = asyncio.Event()
        held = self._held.setdefault(browser, [])
        held.append(over)
        if browser and len(held) > MOST:
            held.pop(0).set()
        try:
            yield over
        finally:
            if over in held:
                held.remove(over)
            if not held:
                self._held.pop(browser, None)


def recognise(request: Request, response: Response) -> None:
    """Let a browser be told from others from now on."""
    if COOKIE not in request.cookies:
        response.set_cookie(COOKIE, secrets.token_urlsafe(9), httponly=True, samesite="strict")


async def either(one: asyncio.Event, other: asyncio.Event, patience: float) -> None:
    """Wait until one of two things happens, or for so many seconds."""
    waits = [asyncio.ensure_future(each.wait()) for each in (one, other)]
    try:
        await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
