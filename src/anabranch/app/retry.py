"""What a retry runs again, and what it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.app.history import values_from_before
from anabranch.model.dataset import Ingestion
from anabranch.model.errors import UsageError
from anabranch.run.params import bind_params
from anabranch.run.plan import RunPlan, known_steps, new_run_id, reusable, sources_outside

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Run
    from anabranch.ports import RunStore


def plan_retry(
    store: RunStore, earlier: Run, pipeline: Pipeline, start: Iterable[str], storage: Path, *, same: bool
) -> RunPlan:
    """Return the run that finishes an earlier one.

    Args:
        store: where runs are told.
        earlier: what is retried.
        pipeline: as it is to run now.
        start: steps that rerun though they succeeded, with all downstream.
        storage: where its datasets lie.
        same: the code is the one that the run had.

    Raises:
        UsageError: `nothing-to-retry`, `unknown-step`.
    """
    before = store.definition(earlier.id)
    whole = {step.id for step in before.steps} == set(earlier.step_by_id)
    chosen = {step.id for step in pipeline.steps if whole or step.id in earlier.step_by_id}
    again = known_steps(pipeline, start)
    reused = reusable(pipeline, earlier, again | changed_since(pipeline, earlier, storage))
    if not chosen - set(reused):
        message = f"run {earlier.id} has nothing to do again: every step succeeded"
        raise UsageError(message, code="nothing-to-retry", hint="name a step with --from")
    kept = {step: told for step, told in reused.items() if step in chosen}
    kept |= values_from_before(store, pipeline.name, sources_outside(pipeline, chosen))
    declared = {param.name for param in pipeline.params}
    return RunPlan(
        new_run_id(),
        pipeline,
        frozenset(chosen),
        kept,
        bind_params(pipeline, {name: value for name, value in earlier.params if name in declared}),
        earlier.input,
        earlier.code if same else "",
        earlier.id,
        namespace=earlier.namespace,
    )


def changed_since(pipeline: Pipeline, earlier: Run, storage: Path) -> set[StepId]:
    """Return the steps whose outputs are not those any more that the run made, or whose raw inputs have changed.

    An incremental input is no reason: the step has had its rows, and gets the new ones when the pipeline runs next.
    """
    from anabranch.data.describe import current_version

    specs, writers = pipeline.dataset_by_name, pipeline.writer_of
    changed: set[StepId] = set()
    for step in pipeline.steps:
        told = earlier.step_by_id.get(step.id)
        if told is None:
            continue
        raw = [
            port
            for port in told.reads
            if port.dataset not in writers and port.dataset in specs and specs[port.dataset].ingestion is Ingestion.FULL
        ]
        made = [port for port in told.writes if port.dataset in specs]
        if any(current_version(storage, specs[port.dataset]) != port.version for port in (*made, *raw)):
            changed.add(step.id)
    return changed
