"""Following the logs of a run as they grow."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anabranch.cli.logfile import read_from, start_of_last
from anabranch.model.run import AttemptFailed, RunEnded, RunState, StepFailed, StepStarted, StepSucceeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anabranch.app import Project
    from anabranch.model.pipeline import StepId
    from anabranch.model.run import Run

PAUSE = 0.2
DEATH_CHECKS = 10
"""Pauses between two looks whether somebody still drives the run."""


@dataclass(slots=True)
class _Tail:
    """One log, and how far it has been read. Only whole lines are handed on until the run ends."""

    path: Path
    at: int = 0
    rest: bytes = field(default=b"")

    def more(self, *, last: bool) -> Iterator[bytes]:
        while block := read_from(self.path, self.at):
            self.at += len(block)
            whole, newline, self.rest = (self.rest + block).rpartition(b"\n")
            if newline:
                yield whole + newline
        if last and self.rest:
            yield self.rest + b"\n"
            self.rest = b""


def follow(
    project: Project, run: Run, steps: set[StepId] | None, tail: int | None
) -> Iterator[tuple[StepId, int, bytes]]:
    """Yield step, attempt and new whole lines of its log, until the run has ended.

    Args:
        project: where the run is.
        run: the run as it stands.
        steps: only these; all when None.
        tail: of logs that exist already only so many lines.
    """
    reader = _Reader(project, run, steps, tail)
    rounds = 0
    while True:
        rounds += 1
        yield from reader.more()
        if reader.ended:
            return
        if rounds % DEATH_CHECKS == 0 and project.runs.run(run.id).state is not RunState.RUNNING:
            reader.ended = True
        else:
            time.sleep(PAUSE)


class _Reader:
    """Reads new events, and from the logs that they tell of what is new."""

    def __init__(self, project: Project, run: Run, steps: set[StepId] | None, tail: int | None) -> None:
        self.ended = False
        self._project, self._run, self._steps, self._tail = project, run, steps, tail
        self._tails: dict[tuple[StepId, int], _Tail] = {}
        self._seq = 0

    def more(self) -> Iterator[tuple[StepId, int, bytes]]:
        over = self._hear()
        for key, each in list(self._tails.items()):
            last = self.ended or key in over
            for text in each.more(last=last):
                yield *key, text
            if last:
                del self._tails[key]

    def _hear(self) -> set[tuple[StepId, int]]:
        """Take note of new events; return the attempts that are over."""
        over: set[tuple[StepId, int]] = set()
        first = self._seq == 0
        for recorded in self._project.runs.events(self._run.id, self._seq):
            self._seq, event = recorded.seq, recorded.event
            if isinstance(event, RunEnded):
                self.ended = True
            elif isinstance(event, StepStarted) and (self._steps is None or event.step in self._steps):
                path = self._project.log_path(self._run.id, event.step, event.attempt)
                cut = first and self._tail is not None and path.is_file()
                start = start_of_last(path, self._tail or 0) if cut else 0
                self._tails[event.step, event.attempt] = _Tail(path, start)
            elif isinstance(event, StepSucceeded | StepFailed | AttemptFailed):
                over.add((event.step, event.attempt))
        return over
