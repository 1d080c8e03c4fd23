"""Runs of a branch: pin what it reads of main, carve, prove, execute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.app.branches.create import steps_of
from anabranch.app.execute import Place
from anabranch.app.history import last_success, values_from_before
from anabranch.app.retry import plan_retry
from anabranch.branch.carve import carve, inputs, prove
from anabranch.branch.sampling import plan as plan_sample
from anabranch.data import branching
from anabranch.data.branching import Mark
from anabranch.model.branch import BranchKind, Pin
from anabranch.model.dataset import Bound
from anabranch.model.errors import ConflictError, InvalidProject
from anabranch.model.run import RunState
from anabranch.run.params import bind_params
from anabranch.run.plan import RunPlan, need_input, new_run_id, sources_outside

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from anabranch.app.branches import Branches
    from anabranch.app.execute import RunResult
    from anabranch.app.project import Project
    from anabranch.app.retry import Again, Retry
    from anabranch.model.branch import Branch
    from anabranch.model.dataset import DatasetSpec, Sample
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Run
    from anabranch.ports import Reporter


@dataclass(frozen=True)
class Code:
    """What a branch runs: a pipeline, and the folder and digest of its code (no digest: as the project is now)."""

    pipeline: Pipeline
    folder: Path
    digest: str = ""


def run(
    branches: Branches,
    branch: Branch,
    *,
    rebase: bool,
    params: Mapping[str, object] | None,
    jobs: int | None,
    reporter: Reporter | None,
) -> RunResult | None:
    """Run a branch that is held; see `Branches.run`."""
    project = branches.project
    code = code_of(project, branch)
    fresh = replace(branch, reasons=steps_of(project, code.pipeline, branch.at, branch.skipped))
    if branch.kind is BranchKind.SERVING:
        fresh = branch
    if rebase:
        fresh = replace(fresh, pins=(), controls=(), looked="", sampled=(), run=None)
        if code.digest:
            base = last_success(project.runs, branch.pipeline)
            fresh = replace(fresh, code=base.code if base else "", base=base.id if base else None)
            code = code_of(project, fresh)
    if not fresh.steps:
        branches.store.save(branches.used(replace(fresh, run=None, looked="")))  # what it wrote before is of other code
        return None
    event = base_run.input if (base_run := last_success(project.runs, branch.pipeline)) else None
    need_input(code.pipeline, fresh.steps, event)
    fresh = pinned(branches, fresh, code.pipeline)
    carved = carved_with(fresh, code.pipeline, fresh.steps, branches.root(fresh))
    given = dict(fresh.params) | dict(params or {})
    if not fresh.params and base_run is not None:
        declared = {param.name for param in code.pipeline.params}
        given = {name: value for name, value in base_run.params if name in declared} | given
    plan = RunPlan(
        new_run_id(),
        carved,
        frozenset(fresh.steps),
        values_from_before(project.runs, branch.pipeline, sources_outside(carved, fresh.steps)),
        bind_params(code.pipeline, given),
        event,
        code.digest,
        trigger="branch",
        namespace=branch.name,
    )
    fresh = branches.used(replace(fresh, params=plan.params, run=plan.run, looked=""))
    branches.store.save(fresh)
    mark(branches, fresh)
    branching.start(branches.root(fresh), branches.root(fresh), branch.pipeline)
    place = place_of(project, fresh, code, branches.root(fresh))
    return project.execute(plan, place, jobs=jobs, reporter=reporter)


def retry(  # noqa: PLR0913 - one keyword for each option of the verb
    branches: Branches,
    branch: Branch,
    earlier: Run,
    asked: Again,
    *,
    same: bool,
    jobs: int | None,
    reporter: Reporter | None,
) -> RunResult:
    """Finish a run of a branch that is held; raises as `planned_retry`."""
    project = branches.project
    plan, code = planned_retry(branches, branch, earlier, asked, same=same)
    branches.store.save(branches.used(replace(branch, run=plan.plan.run, looked="")))
    place = place_of(project, branch, code, branches.root(branch))
    return project.execute(plan.plan, place, jobs=jobs, reporter=reporter)


def planned_retry(branches: Branches, branch: Branch, earlier: Run, asked: Again, *, same: bool) -> tuple[Retry, Code]:
    """Return how a run of a branch would be finished, and the code of that.

    Raises:
        ConflictError: `not-newest`, the branch has run again since, or this was a control.
    """
    project, root = branches.project, branches.root(branch)
    if earlier.id != branch.run:
        message = f"run {earlier.id} is not the newest of branch `{branch.name}`"
        raise ConflictError(message, code="not-newest", hint=f"anabranch branch run {branch.name}")
    if same:
        folder = project.code.materialise(earlier.code)
        code = Code(project.runs.definition(earlier.id), folder, earlier.code)
        carved = code.pipeline
    else:
        code = code_of(project, branch)
        carved = carved_with(branch, code.pipeline, branch.steps, root)
    return plan_retry(project.runs, earlier, carved, asked, root, same=same or bool(code.digest)), code


def code_of(project: Project, branch: Branch) -> Code:
    """Return the code that a branch runs: the project's as it is, or for `serving` the one that was pinned."""
    if branch.kind is BranchKind.SERVING and branch.base is not None:
        folder = project.code.materialise(branch.code)
        return Code(project.runs.definition(branch.base), folder, branch.code)
    pipeline = project.pipeline(branch.pipeline)
    project.demand_valid(pipeline)
    return Code(project.locked(pipeline), project.root)


