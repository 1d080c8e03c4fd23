"""Attempts in time: queued until what they wait for has ended, then starting, then running."""

from __future__ import annotations

from anabranch.model.pipeline import StepId
from anabranch.model.run import (
    AttemptFailed,
    Event,
    Failure,
    Recorded,
    RunId,
    RunStarted,
    StepCancelled,
    StepStarted,
    StepState,
    StepSucceeded,
)
from anabranch.web.draw.timeline import in_words
from anabranch.web.spans import Span, spans

A, B = StepId("a"), StepId("b")
UPSTREAM: dict[StepId, tuple[StepId, ...]] = {A: (), B: (A,)}


def told(*events: tuple[float, Event]) -> dict[StepId, tuple[Span, ...]]:
    """Return the spans of events at these times."""
    return spans([Recorded(RunId("r"), i, at, event) for i, (at, event) in enumerate(events, 1)], UPSTREAM)


def test_a_step_is_queued_from_when_it_may_start_and_starts_before_it_runs() -> None:
    found = told(
        (0.0, RunStarted("p", (A, B))),
        (1.0, StepStarted(A)),
        (5.0, StepSucceeded(A, seconds=3.0)),
        (7.0, StepStarted(B)),
        (9.0, StepSucceeded(B, seconds=2.0)),
    )
    assert found[A] == (Span(1, 0.0, 1.0, 2.0, 5.0, StepState.SUCCEEDED),)
    assert found[B] == (Span(1, 5.0, 7.0, 7.0, 9.0, StepState.SUCCEEDED),)
    assert in_words(found[A], 9.0) == "queued 1.00 s, starting 1.00 s, running 3.00 s"


def test_the_wait_before_a_retry_is_no_queue() -> None:
    failure = Failure("error", "x")
    found = told(
        (0.0, RunStarted("p", (A,))),
        (1.0, StepStarted(A, 1)),
        (2.0, AttemptFailed(A, 1, failure, 1.0, wait=5.0)),
        (7.5, StepStarted(A, 2)),
        (8.0, StepCancelled(A)),
    )
    assert [(span.attempt, span.queued_at, span.state) for span in found[A]] == [
        (1, 0.0, StepState.FAILED),
        (2, 7.0, StepState.CANCELLED),
    ]


def test_a_clock_that_jumps_back_makes_no_negative_times() -> None:
    found = told((100.0, RunStarted("p", (A,))), (50.0, StepStarted(A)), (40.0, StepSucceeded(A, seconds=3.0)))
    (span,) = found[A]
    assert span.queued_at <= span.started_at <= (span.running_at or 0)
