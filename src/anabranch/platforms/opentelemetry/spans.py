"""A run's events, told as spans: the run, below it its steps, below these their attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, assert_never

from anabranch.model.call import kind
from anabranch.model.pipeline import ParamType
from anabranch.model.run import (
    AttemptFailed,
    Failure,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepCancelled,
    StepFailed,
    StepReused,
    StepRun,
    StepSkipped,
    StepStarted,
    StepState,
    StepSucceeded,
    after,
)
from anabranch.model.tracing import span_id, trace_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anabranch.model.export import Origin
    from anabranch.model.pipeline import StepId
    from anabranch.model.run import PortStats, Recorded, StepEvent, SubStep

Value: TypeAlias = str | bool | int | float | tuple[str, ...]
"""What an attribute holds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened within a span. `at` is Unix time in s."""

    name: str
    at: float
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Ids are hexadecimal; times are Unix times in s; `error` is why it failed, or empty."""

    trace: str
    id: str
    parent: str
    name: str
    start: float
    end: float
    attributes: Mapping[str, Value]
    moments: tuple[Moment, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """Spans of other traces, as (trace, span)."""
    error: str = ""


class Tracer:
    """Turns the events of one run, in their order, into spans; each is told when it has ended. It reads no clock."""

    def __init__(self, origin: Origin) -> None:
        """Name where the run is from."""
        self._origin = origin
        self._run, self._first = RunId(""), RunStarted("", ())
        self._trace, self._began, self._at = "", 0.0, 0.0
        self._steps: dict[StepId, StepRun] = {}
        self._attempts: dict[StepId, float] = {}
        self._failed: list[StepId] = []

    def tell(self, recorded: Recorded) -> tuple[Span, ...]:
        """Return the spans that the next event of the run has ended."""
        self._at = at = max(self._at, recorded.at)  # clocks jump, spans do not
        event = recorded.event
        match event:
            case RunStarted():
                self._run, self._first, self._began = recorded.run, event, at
                self._trace = trace_id(self._origin.key(recorded.run))
                return ()
            case RunEnded(state, _, message):
                return (*self._cut(), self._root(state, message))
            case StepStarted(step):
                self._note(event)
                self._attempts[step] = at
                return ()
            case AttemptFailed():
                self._note(event)
                return (self._attempt(event.step, event.attempt, event.failure),)
            case StepSucceeded() | StepFailed():
                told = self._note(event)
                failure = event.failure if isinstance(event, StepFailed) else None
                self._failed += [event.step] if failure else []
                return (*self._stopped(told, failure, event.parts), self._step(told))
            case StepReused() | StepSkipped() | StepCancelled():
                told = self._note(event)
                return (*self._stopped(told), self._step(told))
            case _:
                assert_never(event)

    def abandon(self) -> tuple[Span, ...]:
        """Return what a run has left open that nobody drives any more."""
        return (*self._cut(), self._root(RunState.DEAD, "the process that drove the run has died"))

    def _note(self, event: StepEvent) -> StepRun:
        told = after(self._steps.get(event.step, StepRun(event.step)), event, self._at)
        self._steps[event.step] = told
        return told

    def _cut(self) -> tuple[Span, ...]:
        """Return the spans of steps that had begun and never ended."""
        going = [step for step in self._steps.values() if not step.state.ended]
        return tuple(
            span for step in going for span in (*self._stopped(step), self._step(self._note(StepCancelled(step.step))))
        )

    def _stopped(
        self, step: StepRun, failure: Failure | None = None, parts: Iterable[SubStep] = ()
    ) -> tuple[Span, ...]:
        """Return the span of the attempt that has ended with its step, if one had begun."""
        return (self._attempt(step.step, step.attempts, failure, parts),) if step.step in self._attempts else ()

    def _attempt(self, step: StepId, number: int, failure: Failure | None, parts: Iterable[SubStep] = ()) -> Span:
        start = self._attempts.pop(step, self._at)
        moments = tuple(Moment("part", self._at, _part(each)) for each in parts)
        return Span(
            self._trace,
            span_id(self._trace, step, number),
            span_id(self._trace, step),
            f"{step} attempt",
            start,
            self._at,
            self._common() | {"anabranch.step": step, "anabranch.attempt": number},
            (*moments, *_exception(failure, self._at)),
            error=_why(failure),
        )

    def _step(self, step: StepRun) -> Span:
        known = self._origin.pipeline.step_by_id.get(step.step)
        about: dict[str, Value] = {"anabranch.step": step.step, "anabranch.step.state": step.state.value}
        if known is not None:
            about["anabranch.step.kind"] = kind(known.call)
        if step.attempts:
            about["anabranch.step.attempts"] = step.attempts
        if step.because is not None:
            about["anabranch.step.because"] = step.because
        moments = [Moment("read", self._at, _port(port)) for port in step.reads]
        moments += [Moment("wrote", self._at, _port(port)) for port in step.writes if step.of is None]
        links = ((earlier := self._other(step.of), span_id(earlier, step.step)),) if step.of else ()
        failed = step.failure if step.state is StepState.FAILED else None
        start = step.started_at if step.started_at is not None else self._at
        root, mine = span_id(self._trace), span_id(self._trace, step.step)
        return Span(
            self._trace,
            mine,
            root,
            step.step,
            start,
            self._at,
            self._common() | about,
            tuple(moments),
            links,
            _why(failed),
        )

    def _root(self, state: RunState, message: str) -> Span:
        first = self._first
        about: dict[str, Value] = {"anabranch.run.state": state.value, "anabranch.run.trigger": first.trigger}
        about |= {"anabranch.code": first.code} if first.code else {}
        about |= {f"anabranch.param.{name}": value for name, value in self._params()}
        links: tuple[tuple[str, str], ...] = ()
        if first.of is not None:
            about["anabranch.run.of"] = first.of
            links = ((earlier := self._other(first.of), span_id(earlier)),)
        error = ""
        if state in {RunState.FAILED, RunState.DEAD}:
            error = message or f"failed: {', '.join(self._failed)}"
        root = span_id(self._trace)
        attributes = self._common() | about
        return Span(self._trace, root, "", first.pipeline, self._began, self._at, attributes, (), links, error)

    def _other(self, run: RunId) -> str:
        return trace_id(self._origin.key(run))

    def _common(self) -> dict[str, Value]:
        told: dict[str, Value] = {"anabranch.run": self._run, "anabranch.pipeline": self._first.pipeline}
        told["anabranch.branch"] = self._first.namespace
        return told | ({"anabranch.environment": self._origin.environment} if self._origin.environment else {})

    def _params(self) -> Iterable[tuple[str, str]]:
        """Yield the params that are no free text: that may be anything, and is nobody else's."""
        declared = {param.name: param for param in self._origin.pipeline.params}
        for name, value in self._first.params:
            param = declared.get(name)
            if param is not None and (param.type is not ParamType.STRING or param.choices):
                yield name, value


def _exception(failure: Failure | None, at: float) -> tuple[Moment, ...]:
    """Return a failure as OpenTelemetry records exceptions.

    Source: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
    """
    if failure is None:
        return ()
    told: dict[str, Value] = {"exception.type": failure.code, "exception.message": failure.message}
    told |= {"exception.stacktrace": failure.trace} if failure.trace else {}
    told |= {"anabranch.failure.kind": failure.kind}
    told |= {"anabranch.failure.place": failure.place} if failure.place else {}
    return (Moment("exception", at, told),)


def _why(failure: Failure | None) -> str:
    return "" if failure is None else failure.message or failure.code


def _port(port: PortStats) -> dict[str, Value]:
    told: dict[str, Value] = {"anabranch.dataset": port.dataset}
    told |= {"anabranch.rows": port.rows} if port.rows is not None else {}
    told |= {"anabranch.bytes": port.bytes} if port.bytes is not None else {}
    return told | ({"anabranch.version": port.version} if port.version else {})


def _part(part: SubStep) -> dict[str, Value]:
    told: dict[str, Value] = {"anabranch.part": part.name, "anabranch.part.state": part.state.value}
    told["anabranch.part.seconds"] = part.seconds
    return told | ({"anabranch.rows": part.rows} if part.rows is not None else {})
