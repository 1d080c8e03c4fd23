"""A run on a terminal: finished steps scroll by, and below them stands what runs just now, with a bar.

Rich redraws at most ten times a second; an event only changes numbers. Runs of more than `MANY` steps show only
failures, retries and counts, because nobody reads ten thousand lines.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from anabranch.cli.progress.words import Words, ending
from anabranch.cli.terminal import terminal
from anabranch.model.run import (
    AttemptFailed,
    RunEnded,
    RunStarted,
    StepFailed,
    StepStarted,
    StepState,
)
from anabranch.show.human import seconds

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable

    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Event, Recorded

MANY = 200
"""Steps above which finished ones are counted, not listed."""

SHOWN_RUNNING = 8
SHOWN_TROUBLES = 20
"""Failures that scroll by in a run of many steps; the others are counted, and told at the end."""

REFRESHES = 10
BAR = 32


class LiveReporter:
    """Draws on stderr, which is a terminal."""

    def __init__(self, pipeline: Pipeline | None = None, console: Console | None = None) -> None:
        """Draw on `console`; `pipeline` is what runs."""
        self._console = console or Console(stderr=True, highlight=False)
        self._words = Words(terminal(self._console.file), pipeline)
        self._lock = Lock()
        self._running: dict[StepId, float] = {}
        self._retrying: dict[StepId, float] = {}
        self._spinner = Spinner("dots")
        self._states: dict[StepState, int] = {}
        self._total = 0
        self._began = time.monotonic()
        self._live = Live(
            get_renderable=self.draw,
            console=self._console,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def report(self, recorded: Recorded) -> None:
        """Take note of an event, and let its line scroll by where it has one."""
        event = recorded.event
        line = self._words.line(recorded) if self._wanted(event) else None
        with self._lock:
            self._note(event)
        if isinstance(event, RunStarted) and line is not None:
            self._print(line)
            self._live.start()
        elif isinstance(event, RunEnded):
            self.close()
        elif line is not None:
            self._print(line)

    def close(self) -> None:
        """Take the moving part off the screen; what scrolled by stays."""
        self._live.stop()

    def draw(self) -> ConsoleRenderable:
        """Return what stands below the finished steps."""
        with self._lock:
            running, retrying, states = dict(self._running), dict(self._retrying), dict(self._states)
        now = time.monotonic()
        grid = Table.grid(padding=(0, 1))
        for step, since in list(running.items())[:SHOWN_RUNNING]:
            grid.add_row(self._spinner, escape(step).ljust(self._words.width), Text(seconds(now - since), "dim"))
        more = len(running) - SHOWN_RUNNING
        if more > 0:
            grid.add_row("", Text(f"and {more:,} more running", "dim"))
        for step, due in list(retrying.items())[:SHOWN_RUNNING]:
            again = Text(f"again in {seconds(due - now)}", "dim")
            grid.add_row(Text(self._words.out.marks.again, "yellow"), escape(step).ljust(self._words.width), again)
        return Group(grid, self._bar(states, now))

    def _bar(self, states: dict[StepState, int], now: float) -> ConsoleRenderable:
        done = sum(states.values())
        failed = states.get(StepState.FAILED, 0)
        told = [f"{done:,}/{self._total:,} steps"]
        told += [f"{number:,} {state}" for state, number in states.items() if state is not StepState.SUCCEEDED]
        told.append(seconds(now - self._began))
        bar = ProgressBar(
            total=max(self._total, 1),
            completed=done,
            width=BAR,
            complete_style="red" if failed else "green",
            finished_style="red" if failed else "green",
        )
        row = Table.grid(padding=(0, 1))
        row.add_row(bar, Text("  ".join(told)))
        return row

    def _wanted(self, event: Event) -> bool:
        if self._total <= MANY:
            return True
        troubles = sum(self._states.get(state, 0) for state in (StepState.FAILED, StepState.RETRYING))
        return isinstance(event, AttemptFailed | StepFailed) and troubles < SHOWN_TROUBLES

    def _note(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._total, self._began = len(event.steps), time.monotonic()
        elif isinstance(event, StepStarted):
            self._retrying.pop(event.step, None)
            self._running.setdefault(event.step, time.monotonic())
        elif not isinstance(event, RunEnded):
            self._running.pop(event.step, None)
            self._retrying.pop(event.step, None)
            if isinstance(event, AttemptFailed):
                self._retrying[event.step] = time.monotonic() + event.wait
            state = ending(event)
            if isinstance(state, StepState):
                self._states[state] = self._states.get(state, 0) + 1

    def _print(self, line: str) -> None:
        self._console.print(Text.from_ansi(line), soft_wrap=True)
