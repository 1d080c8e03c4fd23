"""Promote a branch: main takes its outputs without a rerun, if nothing has changed since its deltas were looked at."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.app.branches.create import steps_of
from anabranch.app.branches.outputs import fingerprint, looked_at, written
from anabranch.app.history import standing
from anabranch.data import branching, journal, promotion
from anabranch.data.promotion import Both
from anabranch.model.branch import MAIN, Promotion, Role
from anabranch.model.errors import ConflictError, UsageError
from anabranch.model.run import RunEnded, RunStarted, RunState, StepSucceeded
from anabranch.run.plan import new_run_id
from anabranch.store.locks import PipelineLock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.app.branches import Branches
    from anabranch.code.parts import Fingerprint
    from anabranch.model.branch import Branch
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Event, Run, RunId


def promote(branches: Branches, branch: Branch) -> Branch:
    """Take the outputs of a branch that is held into main; see `Branches.promote`."""
    project = branches.project
    run = _succeeded(branches, branch)
    carved = project.runs.definition(run.id)
    both = Both(Path(branch.storage), Path(branch.root))
    lock = PipelineLock(project.folder / "locks", branch.pipeline, MAIN, run=f"promote {branch.name}")
    with lock:
        branch = settled(branches, branch, both)
        if branch.promotion is not None and branch.promotion.done and not branch.promotion.undone:
            raise _promoted(branch)
        specs = written(branches, branch, run)
        if problems := obstacles(branches, branch, run, carved, specs):
            starts = [reason.step for reason in branch.reasons if reason.role is not Role.DOWNSTREAM]
            rerun = " ".join(f"--from {step}" for step in starts if step in branch.steps)
            lines = "\n".join(f"  {each}" for each in problems)
            message = f"main is not what branch `{branch.name}` was compared with; it keeps its own data:\n{lines}"
            hint = f"run the merged code instead: anabranch run {branch.pipeline} {rerun}; or branch run --rebase"
            raise ConflictError(message, code="promote-conflict", hint=hint)
        before = branching.versions(both.storage, specs)
        intent = Promotion(time.time(), new_run_id(), tuple((name, before[name], "") for name in specs))
        branch = replace(branch, promotion=intent)
        branches.store.save(branch)
        promotion.promote(both, carved, f"promote.{intent.run}", specs.values())
        return _finished(branches, branch, run, carved, specs)


@dataclass(frozen=True)
class Preview:
    """A promotion to be: each dataset's version in main and in the branch, and what stands in its way."""

    datasets: tuple[tuple[str, str, str], ...]
    obstacles: tuple[str, ...]


def preview(branches: Branches, branch: Branch) -> Preview:
    """Look at what a promotion would do; see `Branches.preview_promote`."""
    run = _succeeded(branches, branch)
    if branch.promotion is not None and branch.promotion.done and not branch.promotion.undone:
        raise _promoted(branch)
    carved = branches.project.runs.definition(run.id)
    specs = written(branches, branch, run)
    before, after = (branching.versions(Path(root), specs) for root in (branch.storage, branch.root))
    changes = tuple((name, before[name], after[name]) for name in specs)
    return Preview(changes, obstacles(branches, branch, run, carved, specs))


def _promoted(branch: Branch) -> ConflictError:
    message = f"branch `{branch.name}` is promoted already"
    return ConflictError(message, code="promoted", hint=f"anabranch branch promote {branch.name} --undo")


def settled(branches: Branches, branch: Branch, both: Both) -> Branch:
    """Return the branch after a promotion that was cut off has been finished, or found not to have happened."""
    intent = branch.promotion
    if intent is None or intent.done:
        return branch
    journal.settle(both.storage)
    run = branches.project.runs.run(branch.run) if branch.run else None
    carved = branches.project.runs.definition(run.id) if run else None
    if run is not None and carved is not None:
        specs = written(branches, branch, run)
        now = branching.versions(both.storage, specs)
        if any(now[name] != before for name, before, _ in intent.datasets):
            return _finished(branches, branch, run, carved, specs)
    branch = replace(branch, promotion=None)
    branches.store.save(branch)
    return branch


def _finished(branches: Branches, branch: Branch, run: Run, carved: Pipeline, specs: dict[str, DatasetSpec]) -> Branch:
    """Tell it in main's history and in the branch's record."""
    intent = branch.promotion
    assert intent is not None  # noqa: S101 - both callers have set it
    now = branching.versions(Path(branch.storage), specs)
    datasets = tuple((name, before, now[name]) for name, before, _ in intent.datasets)
    project = branches.project
    events: list[Event] = []
    for step in run.steps:
        if step.state.ok and step.step in carved.step_by_id:
            writes = tuple(replace(port, version=now.get(port.dataset, port.version)) for port in step.writes)
            events.append(
                StepSucceeded(step.step, step.attempts, step.seconds, step.reads, writes, step.value, step.parts)
            )
    pipeline = project.pipeline(branch.pipeline)
    _record(branches, intent.run, pipeline, f"promote {branch.name}", run, project.code.snapshot(), events)
    done = replace(intent, datasets=datasets, done=True)
    branch = branches.used(replace(branch, promotion=done))
    branches.store.save(branch)
    return branch


def _record(  # noqa: PLR0913, PLR0917 - a run's parts
    branches: Branches, run: RunId, pipeline: Pipeline, trigger: str, of: Run, code: str, events: Iterable[Event]
) -> None:
    store = branches.project.runs
    told = list(events)
    steps = tuple(event.step for event in told if isinstance(event, StepSucceeded))
    started = RunStarted(pipeline.name, steps, MAIN, of.params, of.input, code, trigger=trigger)
    store.begin(run, pipeline, started)
    store.append(run, [*told, RunEnded(RunState.SUCCEEDED)])


