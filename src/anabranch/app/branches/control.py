"""Like for like: what each dataset of a branch is compared with, and runs of main's code on the branch's inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.app.branches.outputs import fingerprint
from anabranch.app.branches.run import Code, place_of
from anabranch.app.history import standing, values_from_before
from anabranch.branch.carve import carve, inputs, prove
from anabranch.data import branching
from anabranch.model.dataset import Bound
from anabranch.model.errors import ConflictError, InvalidProject
from anabranch.model.run import RunState
from anabranch.run.params import bind_params
from anabranch.run.plan import RunPlan, new_run_id, sources_outside

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from anabranch.app.branches import Branches
    from anabranch.model.branch import Branch
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Run, StepRun
    from anabranch.ports import Reporter

LABELS = ("a", "b")
"""The controls that a branch may have; two of one code show what is noise."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a dataset is compared with. Without a root main has none; `noise` is a second run of the same code."""

    spec: DatasetSpec | None
    root: Path | None
    of: str
    why: str = ""
    noise: Path | None = None


def bases(
    branches: Branches, branch: Branch, run: Run, *, wanted: str, reporter: Reporter | None
) -> tuple[Branch, dict[str, Base]]:
    """Return what each dataset that a branch wrote is compared with, after running the controls that it takes.

    Args:
        branches: the project's.
        branch: held.
        run: the branch's run.
        wanted: auto; always, a control and its twin; or never.
        reporter: who is told of controls.
    """
    project = branches.project
    known = standing(project.runs, branch.pipeline, branch.steps)
    unlike = _unlike(branches, branch, run, known)
    newest = max((found for found, _ in known.values()), key=lambda found: found.started_at, default=None)
    labels: tuple[str, ...] = ()
    noisy = ""
    if newest is not None and wanted != "never":
        noisy = _noisy(branches, branch, newest)
        if wanted == "always":
            labels = LABELS
        elif unlike:
            labels = LABELS if noisy else LABELS[:1]
        elif noisy:
            labels = LABELS[:1]
        for label in labels:
            branch = _controlled(branches, branch, run, newest, label, reporter)
    root = Path(branch.root)
    roots = [branching.control_root(root, label) for label in labels]
    controlled = project.runs.definition(newest.id).dataset_by_name if newest is not None and labels else {}
    found: dict[str, Base] = {}
    for step in run.steps:
        for port in step.writes:
            found[port.dataset] = _base(branch, known.get(step.step), unlike, roots, controlled, port.dataset, branches)
    return branch, found


def _base(  # noqa: PLR0913, PLR0917 - all that decides it
    branch: Branch,
    known: tuple[Run, StepRun] | None,
    unlike: Mapping[StepId, str],
    roots: list[Path],
    controlled: Mapping[str, DatasetSpec],
    name: str,
    branches: Branches,
) -> Base:
    if known is None:
        return Base(None, None, "", "main has never made it")
    origin, told = known
    spec = branches.project.runs.definition(origin.id).dataset_by_name.get(name)
    why = unlike.get(told.step, "")
    use_control = bool(roots) and (bool(why) or len(roots) > 1)
    if use_control and name in controlled:
        return Base(controlled[name], roots[0], "control", why, roots[1] if len(roots) > 1 else None)
    if spec is None:
        return Base(None, None, "", "main has never made it")
    return Base(spec, Path(branch.storage), "main", why, roots[0] if roots else None)


def _unlike(
    branches: Branches, branch: Branch, run: Run, known: Mapping[StepId, tuple[Run, StepRun]]
) -> dict[StepId, str]:
    """Return the steps whose output in main is not of the inputs that the branch read, and why."""
    project = branches.project
    if branch.sample is not None:
        return dict.fromkeys(known, f"the branch sees a sample ({branch.sample})")
    pins = {pin.dataset: pin.version for pin in branch.pins}
    based = {pin.dataset for pin in branch.pins if pin.base}
    found: dict[StepId, str] = {}
    for step in run.steps:  # in order of execution, so that what is upstream is decided already
        if step.step not in known:
            continue
        origin, told = known[step.step]
        definition = project.runs.definition(origin.id)
        writers = definition.writer_of
        now = branching.versions(
            Path(branch.storage), {p.dataset: definition.dataset_by_name[p.dataset] for p in told.writes}
        )
        why = _changed_inputs(told, writers, found, pins) or _changed_outputs(told, now, based)
        if origin.params != branch.params:
            why = "main ran with other params"
        if why:
            found[step.step] = why
    return found


