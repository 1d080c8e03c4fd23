"""Which steps make a branch, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.app.history import last_success, succeeded_in
from anabranch.branch.carve import reasons
from anabranch.branch.locations import refusals
from anabranch.branch.names import slug
from anabranch.data.branching import root_of
from anabranch.model.branch import DAYS, Branch, BranchKind, Role
from anabranch.model.call import ShellCall
from anabranch.model.errors import InvalidProject, UsageError
from anabranch.run.plan import known_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anabranch.app.project import Project
    from anabranch.code.fingerprint import Fingerprints
    from anabranch.code.parts import Fingerprint
    from anabranch.model.branch import Reason, SampleRate
    from anabranch.model.call import Call
    from anabranch.model.pipeline import Pipeline, Step, StepId
    from anabranch.model.run import RunId
    from anabranch.store.code import CodeTree

DAY = 86400.0


def carved(  # noqa: PLR0913, PLR0917 - what makes a branch
    project: Project,
    name: str,
    pipeline: Pipeline,
    at: tuple[str, ...],
    skip: tuple[str, ...],
    kind: BranchKind,
    sample: SampleRate | None,
    now: float,
    days: float | None,
    git: str,
) -> Branch:
    """Return the branch that these make; see `Branches.create`."""
    project.demand_valid(pipeline)
    pipeline = project.locked(pipeline)
    base = last_success(project.runs, pipeline.name)
    if kind is BranchKind.SERVING:
        if base is None:
            raise _never_ran(pipeline, "to serve")
        pipeline = project.runs.definition(base.id)
        at = at or tuple(pipeline.step_by_id)
    found = steps_of(project, pipeline, at, skip)
    part = slug(name)
    ttl = (DAYS if days is None else days) * DAY
    return Branch(
        name,
        part,
        pipeline.name,
        f"{root_of(project.branch_storage, part)}/",
        str(project.storage),
        kind,
        tuple(sorted(known_steps(pipeline, at))),
        found,
        base.id if base else None,
        base.code if base and kind is BranchKind.SERVING else "",
        sample,
        skipped=tuple(sorted(known_steps(pipeline, skip))),
        created_at=now,
        expires_at=now + ttl,
        ttl=ttl,
        git=git,
    )


def _never_ran(pipeline: Pipeline, what: str) -> UsageError:
    message = f"pipeline `{pipeline.name}` has never succeeded in main, so there is nothing {what}"
    return UsageError(message, code="main-never-ran", hint=f"anabranch run {pipeline.name}, or choose steps: --at STEP")


def pipeline_of(project: Project, name: str | None, at: tuple[str, ...]) -> Pipeline:
    """Return the pipeline to carve: the one that is named, the only one with these steps, or the only one that changed.

    Raises:
        UsageError: `which-pipeline`.
    """
    if name is not None or len(project.pipelines) == 1:
        return project.pipeline(name)
    known = list(project.pipelines.values())
    if at:
        found = [each for each in known if all(any(step == wanted for step in each.step_by_id) for wanted in at)]
    else:
        ran = [each for each in known if last_success(project.runs, each.name) is not None]
        found = [each for each in ran if changed(project, each)]
        found = found or ran[:1]  # nothing has changed: a branch of no steps says so
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(each.name for each in found or known))
    what = f"has the steps {', '.join(at)}" if at else "has changed since main ran it"
    message = f"more than one pipeline {what}: {names}" if found else f"no pipeline {what}: {names}"
    raise UsageError(message, code="which-pipeline", hint=f"--pipeline {min(each.name for each in known)}")


def steps_of(project: Project, pipeline: Pipeline, at: Iterable[str], skip: Iterable[str]) -> tuple[Reason, ...]:
    """Return the steps of a branch with why each is in: the chosen ones, or those that differ from main's last run.

    Raises:
        UsageError: `unknown-step`; `main-never-ran`; `external-step`, a chosen one changes the outside world.
        InvalidProject: `literal-location`, a step cannot be branched.
    """
    chosen, skipped = known_steps(pipeline, at), known_steps(pipeline, skip)
    starts: Mapping[StepId, tuple[Role, tuple[str, ...]]]
    if chosen:
        for step in sorted(chosen):
            if pipeline.step_by_id[step].external:
                message = f"step `{step}` changes the world outside the registry, so a branch never runs it"
                raise UsageError(message, code="external-step", hint="choose another step with --at")
        starts = dict.fromkeys(chosen, (Role.CHOSEN, ("chosen with --at",)))
    else:
        starts = {step: (Role.CHANGED, why) for step, why in changed(project, pipeline).items()}
    found = reasons(pipeline, starts, skipped)
    inside = {reason.step for reason in found if reason.role is not Role.SKIPPED}
    if problems := refusals(pipeline, inside, project.shown(project.storage)):
        raise InvalidProject(list(problems))
    return found


def changed(project: Project, pipeline: Pipeline) -> dict[StepId, tuple[str, ...]]:
    """Return the steps whose fingerprint differs from that of main's last success, with what differs.

    Steps that cannot be resolved are always among them.

    Raises:
        UsageError: `main-never-ran`.
    """
    known = succeeded_in(project.runs, pipeline.name, pipeline.step_by_id)
    if not known:
        raise _never_ran(pipeline, "to tell a change from")
    code = project.code.snapshot()
    now, before = _prints(project, code), _Before(project, known, code)
    found: dict[StepId, tuple[str, ...]] = {}
    for step in pipeline.steps:
        if step.id not in known:
            found[step.id] = ("it has never succeeded in main",)
        elif why := before.differences(pipeline, step, now):
            found[step.id] = why
    return found


class _Before:
    """Fingerprints of steps as main last ran them."""

    def __init__(self, project: Project, known: Mapping[StepId, tuple[RunId, str]], code: str) -> None:
        self._project, self._known, self._code = project, known, code
        self._runs: dict[RunId, tuple[Pipeline, Fingerprints, _Moved]] = {}

    def differences(self, pipeline: Pipeline, step: Step, now: Fingerprints) -> tuple[str, ...]:
        """Return what differs in a step, and what cannot be resolved in it."""
        from anabranch.code.fingerprint import reasons

        run, code = self._known[step.id]
        if run not in self._runs:
            prints = _prints(self._project, code)
            moved = _Moved(self._project.code.tree(code), self._project.code.tree(self._code))
            self._runs[run] = (self._project.runs.definition(run), prints, moved)
        earlier, prints, moved = self._runs[run]
        before = earlier.step_by_id[step.id]
        # Most steps are as they were, to the line: then only what the model does not hold can differ.
        if before == step and earlier.params == pipeline.params and _same_datasets(earlier, pipeline, step):
            mine = now.of_call(step)
            then = mine if moved.leaves(before.call, mine) else prints.of_call(before)
        else:
            then, mine = prints.of(earlier, before), now.of(pipeline, step)
        impure = (f"it cannot be resolved, so it may have changed: {each}" for each in mine.impure)
        return (*reasons(then, mine), *impure)


class _Moved:
    """What moved between two snapshots, to tell commands that none of it touches."""

    def __init__(self, then: CodeTree, now: CodeTree) -> None:
        self._differing = then.differing(now)
        self._same_names = set(then.names()) == set(now.names())

    def leaves(self, call: Call, mine: Fingerprint) -> bool:
        """Return whether a command comes to the same in both snapshots, by the files that it reads of the new one."""
        if not (isinstance(call, ShellCall) and self._same_names):
            return False
        reads = [name.partition(" ") for name, _ in mine.parts if name != "call"]
        return all(kind == "file" and file not in self._differing for kind, _, file in reads)


def _prints(project: Project, code: str) -> Fingerprints:
    from anabranch.code.fingerprint import Fingerprints

    tree = project.code.tree(code)
    return Fingerprints(tree, tree.libraries())


def _same_datasets(earlier: Pipeline, pipeline: Pipeline, step: Step) -> bool:
    then, now = earlier.dataset_by_name, pipeline.dataset_by_name
    names = [port.dataset for port in step.reads] + [port.dataset for port in step.outputs]
    return all(then.get(name) == now.get(name) for name in names)
