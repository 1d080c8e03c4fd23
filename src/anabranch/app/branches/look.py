"""How a branch stands: whether main has moved on, and how its code differs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.app.branches.run import code_of
from anabranch.data import branching

if TYPE_CHECKING:
    from anabranch.app.branches import Branches
    from anabranch.model.branch import Branch


@dataclass(frozen=True, slots=True)
class Look:
    """What `branch show` tells. `total` is the pipeline's count of steps; `diff` is from main's run to the branch."""

    branch: Branch
    stale: tuple[str, ...]
    diff: str
    total: int
    state: str


def look(branches: Branches, branch: Branch) -> Look:
    """Look at a branch."""
    project = branches.project
    diff = ""
    if branch.base is not None:
        now = project.runs.run(branch.run).code if branch.run else branch.code or project.code.snapshot()
        diff = project.code.diff(project.runs.run(branch.base).code, now)
    state = project.runs.run(branch.run).state.value if branch.run else ""
    total = len(project.pipeline(branch.pipeline).steps)
    return Look(branch, stale(branches, branch), diff, total, state)


def stale(branches: Branches, branch: Branch) -> tuple[str, ...]:
    """Return the pinned datasets of main that are not what they were; not what the branch goes on from."""
    pins = {pin.dataset: pin.version for pin in branch.pins if pin.version and not pin.base}
    specs = {**code_of(branches.project, branch).pipeline.dataset_by_name}
    now = branching.versions(Path(branch.storage), {name: specs[name] for name in pins if name in specs})
    return tuple(name for name, version in pins.items() if now.get(name, "") != version)
