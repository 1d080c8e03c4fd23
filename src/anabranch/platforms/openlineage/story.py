"""A run's events, told as OpenLineage tells of runs: the pipeline's run, and below it one run for each step that began.

Source: https://openlineage.io/docs/spec/object-model
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, assert_never

from anabranch.model.run import (
    AttemptFailed,
    Failure,
    PortStats,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepCancelled,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from anabranch.platforms.openlineage import assertions, facets
from anabranch.platforms.openlineage.names import PRODUCER, dataset_name, run_uuid, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.model.export import Origin
    from anabranch.model.pipeline import Step, StepId
    from anabranch.model.run import Recorded

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"

RunEvent: TypeAlias = "dict[str, Any]"
"""One event of OpenLineage, ready to be written as JSON."""

Kind: TypeAlias = Literal["START", "COMPLETE", "FAIL", "ABORT"]

_ENDS: dict[RunState, Kind] = {RunState.SUCCEEDED: "COMPLETE", RunState.FAILED: "FAIL"}


class Story:
    """Turns the events of one run, in their order, into OpenLineage's. It acts on nothing and reads no clock.

    Steps that never began (skipped, reused, cancelled before) are no runs there, and attempts that are tried again are
    part of their step's run.
    """

    def __init__(self, origin: Origin, base: str = "") -> None:
        """Name where the run is from, and what its jobs' namespace starts with where that is not the project's name."""
        self._origin, self._base = origin, base
        self._run, self._first = RunId(""), RunStarted("", ())
        self._open: dict[StepId, None] = {}
        self._failed: dict[StepId, Failure] = {}
        self._at = 0.0

    def tell(self, recorded: Recorded) -> tuple[RunEvent, ...]:
        """Return what the next event of the run means there."""
        self._at = max(self._at, recorded.at)  # clocks jump, lineage does not
        event = recorded.event
        match event:
            case RunStarted():
                self._run, self._first = recorded.run, event
                return (self._whole("START"),)
            case StepStarted(step):
                if step in self._open:
                    return ()
                self._open[step] = None
                return (self._part("START", step),)
            case StepSucceeded():
                return self._close("COMPLETE", event.step, event)
            case StepFailed():
                self._failed[event.step] = event.failure
                return self._close("FAIL", event.step, event)
            case StepCancelled(step):
                return self._close("ABORT", step)
            case RunEnded(state):
                return (*self._abort(), self._whole(_ENDS.get(state, "ABORT"), event.message))
            case StepReused() | StepSkipped() | AttemptFailed():
                return ()
            case _:
                assert_never(event)

    def abandon(self) -> tuple[RunEvent, ...]:
        """Return how it ends for a run that nobody drives any more: what it had begun is aborted."""
        return (*self._abort(), self._whole("ABORT", "the process that drove the run has died"))

    def _abort(self) -> tuple[RunEvent, ...]:
        return tuple(event for step in list(self._open) for event in self._close("ABORT", step))

    def _close(self, kind: Kind, step: StepId, event: StepSucceeded | StepFailed | None = None) -> tuple[RunEvent, ...]:
        begun = step in self._open
        self._open.pop(step, None)
        if begun:
            return (self._part(kind, step, event),)
        # A promotion publishes what steps made elsewhere: they begin and end at once.
        return (self._part("START", step), self._part(kind, step, event)) if event is not None else ()

    def _whole(self, kind: Kind, message: str = "") -> RunEvent:
        """Return an event of the pipeline's run."""
        first, pipeline = self._first, self._origin.pipeline
        about = facets.engine() | facets.nominal_time(self._run)
        about |= facets.run_tags(
            run=self._run,
            branch=first.namespace,
            environment=self._origin.environment,
            trigger=first.trigger,
            code=first.code,
            retry_of=first.of or "",
        )
        if kind == "FAIL" or message:
            about |= facets.error(self._why(message))
        job = facets.job("PIPELINE", pipeline.description, pipeline.place, self._origin.repository)
        return self._event(kind, "", first.pipeline, about, job)

    def _why(self, message: str) -> Failure:
        if self._failed and not message:
            names = ", ".join(f"`{step}`" for step in self._failed)
            first = next(iter(self._failed.values()))
            return Failure(first.kind, f"{names} failed: {first.message}", code=first.code)
        return Failure("error", message or "the run failed")

    def _part(self, kind: Kind, name: StepId, event: StepSucceeded | StepFailed | None = None) -> RunEvent:
        """Return an event of a step's run."""
        step = self._origin.pipeline.step_by_id.get(name)
        namespace = self._origin.namespace(self._first.namespace, self._base)
        about = facets.engine() | facets.parent(run_uuid(self._key), namespace, self._first.pipeline)
        about |= facets.nominal_time(self._run)
        if event is not None:
            about |= facets.run_tags(attempts=str(event.attempt))
        if isinstance(event, StepFailed):
            about |= facets.error(event.failure)
        if step is None:
            return self._event(kind, name, f"{self._first.pipeline}.{name}", about, {})
        job = facets.job("STEP", step.description, step.place, self._origin.repository)
        told = self._event(kind, name, f"{self._first.pipeline}.{name}", about, job)
        return told | {"inputs": self._inputs(step, event), "outputs": self._outputs(step, event)}

    def _inputs(self, step: Step, event: StepSucceeded | StepFailed | None) -> list[dict[str, Any]]:
        stats = _by_dataset(event.reads) if isinstance(event, StepSucceeded) else {}
        found: list[dict[str, Any]] = []
        for name in dict.fromkeys(port.dataset for port in step.reads):
            known = stats.get(name, PortStats("", name))
            bound = self._origin.pipeline.dataset_by_name[name].bound
            told = self._dataset(name, known.version or (bound.version if bound else ""))
            found.append(told | {"inputFacets": facets.read(known)})
        return found

    def _outputs(self, step: Step, event: StepSucceeded | StepFailed | None) -> list[dict[str, Any]]:
        stats = _by_dataset(event.writes) if isinstance(event, StepSucceeded) else {}
        found: list[dict[str, Any]] = []
        for name in dict.fromkeys(port.dataset for port in step.outputs):
            known, spec = stats.get(name, PortStats("", name)), self._origin.pipeline.dataset_by_name[name]
            told = self._dataset(name, known.version, written=True)
            match event:
                case StepSucceeded():
                    told["facets"] |= assertions.held(spec)
                case StepFailed():
                    told["facets"] |= assertions.broken(spec, event.failure)
                case None:
                    pass
            found.append(told | {"outputFacets": facets.written(known)})
        return found

    def _dataset(self, name: str, version: str, *, written: bool = False) -> dict[str, Any]:
        """Return a dataset where it lies: in a branch, what the branch did not write itself is main's."""
        spec = self._origin.pipeline.dataset_by_name[name]
        storage = spec.bound.root if spec.bound and not written else self._origin.storage
        namespace, path = dataset_name(storage, spec.location)
        return {"namespace": namespace, "name": path, "facets": facets.dataset(spec, version)}

    def _event(self, kind: Kind, step: str, job: str, about: facets.Facets, of_job: facets.Facets) -> RunEvent:
        namespace = self._origin.namespace(self._first.namespace, self._base)
        return {
            "eventType": kind,
            "eventTime": timestamp(self._at),
            "run": {"runId": run_uuid(self._key, step), "facets": about},
            "job": {"namespace": namespace, "name": job, "facets": of_job},
            "inputs": [],
            "outputs": [],
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
        }

    @property
    def _key(self) -> str:
        return self._origin.key(self._run)


def _by_dataset(ports: Sequence[PortStats]) -> dict[str, PortStats]:
    return {port.dataset: port for port in ports}
