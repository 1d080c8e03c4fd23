"""What a run is to do: decided before it starts, from a pipeline, a selection and perhaps an earlier run."""

from __future__ import annotations

import secrets as random_source
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError, UsageError, closest
from anabranch.model.graph import reachable
from anabranch.model.pipeline import ValueInput
from anabranch.model.run import RunId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from anabranch.model.pipeline import Json, Pipeline, Step, StepId
    from anabranch.model.run import Run, StepRun

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_LENGTH = 8


def new_run_id() -> RunId:
    """Return an id that is easy to read out and to type: eight letters and digits, none of which look alike."""
    return RunId("".join(random_source.choice(_ALPHABET) for _ in range(_LENGTH)))


@dataclass(frozen=True)
class RunPlan:
    """One run to be. `reused` has results of earlier runs that stand in for steps; `chosen` holds these steps too."""

    run: RunId
    pipeline: Pipeline
    chosen: frozenset[StepId]
    reused: Mapping[StepId, tuple[RunId, StepRun]] = field(default_factory=dict)
    params: tuple[tuple[str, str], ...] = ()
    input: Json = None
    code: str = ""
    of: RunId | None = None
    trigger: str = "manual"
    namespace: str = "main"


def known_steps(pipeline: Pipeline, names: Iterable[str]) -> set[StepId]:
    """Return the steps of these names.

    Raises:
        UsageError: `unknown-step`, with the closest name.
    """
    found: set[StepId] = set()
    for name in names:
        if name not in pipeline.step_by_id:
            message = f"pipeline `{pipeline.name}` has no step `{name}`"
            raise UsageError(message, code="unknown-step", hint=closest(name, pipeline.step_by_id))
        found.add(next(step for step in pipeline.step_by_id if step == name))
    return found


def sources_outside(pipeline: Pipeline, chosen: Collection[StepId]) -> set[StepId]:
    """Return the steps that are not chosen but give a value to one that is."""
    return {
        source
        for step in pipeline.steps
        if step.id in chosen
        for port in step.takes
        for source in port.sources
        if source not in chosen
    }


def reusable(pipeline: Pipeline, earlier: Run, start: Collection[StepId]) -> dict[StepId, tuple[RunId, StepRun]]:
    """Return the results of an earlier run that a retry keeps: of steps that succeeded and follow none that reruns.

    Args:
        pipeline: as it is now; new steps rerun.
        earlier: the run that is retried.
        start: steps that rerun though they succeeded, with all downstream.
    """
    stale = {step.id for step in pipeline.steps if not _stands(earlier.step_by_id.get(step.id))}
    rerun = reachable(pipeline.downstream, stale | set(start))
    return {
        step.id: (earlier.step_by_id[step.id].of or earlier.id, earlier.step_by_id[step.id])
        for step in pipeline.steps
        if step.id not in rerun
    }


def _stands(step: StepRun | None) -> bool:
    return step is not None and step.state.ok


def need_input(pipeline: Pipeline, running: Collection[StepId], given: Json) -> None:
    """Make sure that steps which take the trigger's event get one.

    Raises:
        UsageError: `missing-input-value`.
    """
    if given is not None:
        return
    for step in pipeline.steps:
        for port in step.takes:
            if step.id in running and not port.sources and port.required:
                message = f"step `{step.id}` takes `{port.name}` from the trigger's event, and none was given"
                hint = "--input '{...}', or --input @event.json"
                raise UsageError(message, code="missing-input-value", hint=hint, place=step.place)


def task_values(step: Step, values: Mapping[StepId, Json], event: Json) -> tuple[tuple[str, Json], ...]:
    """Return the JSON for each value port of a step.

    Raises:
        StepError: `missing-value`, an upstream step gave none.
    """
    found: list[tuple[str, Json]] = []
    for port in step.inputs:
        if not isinstance(port, ValueInput):
            continue
        if not port.sources:
            if event is not None or port.required:
                found.append((port.name, event))
            continue
        missing = [source for source in port.sources if source not in values]
        if missing:
            message = f"step `{step.id}` needs the value of `{missing[0]}`, which has never succeeded"
            raise StepError(message, code="missing-value", hint=f"run `{missing[0]}` first, or without --only")
        given = [values[source] for source in port.sources]
        found.append((port.name, given if port.collect or len(given) > 1 else given[0]))
    return tuple(found)
