"""Runs, told by append-only events; `fold` turns a run's events into what the run looks like now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NewType, TypeAlias, assert_never

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.model.pipeline import Json, StepId

RunId = NewType("RunId", str)
"""A run's id: eight letters and digits, unique in its store."""


class RunState(StrEnum):
    """How a run stands. `dead` is never stored: it is what a run that nobody drives any more is shown as."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


class StepState(StrEnum):
    """How a step run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    REUSED = "reused"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it in this run."""
        return self not in {StepState.WAITING, StepState.RUNNING, StepState.RETRYING}

    @property
    def ok(self) -> bool:
        """Whether what depends on it may run."""
        return self in {StepState.SUCCEEDED, StepState.REUSED}


@dataclass(frozen=True, slots=True)
class PortStats:
    """What went through one dataset port. `rows` and `bytes` are counts, None where nobody counted.

    `version` identifies the data, such as `sha256:...`; equal versions are equal bytes.
    """

    port: str
    dataset: str
    rows: int | None = None
    bytes: int | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. `kind` is error, contract, timeout, killed or cancelled.

    `trace` is the traceback with the user's own frames first; `place` is the user's innermost line, `file:line`.
    """

    kind: str
    message: str
    hint: str = ""
    place: str = ""
    trace: str = ""
    code: str = "step-failed"


@dataclass(frozen=True, slots=True)
class SubStep:
    """One part of a step that its call reports, such as a dbt model or test."""

    name: str
    state: StepState
    seconds: float = 0.0
    rows: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run exists. `of` is the run that this one retries; `steps` are all of its steps, in order."""

    pipeline: str
    steps: tuple[StepId, ...]
    namespace: str = "main"
    params: tuple[tuple[str, str], ...] = ()
    input: Json = None
    code: str = ""
    of: RunId | None = None
    trigger: str = "manual"


@dataclass(frozen=True, slots=True)
class StepStarted:
    """An attempt began; attempts count from 1."""

    step: StepId
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt failed and another will follow after `wait` seconds."""

    step: StepId
    attempt: int
    failure: Failure
    seconds: float = 0.0
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class StepSucceeded:
    """A step's outputs are published. `value` is what it returned, as JSON."""

    step: StepId
    attempt: int = 1
    seconds: float = 0.0
    reads: tuple[PortStats, ...] = ()
    writes: tuple[PortStats, ...] = ()
    value: Json = None
    parts: tuple[SubStep, ...] = ()


@dataclass(frozen=True, slots=True)
class StepReused:
    """The step was not run: what run `of` made of it still stands."""

    step: StepId
    of: RunId
    writes: tuple[PortStats, ...] = ()
    value: Json = None


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step failed for good."""

    step: StepId
    attempt: int
    failure: Failure
    seconds: float = 0.0
    parts: tuple[SubStep, ...] = ()


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """The step did not run because `because` failed, was skipped or was cancelled."""

    step: StepId
    because: StepId


@dataclass(frozen=True, slots=True)
class StepCancelled:
    """The step was stopped, or never started, because the run was cancelled."""

    step: StepId


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Nothing more happens in this run."""

    state: RunState
    seconds: float = 0.0
    message: str = ""


Event: TypeAlias = (
    RunStarted
    | StepStarted
    | AttemptFailed
    | StepSucceeded
    | StepReused
    | StepFailed
    | StepSkipped
    | StepCancelled
    | RunEnded
)
"""A closed union: end each `match` on it with `assert_never`."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the run. Order is by `seq`, never by `at`: clocks jump. `at` is Unix time in s."""

    run: RunId
    seq: int
    at: float
    event: Event


@dataclass(frozen=True, slots=True)
class StepRun:
    """What became of one step in a run."""

    step: StepId
    state: StepState = StepState.WAITING
    attempts: int = 0
    seconds: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    reads: tuple[PortStats, ...] = ()
    writes: tuple[PortStats, ...] = ()
    value: Json = None
    failure: Failure | None = None
    because: StepId | None = None
    of: RunId | None = None
    parts: tuple[SubStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a pipeline, as its events tell it."""

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
    steps: tuple[StepRun, ...] = ()
    last_seq: int = 0
    step_by_id: dict[StepId, StepRun] = field(default_factory=dict, compare=False, repr=False)


def fold(events: Iterable[Recorded]) -> Run | None:
    """Return the run that the events tell, or None without a `RunStarted`."""
    run: Run | None = None
    steps: dict[StepId, StepRun] = {}
    seq = 0
    for recorded in events:
        seq, at, event = recorded.seq, recorded.at, recorded.event
        match event:
            case RunStarted():
                steps = {step: StepRun(step) for step in event.steps}
                run = Run(
                    recorded.run,
                    event.pipeline,
                    event.namespace,
                    started_at=at,
                    params=event.params,
                    input=event.input,
                    code=event.code,
                    of=event.of,
                    trigger=event.trigger,
                )
            case RunEnded(state, seconds, message):
                if run is not None:
                    run = replace(run, state=state, ended_at=at, seconds=seconds, message=message)
            case _:
                steps[event.step] = after(steps.get(event.step, StepRun(event.step)), event, at)
    if run is None:
        return None
    return replace(run, steps=tuple(steps.values()), last_seq=seq, step_by_id=steps)


StepEvent: TypeAlias = (
    StepStarted | AttemptFailed | StepSucceeded | StepReused | StepFailed | StepSkipped | StepCancelled
)
"""The events of one step."""


def after(step: StepRun, event: StepEvent, at: float) -> StepRun:
    """Return the step run as it stands after the event."""
    match event:
        case StepStarted(_, attempt):
            started = step.started_at if step.started_at is not None else at
            return replace(step, state=StepState.RUNNING, attempts=attempt, started_at=started)
        case AttemptFailed(_, attempt, failure, seconds):
            return replace(step, state=StepState.RETRYING, attempts=attempt, failure=failure, seconds=seconds)
        case StepSucceeded():
            return replace(
                step,
                state=StepState.SUCCEEDED,
                attempts=event.attempt,
                seconds=event.seconds,
                reads=event.reads,
                writes=event.writes,
                value=event.value,
                parts=event.parts,
                failure=None,
                ended_at=at,
            )
        case StepReused():
            return replace(
                step, state=StepState.REUSED, of=event.of, writes=event.writes, value=event.value, ended_at=at
            )
        case StepFailed():
            return replace(
                step,
                state=StepState.FAILED,
                attempts=event.attempt,
                failure=event.failure,
                seconds=event.seconds,
                parts=event.parts,
                ended_at=at,
            )
        case StepSkipped(_, because):
            return replace(step, state=StepState.SKIPPED, because=because, ended_at=at)
        case StepCancelled():
            return replace(step, state=StepState.CANCELLED, ended_at=at)
        case _:
            assert_never(event)
