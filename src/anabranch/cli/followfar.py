"""Following the logs of a run elsewhere: the platform is asked again and again for what its attempts printed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from anabranch.app.remote import POLL
from anabranch.model.run import AttemptFailed, RunState, StepFailed, StepStarted, StepSucceeded, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.model.pipeline import StepId
    from anabranch.model.run import Recorded, Run
    from anabranch.ports import Runs

LATE = 10
"""Looks at the log of an attempt that is over: its last lines may come late."""
LAST = 2
"""Looks at all that was still looked at, once the run has ended."""


def follow_elsewhere(
    runs: Runs, run: Run, steps: set[StepId] | None, tail: int | None, pause: float = POLL
) -> Iterator[tuple[StepId, int, bytes]]:
    """Yield step, attempt and new whole lines of its log, until the run has ended.

    Args:
        runs: of the run's pipeline, where it runs.
        run: as it stands.
        steps: only these; all when None.
        tail: of what was printed already only so many lines.
        pause: seconds between two looks.
    """
    told: dict[tuple[StepId, int], list[str]] = {}
    looks: dict[tuple[StepId, int], int] = {}
    first = True
    left = 1 if run.state is not RunState.RUNNING else LAST
    while left:
        happened = runs.events(run.id)
        state = fold(happened)
        left -= state is not None and state.state is not RunState.RUNNING
        for key, over in _attempts(happened, steps).items():
            looks[key] = looks.get(key, 0) + over
            if looks[key] > LATE:
                continue
            lines = runs.log(run.id, *key).splitlines()
            before = told.get(key, [])
            start = len(before) if lines[: len(before)] == before else 0
            if first and tail is not None:
                start = max(0, len(lines) - tail)
            told[key] = lines
            if new := lines[start:]:
                yield *key, "".join(f"{line}\n" for line in new).encode()
        first = False
        if left:
            time.sleep(pause)


def _attempts(happened: Sequence[Recorded], steps: set[StepId] | None) -> dict[tuple[StepId, int], bool]:
    """Return the attempts that have begun, in their order, and whether each is over."""
    found: dict[tuple[StepId, int], bool] = {}
    for event in (each.event for each in happened):
        if isinstance(event, StepStarted | AttemptFailed | StepFailed | StepSucceeded):
            key = (event.step, event.attempt)
            if (steps is None or event.step in steps) and event.attempt > 0:
                found[key] = found.get(key, False) or not isinstance(event, StepStarted)
    return found
