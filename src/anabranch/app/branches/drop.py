"""Nothing left: drop a branch, and collect those whose time is over and what crashed ones left behind."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.app.branches import reports
from anabranch.data import branching
from anabranch.model.errors import AnabranchError, ConflictError
from anabranch.model.run import RunState

if TYPE_CHECKING:
    from anabranch.app.branches import Branches
    from anabranch.model.branch import Branch

PATIENCE = 15.0
"""Seconds that a run which is told to stop may take."""


@dataclass(frozen=True, slots=True)
class Collected:
    """One thing that `gc` looked at. `left` says what could not be deleted, or why it was left alone."""

    name: str
    root: str
    why: str
    deleted: int = 0
    left: str = ""


def drop(branches: Branches, branch: Branch, *, force: bool) -> tuple[str, ...]:
    """Delete all that a branch owns; see `Branches.drop`."""
    project, lock = branches.project, branches.lock(branch)
    if not lock.try_acquire(branch.name):
        if not force:
            message = f"branch `{branch.name}` is in use: a run of it, or another verb, goes on"
            raise ConflictError(message, code="branch-busy", hint="wait for it, or stop it and drop all: --force")
        _stop(branches, branch)
        if not _acquired(branches, branch):
            message = f"branch `{branch.name}` is still in use {PATIENCE:g} s after its runs were told to stop"
            raise ConflictError(message, code="branch-busy", hint="anabranch runs list")
        lock = branches.lock(branch)
        lock.try_acquire(branch.name)
    try:
        branch = replace(branches.find(branch.name), dropping=True)
        branches.store.save(branch)
        project.withdraw(branch, force=force)  # first: what is still deployed could still write
        root = branches.root(branch)
        owned = branching.owned(root)
        if left := branching.delete(root):
            shown = ", ".join(name for name in left[:3] if name != ".") or str(root)
            message = f"branch `{branch.name}` is not gone: {len(left)} things remain below {root}, such as {shown}"
            raise ConflictError(message, code="not-dropped", hint="mend what keeps them, then drop it again")
        project.runs.forget(branch.name)
        reports.forget(branches, branch)
        branches.store.delete(branch.name)
    finally:
        lock.release()
    forget_locks(branches, branch)
    return owned


def forget_locks(branches: Branches, branch: Branch) -> None:
    """Delete the lock files of a branch, which nobody needs any more."""
    from anabranch.store.locks import PipelineLock

    branches.lock(branch).path.unlink(missing_ok=True)
    PipelineLock(branches.project.folder / "locks", branch.pipeline, branch.name, run="").forget()


def _acquired(branches: Branches, branch: Branch) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not branches.lock(branch).held():
            return True
        time.sleep(0.1)
    return False


def _stop(branches: Branches, branch: Branch) -> None:
    runs = branches.project.runs
    for run in runs.newest(branch.pipeline, branch.name, 10):
        if run.state is RunState.RUNNING:
            runs.cancel(run.id)


def collect(branches: Branches, now: float, *, dry: bool) -> tuple[Collected, ...]:
    """Drop what is over; see `Branches.gc`."""
    project = branches.project
    found: list[Collected] = []
    records = {branch.root.rstrip("/"): branch for branch in branches.all()}
    for branch in records.values():
        why = "its drop was cut off" if branch.dropping else "its time is over" if branch.expires_at <= now else ""
        if why:
            found.append(_dropped(branches, branch, why, dry=dry))
    for root, mark in branching.roots(project.branch_storage).items():
        if str(root) in records:
            continue
        if mark is None:
            found.append(Collected("", str(root), "nobody has marked it", left="look at it, and delete it by hand"))
        elif mark.store != project.id and mark.expires_at > now:
            continue  # another checkout's, and alive
        elif mark.store != project.id:
            left = "it belongs to another checkout: collect it there, or delete it by hand"
            found.append(Collected(mark.branch, str(root), "its time is over", left=left))
        else:
            owned = branching.owned(root)
            remains = () if dry else branching.delete(root)
            found.append(Collected(mark.branch, str(root), "its record is gone", len(owned), ", ".join(remains[:3])))
    return tuple(found)


def _dropped(branches: Branches, branch: Branch, why: str, *, dry: bool) -> Collected:
    if dry:
        return Collected(branch.name, branch.root, why, len(branching.owned(Path(branch.root))))
    try:
        return Collected(branch.name, branch.root, why, len(drop(branches, branch, force=False)))
    except (AnabranchError, OSError) as error:  # one that cannot be dropped does not keep the others
        return Collected(branch.name, branch.root, why, left=str(error).partition("\n")[0])
