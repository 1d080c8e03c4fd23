"""What is told of a run where many are shown: how it and its steps went, without what they said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anabranch.model.run import RunState, StepState

if TYPE_CHECKING:
    from anabranch.model.pipeline import Json, StepId
    from anabranch.model.run import PortStats, Run, RunId


@dataclass(frozen=True, slots=True)
class Summary:
    """A run without its steps. `counts` has the number of its steps in each state that occurs."""

    id: RunId
    pipeline: str
    namespace: str = "main"
    state: RunState = RunState.RUNNING
    started_at: float = 0.0
    ended_at: float | None = None
    seconds: float = 0.0
    params: tuple[tuple[str, str], ...] = ()
    input: Json = None
    code: str = ""
    of: RunId | None = None
    trigger: str = "manual"
    message: str = ""
    counts: dict[StepState, int] = field(default_factory=dict)

    @property
    def ok(self) -> int:
        """How many steps succeeded or were reused."""
        return sum(number for state, number in self.counts.items() if state.ok)


@dataclass(frozen=True, slots=True)
class StepBrief:
    """A step run in numbers. Rows and bytes are summed over its ports, None where nobody counted."""

    step: StepId
    state: StepState = StepState.WAITING
    attempts: int = 0
    seconds: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    rows_in: int | None = None
    rows_out: int | None = None
    bytes_out: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One time that a dataset was written. `at` is Unix time in seconds."""

    dataset: str
    run: RunId
    pipeline: str
    namespace: str
    step: StepId
    at: float
    rows: int | None = None
    bytes: int | None = None
    version: str = ""


def summarise(run: Run) -> Summary:
    """Return the run without its steps."""
    return Summary(
        run.id,
        run.pipeline,
        run.namespace,
        run.state,
        run.started_at,
        run.ended_at,
        run.seconds,
        run.params,
        run.input,
        run.code,
        run.of,
        run.trigger,
        run.message,
        dict(Counter(step.state for step in run.steps)),
    )


def briefs(run: Run) -> tuple[StepBrief, ...]:
    """Return the run's steps in numbers."""
    return tuple(
        StepBrief(
            step.step,
            step.state,
            step.attempts,
            step.seconds,
            step.started_at,
            step.ended_at,
            _sum([port.rows for port in step.reads]),
            _sum([port.rows for port in step.writes]),
            _sum([port.bytes for port in step.writes]),
        )
        for step in run.steps
    )


def writes(run: Run) -> tuple[Write, ...]:
    """Return what the run's steps wrote; not what they reused."""

    def write(step: StepId, at: float | None, port: PortStats) -> Write:
        when = at if at is not None else run.started_at
        return Write(port.dataset, run.id, run.pipeline, run.namespace, step, when, port.rows, port.bytes, port.version)

    return tuple(
        write(step.step, step.ended_at, port)
        for step in run.steps
        if step.state is StepState.SUCCEEDED
        for port in step.writes
    )


def _sum(numbers: list[int | None]) -> int | None:
    """Return the sum of what was counted; None when nothing was.

    >>> _sum([1, None, 2]), _sum([None]), _sum([])
    (3, None, None)
    """
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
