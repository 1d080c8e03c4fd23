"""Runs as their events could tell them: any order in which steps may begin, stumble, end, or never begin."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from anabranch.model.call import PythonCall
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Stage
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Param, ParamType, Pipeline, Step, StepId
from anabranch.model.run import (
    AttemptFailed,
    Event,
    Failure,
    PortStats,
    Recorded,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepCancelled,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepState,
    StepSucceeded,
    SubStep,
)

BEGAN = 1_357_365_600.0
FAILURE = Failure("error", "boom", "look", "steps.py:3", "Traceback\n  boom", "step-failed")
BREACH = Failure("contract", "dataset `d1`: column `id` is missing\nnot a breach", code="missing-column")


@dataclass(frozen=True)
class History:
    """A run: its pipeline, and its events in order. It may have been cut off."""

    pipeline: Pipeline
    events: tuple[Recorded, ...]

    @property
    def ended(self) -> bool:
        return isinstance(self.events[-1].event, RunEnded)

    def of(self, kind: type[Event]) -> list[Event]:
        return [each.event for each in self.events if isinstance(each.event, kind)]


def pipeline(count: int) -> Pipeline:
    """A chain of steps, each of which reads what the one before wrote."""
    columns = (Column("id", "int64", nullable=False), Column("name", "string", sensitive=True, description="whose"))
    datasets = tuple(
        DatasetSpec(f"d{i}", Stage.CLEANED, columns=columns if i % 2 else (), primary_key=("id",) if i % 2 else ())
        for i in range(count + 1)
    )
    steps = tuple(
        Step(
            StepId(f"s{i}"),
            PythonCall(f"steps:s{i}"),
            (DatasetInput("in", f"d{i}"),),
            (DatasetOutput("out", f"d{i + 1}"),),
            description="a step" if i else "",
        )
        for i in range(count)
    )
    params = (Param("day", ParamType.DATE), Param("note"))
    return Pipeline("daily", steps, datasets, params, description="every day")


@st.composite
def _step(draw: st.DrawFn, index: int, failed_upstream: StepId) -> list[Event]:
    step = StepId(f"s{index}")
    reads = (PortStats("in", f"d{index}", draw(st.none() | st.integers(0, 10**12)), None, "sha256:aa"),)
    writes = (PortStats("out", f"d{index + 1}", draw(st.none() | st.integers(0, 10**12)), 2**40, "sha256:bb"),)
    before: list[Event] = []
    attempt = 1
    for attempt in range(1, draw(st.integers(1, 3)) + 1):
        if attempt > 1:
            before.append(AttemptFailed(step, attempt - 1, FAILURE, 0.5, 1.0))
        before.append(StepStarted(step, attempt))
    part = SubStep("model", StepState.SUCCEEDED, 0.25, 3)
    ends: list[list[Event]] = [
        [*before, StepSucceeded(step, attempt, 1.0, reads, writes, {"secret": "value"}, (part,))],
        [*before, StepFailed(step, attempt, draw(st.sampled_from([FAILURE, BREACH])), 1.0)],
        [*before, StepCancelled(step)],
        before,
        [*before, AttemptFailed(step, attempt, FAILURE, 0.5, 1.0), StepCancelled(step)],
        [StepReused(step, RunId("earlier1"), writes)],
        [StepSucceeded(step, attempt, 1.0, reads, writes)],  # as a promotion tells it
        [StepSkipped(step, failed_upstream)],
        [StepCancelled(step)],
        [],
    ]
    return draw(st.sampled_from(ends))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Any run, with steps beside each other and a clock that may jump back."""
    count = draw(st.integers(1, 4))
    queues = [draw(_step(i, StepId("s0"))) for i in range(count)]
    first = RunStarted(
        "daily",
        tuple(StepId(f"s{i}") for i in range(count)),
        draw(st.sampled_from(["main", "fix/nulls"])),
        (("day", "2013-01-05"), ("note", "free text")),
        {"secret": "input"},
        "cafe",
        draw(st.none() | st.just(RunId("earlier1"))),
    )
    events: list[Event] = [first]
    while any(queues):
        events.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    if draw(st.booleans()):
        state = draw(st.sampled_from([RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED]))
        events.append(RunEnded(state, 3.0))
    at, told = BEGAN, list[Recorded]()
    for seq, event in enumerate(events, 1):
        at += draw(st.floats(-1.0, 5.0))
        told.append(Recorded(RunId("7f3a9c2k"), seq, at, event))
    return History(pipeline(count), tuple(told))
