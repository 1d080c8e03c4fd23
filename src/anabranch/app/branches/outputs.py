"""What a branch has made, and the code that made it, told by digests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.data import branching

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.app.branches import Branches
    from anabranch.app.project import Project
    from anabranch.code.parts import Fingerprint
    from anabranch.model.branch import Branch
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Run


def written(branches: Branches, branch: Branch, run: Run) -> dict[str, DatasetSpec]:
    """Return the datasets that a run of the branch has written below its root, in the order of its steps."""
    specs = branches.project.runs.definition(run.id).dataset_by_name
    names = [port.dataset for step in run.steps if step.state.ok for port in step.writes]
    own = {name: replace(specs[name], bound=None) for name in names if name in specs}
    there = branching.versions(Path(branch.root), own)
    return {name: spec for name, spec in own.items() if there[name]}


def looked_at(branch: Branch, specs: dict[str, DatasetSpec]) -> str:
    """Return the digest of the outputs, main's and the branch's, as they are now."""
    main, own = (branching.versions(Path(root), specs) for root in (branch.storage, branch.root))
    body = json.dumps([branch.run, sorted(main.items()), sorted(own.items())])
    return hashlib.sha256(body.encode()).hexdigest()


def fingerprint(
    project: Project, pipeline: Pipeline, steps: Iterable[StepId], code: str = ""
) -> dict[StepId, Fingerprint]:
    """Return the fingerprints of steps, in the code of a snapshot or as it is now."""
    from anabranch.code.fingerprint import Fingerprints

    tree = project.code.tree(code or project.code.snapshot())
    prints = Fingerprints(tree, tree.libraries())
    known = pipeline.step_by_id
    return {step: prints.of(pipeline, known[step]) for step in steps if step in known}
