"""When each attempt of a step was queued, started and run, from a run's events. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anabranch.model.pipeline import StepId
    from anabranch.model.run import Failure, Recorded


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt in time. All times are Unix time in seconds; None is not yet.

    Attributes:
        attempt: counts from 1.
        queued_at: when all that it waits for had ended.
        started_at: when it was given to a worker.
        running_at: when its own code began, as far as the worker's own clock tells; known once it has ended.
        ended_at: when it ended.
        state: how it ended, or that it runs.
        failure: why it failed.
    """

    attempt: int
    queued_at: float
    started_at: float
    running_at: float | None = None
    ended_at: float | None = None
    state: StepState = StepState.RUNNING
    failure: Failure | None = None


def spans(events: Iterable[Recorded], upstream: Mapping[StepId, Sequence[StepId]]) -> dict[StepId, tuple[Span, ...]]:
    """Return the attempts of each step that began.

    Args:
        events: of one run, in order.
        upstream: for each step those that it waits for.
    """
    found: dict[StepId, list[Span]] = {}
    ended: dict[StepId, float] = {}
    ready: dict[StepId, float] = {}
    began = 0.0
    for recorded in events:
        at, event = recorded.at, recorded.event
        match event:
            case RunStarted():
                began = at
            case StepStarted(step, attempt):
                before = [ended[source] for source in upstream.get(step, ()) if source in ended]
                queued = ready.pop(step, max([began, *before]))
                found.setdefault(step, []).append(Span(attempt, min(queued, at), at))
            case AttemptFailed(step, _, failure, seconds, wait):
                ready[step] = at + wait
                _end(found, step, at, StepState.FAILED, seconds, failure)
            case StepFailed(step, _, failure, seconds):
                ended[step] = at
                _end(found, step, at, StepState.FAILED, seconds, failure)
            case StepSucceeded(step, _, seconds):
                ended[step] = at
                _end(found, step, at, StepState.SUCCEEDED, seconds)
            case StepReused(step) | StepSkipped(step):
                ended[step] = at
            case StepCancelled(step):
                ended[step] = at
                _end(found, step, at, StepState.CANCELLED)
            case RunEnded():
                pass
    return {step: tuple(each) for step, each in found.items()}


def _end(
    found: dict[StepId, list[Span]],
    step: StepId,
    at: float,
    state: StepState,
    seconds: float | None = None,
    failure: Failure | None = None,
) -> None:
    """Close the last attempt of a step, if one is open."""
    if not found.get(step) or found[step][-1].ended_at is not None:
        return
    last = found[step][-1]
    running = None if seconds is None else max(last.started_at, at - seconds)
    found[step][-1] = replace(last, running_at=running, ended_at=at, state=state, failure=failure)