def place_of(project: Project, branch: Branch, code: Code, root: Path) -> Place:
    """Return where a branch's run happens: it writes below its root, and nowhere in main's storage."""
    return Place(code.folder, root, project.folder, project.runs, project.root, Path(branch.storage))


def pinned(branches: Branches, branch: Branch, pipeline: Pipeline) -> Branch:
    """Return the branch with a pin on every dataset of main that it needs, and how each is sampled.

    The first time, its watermarks become main's too. What is pinned stays; what is new is pinned as it is now.

    Raises:
        StepError: `missing-input`, `main-unfinished`.
    """
    storage, root = Path(branch.storage), branches.root(branch)
    known = {pin.dataset: pin for pin in branch.pins}
    specs = pipeline.dataset_by_name
    needed = inputs(pipeline, branch.steps)
    missing = [(specs[name], base) for name, base in needed.items() if name not in known]
    pins = (*branch.pins, *branching.pin(storage, missing))
    branch = replace(branch, pins=tuple(sorted(pins, key=lambda pin: pin.dataset)))
    if not known:
        mark(branches, branch)
        branching.clear(root, keep={branching.MARK})
        branching.pin_marks(storage, root, pipeline.name)
    if branch.sample is not None:
        told = plan_sample(*sampled_tables(branch, pipeline, branch.pins), branch.sample).told
        branch = replace(branch, sampled=told)
    return branch


def sampled_tables(
    branch: Branch, pipeline: Pipeline, pins: Collection[Pin]
) -> tuple[dict[str, DatasetSpec], dict[str, int]]:
    """Return the inputs that may be sampled, bound to main, and how many rows each has."""
    storage = Path(branch.storage)
    bound = {
        pin.dataset: replace(pipeline.dataset_by_name[pin.dataset], bound=Bound(branch.storage, pin.version))
        for pin in pins
        if not pin.base and pin.dataset in pipeline.dataset_by_name
    }
    return bound, {name: branching.count_rows(storage, replace(spec, bound=None)) for name, spec in bound.items()}


def carved_with(branch: Branch, pipeline: Pipeline, steps: Collection[StepId], root: Path) -> Pipeline:
    """Return the pipeline of a branch, bound to its pins and its sample, and proven to stay below a root.

    Raises:
        InvalidProject: `outside-branch`.
    """
    rules: Mapping[str, Sample] = {}
    if branch.sample is not None:
        rules = plan_sample(*sampled_tables(branch, pipeline, branch.pins), branch.sample).rules
    needed = inputs(pipeline, steps)
    bounds = {
        pin.dataset: Bound(branch.storage, pin.version, rules.get(pin.dataset))
        for pin in branch.pins
        if pin.dataset in needed
    }
    carved = carve(pipeline, steps, bounds)
    if problems := prove(carved, str(root), branch.storage):
        raise InvalidProject(list(problems))
    return carved


def mark(branches: Branches, branch: Branch) -> None:
    """Say in the storage whose the branch's root is."""
    project = branches.project
    told = Mark(project.name, branch.name, branch.pipeline, project.id, branch.expires_at)
    branching.write_mark(branches.root(branch), told)


def alive(branches: Branches, branch: Branch) -> bool:
    """Tell whether a run of the branch goes on."""
    runs = branches.project.runs.newest(branch.pipeline, branch.name, 5)
    return any(each.state is RunState.RUNNING for each in runs)
