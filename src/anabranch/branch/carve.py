"""Carve a branch out of a pipeline: some steps and all that depends on them. Same type out as in; nothing is touched.

create:  changed steps --reasons--> which steps, and why --locations.refusals--> what cannot be branched
run:     steps, bounds --carve--> Pipeline --prove--> nothing in it writes outside of the branch
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from anabranch.model.branch import Reason, Role
from anabranch.model.dataset import Ingestion
from anabranch.model.errors import Diagnostic
from anabranch.model.graph import order, reachable
from anabranch.model.pipeline import Rows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from anabranch.model.dataset import Bound
    from anabranch.model.pipeline import Pipeline, Step, StepId


def reasons(
    pipeline: Pipeline,
    starts: Mapping[StepId, tuple[Role, tuple[str, ...]]],
    skipped: Collection[StepId] = (),
) -> tuple[Reason, ...]:
    """Return the steps of a branch in order of execution, each with why it is in, or why it is not run there.

    Args:
        pipeline: what is branched.
        starts: steps that are chosen or have changed, with the reasons.
        skipped: steps that are left out by name, with all that depends on their data or values.

    Returns:
        Steps that would be in and are not have the role `skipped`: those that change the outside world, those that
        are left out by name, and whatever needs what these give.
    """
    inside = reachable(pipeline.downstream, starts)
    out: dict[StepId, str] = {}
    found: list[Reason] = []
    for step_id in order(pipeline):
        if step_id not in inside:
            continue
        step = pipeline.step_by_id[step_id]
        if why := _left_out(pipeline, step, out, skipped):
            out[step_id] = why
            found.append(Reason(step_id, Role.SKIPPED, (why,)))
        elif step_id in starts:
            found.append(Reason(step_id, *starts[step_id]))
        else:
            from_steps = [f"`{each}`" for each in pipeline.upstream[step_id] if each in inside and each not in out]
            found.append(Reason(step_id, Role.DOWNSTREAM, (f"downstream of {', '.join(from_steps)}",)))
    return tuple(found)


def _left_out(pipeline: Pipeline, step: Step, out: Mapping[StepId, str], skipped: Collection[StepId]) -> str:
    if step.id in skipped:
        return "left out by name"
    if step.external:
        return "it changes the world outside the registry (external)"
    needed = [source for port in step.takes for source in port.sources]
    needed += [pipeline.writer_of[port.dataset] for port in step.reads if port.dataset in pipeline.writer_of]
    missing = next((each for each in needed if each in out and each != step.id), None)
    return f"it needs what `{missing}` gives, which is not run" if missing else ""


def carve(pipeline: Pipeline, steps: Collection[StepId], bounds: Mapping[str, Bound]) -> Pipeline:
    """Return the pipeline of these steps alone, which reads main where it does not write itself.

    Args:
        pipeline: what is branched.
        steps: the branch's steps: everything downstream of some, as `reasons` says.
        bounds: where each dataset lies that the branch reads from main, or goes on from.
    """
    chosen = set(steps)
    kept = tuple(
        replace(step, after=tuple(each for each in step.after if each in chosen))
        for step in pipeline.steps
        if step.id in chosen
    )
    names = {port.dataset for step in kept for port in step.reads}
    names |= {port.dataset for step in kept for port in step.outputs}
    return replace(
        pipeline,
        steps=kept,
        datasets=tuple(replace(d, bound=bounds.get(d.name)) for d in pipeline.datasets if d.name in names),
        trigger=None,
        tests=(),
    )


def inputs(pipeline: Pipeline, steps: Collection[StepId]) -> dict[str, bool]:
    """Return the datasets that the steps need of main; True for those that they go on from, and write themselves.

    A step goes on from its own earlier output where it reads it, and where its outputs grow.
    """
    chosen = [step for step in pipeline.steps if step.id in set(steps)]
    written = {port.dataset for step in chosen for port in step.outputs}
    read = {port.dataset for step in chosen for port in step.reads}
    found = dict.fromkeys(read - written, False)
    for step in chosen:
        own = {port.dataset for port in step.outputs}
        grows = any(is_incremental(pipeline, step, port.name) for port in step.reads)
        found |= {name: True for name in own if grows or any(port.dataset == name for port in step.reads)}
    return dict(sorted(found.items()))


def is_incremental(pipeline: Pipeline, step: Step, port: str) -> bool:
    """Tell whether a port hands over only rows past its watermark."""
    read = next(each for each in step.reads if each.name == port)
    spec = pipeline.dataset_by_name[read.dataset]
    return read.rows is Rows.AUTO and spec.ingestion is Ingestion.INCREMENTAL


def prove(carved: Pipeline, root: str, storage: str) -> tuple[Diagnostic, ...]:
    """Return every write of a carved pipeline that is not below its own root, and every read of neither it nor main.

    Args:
        carved: what `carve` made.
        root: the branch's storage root, or one below it.
        storage: main's.
    """
    found: list[Diagnostic] = []
    written = {port.dataset for step in carved.steps for port in step.outputs}
    for spec in carved.datasets:
        path = spec.location.replace("\\", "/")
        if path.startswith("/") or ".." in path.split("/") or "://" in path:
            message = f"dataset `{spec.name}` lies at {spec.location}, which is not below {root}"
            found.append(Diagnostic("outside-branch", message, "write a path relative to the storage", spec.place))
        if spec.name not in written and (spec.bound is None or spec.bound.root != storage):
            where = spec.bound.root if spec.bound else "nowhere"
            message = f"dataset `{spec.name}` would be read from {where}, which is neither the branch's nor main's"
            found.append(Diagnostic("outside-branch", message, "run it with --rebase", spec.place))
    found += [
        Diagnostic("outside-branch", f"step `{step.id}` is external, and would run in a branch", "--skip", step.place)
        for step in carved.steps
        if step.external
    ]
    return tuple(found)
