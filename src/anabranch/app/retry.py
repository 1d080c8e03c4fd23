"""What a retry runs again, and what it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.app.history import values_from_before
from anabranch.model.dataset import Ingestion
from anabranch.model.errors import UsageError
from anabranch.model.graph import order
from anabranch.model.run import StepState
from anabranch.run.params import bind_params
from anabranch.run.plan import RunPlan, known_steps, new_run_id, reusable, sources_outside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Run
    from anabranch.ports import RunStore


ENDED = {
    StepState.FAILED: "it failed",
    StepState.SKIPPED: "it was skipped",
    StepState.CANCELLED: "it was cancelled",
}


@dataclass(frozen=True)
class Retry:
    """A retry to be: the run, and why each of the steps that it does again runs; all others are reused."""

    plan: RunPlan
    why: Mapping[StepId, str]


@dataclass(frozen=True)
class Again:
    """What is to run again besides what did not succeed: these steps with all downstream, or every step."""

    start: tuple[str, ...] = ()
    everything: bool = False

    def steps(self, pipeline: Pipeline) -> set[StepId]:
        """Return the steps that are named.

        Raises:
            UsageError: `unknown-step`.
        """
        return set(pipeline.step_by_id) if self.everything else known_steps(pipeline, self.start)


def plan_retry(store: RunStore, earlier: Run, pipeline: Pipeline, asked: Again, storage: Path, *, same: bool) -> Retry:
    """Return the run that finishes an earlier one.

    Args:
        store: where runs are told.
        earlier: what is retried.
        pipeline: as it is to run now.
        asked: what reruns though it succeeded.
        storage: where its datasets lie.
        same: the code is the one that the run had.

    Raises:
        UsageError: `nothing-to-retry`, `unknown-step`.
    """
    before = store.definition(earlier.id)
    whole = {step.id for step in before.steps} == set(earlier.step_by_id)
    chosen = {step.id for step in pipeline.steps if whole or step.id in earlier.step_by_id}
    again = asked.steps(pipeline)
    changed = changed_since(pipeline, earlier, storage)
    reused = reusable(pipeline, earlier, again | changed)
    if not chosen - set(reused):
        message = f"run {earlier.id} has nothing to do again: every step succeeded"
        raise UsageError(message, code="nothing-to-retry", hint="name a step with --from")
    kept = {step: told for step, told in reused.items() if step in chosen}
    kept |= values_from_before(store, pipeline.name, sources_outside(pipeline, chosen))
    declared = {param.name for param in pipeline.params}
    plan = RunPlan(
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
    return Retry(plan, _why(plan, earlier, again, changed))


def _why(plan: RunPlan, earlier: Run, again: set[StepId], changed: set[StepId]) -> dict[StepId, str]:
    """Return why each step reruns, in the order in which they may."""
    pipeline = plan.pipeline
    reruns = plan.chosen - set(plan.reused)
    found: dict[StepId, str] = {}
    for step in order(pipeline):
        if step not in reruns:
            continue
        told = earlier.step_by_id.get(step)
        before = [source for source in pipeline.upstream[step] if source in reruns]
        if told is None:
            found[step] = "the run did not have it"
        elif not told.state.ok:
            found[step] = ENDED.get(told.state, "it did not end")
        elif step in again:
            found[step] = "it is asked for"
        elif before:
            found[step] = f"downstream of {before[0]}"
        else:
            found[step] = "its data is not what the run left" if step in changed else "it is not known to stand"
    return found


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