def _succeeded(branches: Branches, branch: Branch) -> Run:
    hint = f"anabranch branch run {branch.name}"
    if branch.sample is not None:
        message = f"branch `{branch.name}` saw a sample ({branch.sample}) of main's data, so its outputs are no one's"
        raise UsageError(message, code="sampled-branch", hint=f"anabranch run {branch.pipeline}")
    if branch.run is None and not branch.steps:
        message = f"no step of branch `{branch.name}` differs from main, so there is nothing to promote"
        raise ConflictError(message, code="nothing-to-promote", hint=f"anabranch branch drop {branch.name}")
    if branch.run is None:
        raise ConflictError(f"branch `{branch.name}` has never run", code="branch-not-run", hint=hint)
    run = branches.project.runs.run(branch.run)
    if run.state is not RunState.SUCCEEDED:
        message = f"the last run of branch `{branch.name}`, {run.id}, has {run.state}"
        raise ConflictError(message, code="run-not-succeeded", hint=hint)
    return run


def obstacles(
    branches: Branches, branch: Branch, run: Run, carved: Pipeline, specs: dict[str, DatasetSpec]
) -> tuple[str, ...]:
    """Return what differs from what the branch ran with and was compared with: code, inputs, outputs."""
    project = branches.project
    pipeline = project.pipeline(branch.pipeline)
    project.demand_valid(pipeline)
    found: list[str] = []
    if not branch.looked:
        found.append(f"nobody has looked at its deltas since it ran: anabranch branch deltas {branch.name}")
    elif branch.looked != looked_at(branch, specs):
        found.append("outputs: main's, or the branch's, are not those that `deltas` showed")
    now = fingerprint(project, pipeline, branch.steps)
    then = fingerprint(project, project.runs.definition(run.id), branch.steps, run.code)
    found += [f"code: step `{step}`, {why}" for step, why in _code_differences(branch.steps, then, now)]
    if branch.at:
        closure = steps_of(project, pipeline, branch.at, branch.skipped)
        missing = {reason.step for reason in closure if reason.role is not Role.SKIPPED} - set(branch.steps)
        found += [f"code: step `{step}` is downstream now, and did not run in the branch" for step in sorted(missing)]
    pins = {pin.dataset: pin for pin in branch.pins if not pin.base}
    known = {name: spec for name, spec in carved.dataset_by_name.items() if name in pins}
    moved = branching.versions(Path(branch.storage), known)
    found += [
        f"input `{name}`: main's is not what the branch read" for name in pins if moved.get(name) != pins[name].version
    ]
    return tuple(found)


def _code_differences(
    steps: Iterable[StepId], then: dict[StepId, Fingerprint], now: dict[StepId, Fingerprint]
) -> Iterable[tuple[StepId, str]]:
    from anabranch.code.fingerprint import reasons

    for step in steps:
        if step not in now:
            yield step, "is not in the pipeline any more"
        else:
            for why in reasons(then[step], now[step]):
                yield step, why


def undo(branches: Branches, branch: Branch) -> Branch:
    """Take a promotion back; see `Branches.undo`."""
    project = branches.project
    both = Both(Path(branch.storage), Path(branch.root))
    with PipelineLock(project.folder / "locks", branch.pipeline, MAIN, run=f"undo {branch.name}"):
        branch = settled(branches, branch, both)
        last = branch.promotion
        if last is None or last.undone or not promotion.undoable(both):
            message = f"branch `{branch.name}` has no promotion that can be taken back"
            raise ConflictError(message, code="not-promoted", hint=f"anabranch branch show {branch.name}")
        pipeline = project.runs.definition(last.run)
        specs = {name: pipeline.dataset_by_name[name] for name, _, _ in last.datasets}
        now = branching.versions(both.storage, specs)
        moved = [name for name, _, after in last.datasets if now[name] != after]
        if moved:
            message = f"main's {', '.join(f'`{name}`' for name in moved)} changed again since it was promoted"
            hint = f"run main as you want it: anabranch run {branch.pipeline}"
            raise ConflictError(message, code="promote-conflict", hint=hint)
        run = new_run_id()
        promotion.undo(both, pipeline, f"undo.{run}", specs.values())
        _record_undo(branches, branch, run, last)
        branch = replace(branch, promotion=replace(last, undone=True), looked="")
        branches.store.save(branch)
        return branch


def _record_undo(branches: Branches, branch: Branch, run: RunId, last: Promotion) -> None:
    """Tell in main's history that its steps stand as they did before the promotion."""
    project = branches.project
    promoted = project.runs.run(last.run)
    before = standing(project.runs, branch.pipeline, promoted.step_by_id, without=last.run)
    if not before:
        return
    of = max((found for found, _ in before.values()), key=lambda found: found.started_at)
    now = branching.versions(Path(branch.storage), project.runs.definition(of.id).dataset_by_name)
    events = [
        StepSucceeded(
            step,
            told.attempts,
            told.seconds,
            told.reads,
            tuple(replace(port, version=now.get(port.dataset, port.version)) for port in told.writes),
            told.value,
            told.parts,
        )
        for step, (_, told) in before.items()
    ]
    _record(branches, run, project.runs.definition(of.id), f"undo promote {branch.name}", of, of.code, events)