def _changed_inputs(
    told: StepRun, writers: Mapping[str, StepId], unlike: Mapping[StepId, str], pins: Mapping[str, str]
) -> str:
    for port in told.reads:
        if writers.get(port.dataset) in unlike:
            return f"main's `{port.dataset}` was of other inputs"
        if port.dataset in pins and pins[port.dataset] != port.version:
            return f"main has read another `{port.dataset}`"
    return ""


def _changed_outputs(told: StepRun, now: Mapping[str, str], based: Collection[str]) -> str:
    for port in told.writes:
        if now[port.dataset] != port.version:
            return f"main's `{port.dataset}` is not what its last run left"
        if port.dataset in based:
            return "it goes on from what main has, as the branch does"
    return ""


def _noisy(branches: Branches, branch: Branch, newest: Run) -> str:
    """Return why main's code may make something else each time; empty when nothing points to it."""
    project = branches.project
    prints = fingerprint(project, project.runs.definition(newest.id), branch.steps, newest.code)
    return next((why for each in prints.values() for why in (*each.random, *each.impure)), "")


def _controlled(
    branches: Branches, branch: Branch, run: Run, newest: Run, label: str, reporter: Reporter | None
) -> Branch:
    """Run main's code on what the branch is pinned to, unless that was done already.

    Raises:
        ConflictError: `control-failed`.
    """
    project = branches.project
    earlier = dict(branch.controls).get(label)
    if earlier is not None and project.runs.run(earlier).state is RunState.SUCCEEDED:
        return branch
    definition = project.runs.definition(newest.id)
    carved, root = _carved(branch, definition, project.runs.definition(run.id), label)
    branching.start(root, Path(branch.root), branch.pipeline)
    declared = {param.name for param in definition.params}
    steps = frozenset(carved.step_by_id)
    plan = RunPlan(
        new_run_id(),
        carved,
        steps,
        values_from_before(project.runs, branch.pipeline, sources_outside(carved, steps)),
        bind_params(definition, {name: value for name, value in branch.params if name in declared}),
        run.input,
        newest.code,
        trigger="control",
        namespace=branch.name,
    )
    branch = replace(branch, controls=(*((k, v) for k, v in branch.controls if k != label), (label, plan.run)))
    branches.store.save(branch)
    code = Code(carved, project.code.materialise(newest.code), newest.code)
    done = project.execute(plan, place_of(project, branch, code, root), reporter=reporter)
    if not done.ok:
        failure = next((step.failure for step in done.run.steps if step.failure), None)
        why = failure.message if failure else str(done.run.state)
        message = f"the control (main's code on the inputs of branch `{branch.name}`) failed: {why}"
        hint = f"anabranch runs show {plan.run}; or compare with main as it is: --control never"
        raise ConflictError(message, code="control-failed", hint=hint)
    return branch


def _carved(branch: Branch, definition: Pipeline, mine: Pipeline, label: str) -> tuple[Pipeline, Path]:
    """Return main's steps bound as the branch's are, and the root of the control."""
    root = branching.control_root(Path(branch.root), label)
    steps = [step for step in definition.step_by_id if step in mine.step_by_id]
    bounds = {spec.name: spec.bound for spec in mine.datasets if spec.bound is not None}
    specs = definition.dataset_by_name
    missing = [(specs[n], base) for n, base in inputs(definition, steps).items() if n not in bounds]
    bounds |= {pin.dataset: Bound(branch.storage, pin.version) for pin in branching.pin(Path(branch.storage), missing)}
    carved = carve(definition, steps, bounds)
    if problems := prove(carved, str(root), branch.storage):
        raise InvalidProject(list(problems))
    return carved, root
