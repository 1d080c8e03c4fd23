"""Pages that follow what happens: whoever looks at the same thing is served by one look at the store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import StreamingResponse
from starlette.routing import Route

from anabranch.web.turns import BYE, either

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable

    from starlette.requests import Request
    from starlette.responses import Response

    from anabranch.web.page import Asked, Page
    from anabranch.web.site import Site
    from anabranch.web.turns import Turns

LOOK = 0.5
"""Seconds between two looks at the store: a page changes twice a second at most, however much happens."""

TICK = 4
"""Looks after which a page is drawn anew though nothing was told, because time itself passes."""

BEAT = 15.0
"""Seconds of silence after which a stream says that it is alive, and so learns whether anybody listens."""


@dataclass
class Watch:
    """One thing that is looked at, by however many. `version` grows when it changes, and `changed` is set once then."""

    version: int = 0
    watchers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    drawn: dict[Hashable, tuple[int, asyncio.Task[str]]] = field(default_factory=dict)


class Live:
    """Everything that is looked at now."""

    def __init__(self, site: Site, turns: Turns) -> None:
        """Watch nothing yet."""
        self._site, self._turns = site, turns
        self._watches: dict[Hashable, Watch] = {}

    def route(self, page: Page, pulse: Callable[[Asked], Any], *, ticks: bool = False) -> Route:
        """Return the route of a page's live form: a stream of its changing part, as HTML.

        Args:
            page: it has a template `NAME_body.html`.
            pulse: returns what differs whenever the page would.
            ticks: draw it anew as time passes, too.
        """

        async def stream(request: Request) -> Response:
            asked = page.asked(self._site, request)
            first = await self._site.work(lambda: pulse(asked))  # says what is wrong before the stream begins
            del first
            changes = self._stream(request, page, asked, pulse, ticks=ticks)
            return StreamingResponse(changes, media_type="text/event-stream")

        return Route(f"/live{page.path}", stream, name=f"{page.name}.live")

    async def _stream(
        self, request: Request, page: Page, asked: Asked, pulse: Callable[[Asked], Any], *, ticks: bool
    ) -> AsyncIterator[str]:
        key = page.name, tuple(sorted(asked.path.items())), str(asked.query.get("environment", ""))
        async with self._watch(key, lambda: pulse(asked), ticks=ticks) as watch:
            with self._turns.take(request) as over:
                seen = 0
                while not over.is_set():
                    if watch.version == seen:
                        await either(watch.changed, over, BEAT)
                    if watch.version == seen:
                        yield ": alive\n\n"
                        continue
                    seen = watch.version
                    yield _event(await self._draw(watch, seen, page, asked))
                yield BYE

    @asynccontextmanager
    async def _watch(self, key: Hashable, pulse: Callable[[], Any], *, ticks: bool) -> AsyncGenerator[Watch]:
        watch = self._watches.setdefault(key, Watch())
        watch.watchers += 1
        if watch.task is None:
            watch.task = asyncio.create_task(self._look(watch, pulse, ticks=ticks))
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                watch.task.cancel()
                self._watches.pop(key, None)

    async def _look(self, watch: Watch, pulse: Callable[[], Any], *, ticks: bool) -> None:
        before: Any = None
        looks = 0
        while True:
            self._site.freshen()
            try:
                now = await self._site.work(pulse)
            except Exception as error:  # noqa: BLE001 - a store that is locked now may be read again soon
                now = repr(error)
            looks += 1
            if now != before or (ticks and looks % TICK == 0):
                before = now
                watch.version += 1
                heard, watch.changed = watch.changed, asyncio.Event()
                heard.set()
            await asyncio.sleep(LOOK)

    async def _draw(self, watch: Watch, version: int, page: Page, asked: Asked) -> str:
        """Return the changing part of a page; all who ask for the same get the same text."""
        key = asked.here, asked.rest, asked.root
        kept = watch.drawn.get(key)
        if kept is None or kept[0] != version:
            watch.drawn = {each: value for each, value in watch.drawn.items() if value[0] >= version - 1}
            kept = version, asyncio.create_task(self._site.work(lambda: page.body(asked)))
            watch.drawn[key] = kept
        return await asyncio.shield(kept[1])


def _event(text: str) -> str:
    r"""Return a server-sent event.

    >>> _event("a\nb")
    'data: a\ndata: b\n\n'
    """
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
