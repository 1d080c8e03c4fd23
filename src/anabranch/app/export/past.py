"""A run that was, with all that was recorded of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.data.branching import control_root
from anabranch.model.branch import MAIN

if TYPE_CHECKING:
    from anabranch.app.project import Project
    from anabranch.model.pipeline import Pipeline
    from anabranch.model.run import Recorded, Run


@dataclass(frozen=True)
class Past:
    """A run, its pipeline as it started with it, its events in order, and the root of what it wrote."""

    run: Run
    pipeline: Pipeline
    events: tuple[Recorded, ...]
    storage: Path


def storage_of(project: Project, run: Run) -> Path:
    """Return the root of what a run wrote: main's, its branch's, or that of a control of the branch.

    Raises:
        NotFoundError: `no-branch`, it was dropped meanwhile.
    """
    if run.namespace == MAIN:
        return project.storage
    branch = project.branches.find(run.namespace)
    root = Path(branch.root)
    label = next((label for label, control in branch.controls if control == run.id), "")
    return control_root(root, label) if label else root
