"""Events of a run as lines of text. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from anabranch.model.branch import MAIN
from anabranch.model.run import (
    AttemptFailed,
    RunEnded,
    RunStarted,
    StepCancelled,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepState,
    StepSucceeded,
)
from anabranch.show.human import count, plural, seconds, size
from anabranch.show.text import printable, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anabranch.cli.terminal import Terminal
    from anabranch.model.pipeline import Json, Pipeline, StepId
    from anabranch.model.run import Event, Failure, PortStats, Recorded, RunState

NAME_WIDTH = (12, 40)
"""Columns for a step's name: at least, and at most."""

ROWS_WIDTH, BYTES_WIDTH, SECONDS_WIDTH = 30, 8, 8
VALUE_WIDTH = ROWS_WIDTH - 2


def name_width(steps: Iterable[StepId]) -> int:
    """Return the columns that names of these steps need."""
    low, high = NAME_WIDTH
    return min(max((width(step) for step in steps), default=low), high) if steps else low


def pad(text: str, columns: int) -> str:
    """Return the text, filled with blanks to so many columns."""
    return text + " " * (columns - width(text))


def total(ports: Sequence[PortStats], key: str) -> int | None:
    """Return the sum of `rows` or `bytes` over ports, None where nobody counted."""
    known = [getattr(stats, key) for stats in ports]
    numbers = [number for number in known if isinstance(number, int)]
    return sum(numbers) if numbers else None


def value_text(value: Json, dots: str) -> str:
    """Return a step's value in short; nothing for None.

    >>> value_text({"tiles": [1, 2, 3], "name": "a rather long one"}, "…")
    '{"tiles": [1, 2, 3], "name"…'
    """
    if value is None:
        return ""
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= VALUE_WIDTH else text[: VALUE_WIDTH - len(dots)] + dots


def rows_text(reads: Sequence[PortStats], writes: Sequence[PortStats], arrow: str) -> str:
    """Return rows in and out.

    >>> from anabranch.model.run import PortStats
    >>> rows_text([PortStats("a", "a", 336776)], [PortStats("b", "b", 16)], "→")
    '336,776 → 16 rows'
    >>> rows_text([], [PortStats("b", "b", 1)], "→")
    '1 row'
    """
    taken, made = total(reads, "rows"), total(writes, "rows")
    if taken is not None and made is not None:
        return f"{count(taken)} {arrow} {plural(made, 'row')}"
    if made is not None:
        return plural(made, "row")
    if taken is not None:
        return f"{plural(taken, 'row')} read"
    return ""


class Words:
    """Turns the events of one run into lines, aligned by the names of its steps."""

    def __init__(self, out: Terminal, pipeline: Pipeline | None = None) -> None:
        """Write for a stream that looks like `out`; `pipeline` tells how often steps are tried."""
        self.out = out
        self.width = NAME_WIDTH[0]
        self._attempts = {step.id: step.retry.attempts for step in pipeline.steps} if pipeline else {}
        self._started: set[StepId] = set()
        marks = out.marks
        signs = (marks.ok, marks.reused, marks.failed, marks.skipped, marks.stopped, marks.again)
        self._mark_width = max(len(sign) for sign in signs)

    def line(self, recorded: Recorded) -> str | None:
        """Return what there is to say about an event; mostly one line, for starts nothing."""
        event, out, marks = recorded.event, self.out, self.out.marks
        match event:
            case RunStarted():
                self.width = name_width(event.steps)
                return out.paint(started(recorded.run, event), "bold")
            case RunEnded():
                return None
            case StepStarted():
                self._started.add(event.step)
                return None
            case StepSucceeded():
                return self._step(marks.ok, event.step, self._numbers(event), "green")
            case StepReused():
                return self._step(marks.reused, event.step, f"reused of run {event.of}", "cyan")
            case StepSkipped():
                return self._step(marks.skipped, event.step, f"skipped because of {event.because}", "yellow")
            case StepCancelled():
                known = event.step in self._started
                return self._step(marks.stopped, event.step, "stopped", "yellow") if known else None
            case StepFailed():
                text = f"failed after {seconds(event.seconds)}{self._attempt(event)}: {brief(event.failure)}"
                return self._step(marks.failed, event.step, text, "red")
            case AttemptFailed():
                text = f"failed{self._attempt(event)}, again in {event.wait:.1f} s: {brief(event.failure)}"
                return self._step(marks.again, event.step, text, "yellow")

    def _attempt(self, event: AttemptFailed | StepFailed) -> str:
        most = self._attempts.get(event.step, event.attempt)
        if event.attempt > most:  # of a run that was retried
            return f" (attempt {event.attempt})"
        return f" (attempt {event.attempt} of {most})" if most > 1 else ""

    def _step(self, mark: str, step: StepId, text: str, colour: str) -> str:
        sign = self.out.paint(mark.ljust(self._mark_width), colour)
        return f"{sign} {pad(printable(step), self.width)}  {text}".rstrip()

    def _numbers(self, event: StepSucceeded) -> str:
        marks = self.out.marks
        rows = rows_text(event.reads, event.writes, marks.arrow).rjust(ROWS_WIDTH)
        if event.value is not None and not rows.strip():
            rows = pad(f"{marks.arrow} {value_text(event.value, marks.dots)}", ROWS_WIDTH)
        cells = (
            rows,
            size(total(event.writes, "bytes")).rjust(BYTES_WIDTH),
            seconds(event.seconds).rjust(SECONDS_WIDTH),
        )
        again = f"   (attempt {event.attempt})" if event.attempt > 1 else ""
        return "  ".join(cells) + again


def started(run: str, event: RunStarted) -> str:
    """Return the headline of a run."""
    params = "".join(f", {name}={printable(value)}" for name, value in event.params)
    of = f", retries {event.of}" if event.of else ""
    where = "" if event.namespace == MAIN else f" in branch {printable(event.namespace)}"
    return f"{event.pipeline}{where}: run {run}, {plural(len(event.steps), 'step')}{params}{of}"


def brief(failure: Failure) -> str:
    """Return a failure's first line.

    >>> from anabranch.model.run import Failure
    >>> brief(Failure("timeout", "took longer than 60 s"))
    'took longer than 60 s'
    """
    return printable(next((line for line in failure.message.splitlines() if line.strip()), failure.kind))


def ending(event: Event) -> StepState | RunState | None:
    """Return the state that an event leaves its step, or the run, in for good; None while it goes on."""
    match event:
        case StepSucceeded():
            return StepState.SUCCEEDED
        case StepReused():
            return StepState.REUSED
        case StepFailed():
            return StepState.FAILED
        case StepSkipped():
            return StepState.SKIPPED
        case StepCancelled():
            return StepState.CANCELLED
        case RunEnded():
            return event.state
        case RunStarted() | StepStarted() | AttemptFailed():
            return None
