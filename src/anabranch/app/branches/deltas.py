"""The deltas of a branch: every dataset that it wrote, beside main's of the same inputs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.app.branches.control import Base, bases
from anabranch.app.branches.look import stale
from anabranch.app.branches.outputs import looked_at, written
from anabranch.data import branching, sides
from anabranch.model.delta import Basis, DatasetDelta, Report, StepTold, Verdict
from anabranch.model.errors import ConflictError
from anabranch.model.run import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.app.branches import Branches
    from anabranch.model.branch import Branch
    from anabranch.model.dataset import DatasetSpec
    from anabranch.ports import Reporter


@dataclass(frozen=True)
class Asked:
    """How deltas are wanted.

    Attributes:
        control: auto, always or never.
        tolerance: how far numbers may differ, by `column` or `dataset.column`.
        sets: list columns whose order means nothing, by `column` or `dataset.column`.
        samples: examples of each kind.
        profile: look at every column, however large the table.
    """

    control: str = "auto"
    tolerance: Mapping[str, float] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    samples: int = 5
    profile: bool = False

    def tolerances(self, dataset: str) -> dict[str, float]:
        """Return those of one dataset, by column."""
        return {
            name.rpartition(".")[2]: value
            for name, value in self.tolerance.items()
            if name.rpartition(".")[0] in {"", dataset}
        }

    def sets_of(self, dataset: str) -> tuple[str, ...]:
        """Return those of one dataset."""
        return tuple(n.rpartition(".")[2] for n in self.sets if n.rpartition(".")[0] in {"", dataset})


def report(branches: Branches, branch: Branch, asked: Asked, reporter: Reporter | None) -> Report:
    """Compare a branch that is held; see `Branches.deltas`."""
    project = branches.project
    if branch.run is None and not branch.steps:
        note = "nothing ran, so there is nothing to compare"
        return Report(branch.name, branch.pipeline, "", branch.base or "", time.time(), (), notes=(note,))
    if branch.run is None:
        message = f"branch `{branch.name}` has never run, so there is nothing to compare"
        raise ConflictError(message, code="branch-not-run", hint=f"anabranch branch run {branch.name}")
    run = project.runs.run(branch.run)
    branch, found = bases(branches, branch, run, wanted=asked.control, reporter=reporter)
    specs = written(branches, branch, run)
    root = Path(branch.root)
    deltas = tuple(
        replace(_delta(root, spec, found[name], asked), contract=_contract(spec)) for name, spec in specs.items()
    )
    notes = []
    if run.state is not RunState.SUCCEEDED:
        notes.append(f"run {run.id} of the branch has {run.state}: only what it wrote is compared")
    failures = [(step.step, step.failure) for step in run.steps if step.failure is not None]
    notes += [f"step `{step}` failed: {failure.message}" for step, failure in failures if failure.kind != "contract"]
    breaches = tuple(f"step `{step}`: {failure.message}" for step, failure in failures if failure.kind == "contract")
    branch = branches.used(replace(branch, looked=looked_at(branch, specs)))
    branches.store.save(branch)
    return Report(
        branch.name,
        branch.pipeline,
        run.id,
        branch.base or "",
        time.time(),
        deltas,
        tuple(Basis(name, base.of, base.why) for name, base in found.items() if name in specs),
        stale(branches, branch),
        tuple(pin.dataset for pin in branch.pins if not pin.version),
        _steps(branches, branch),
        str(branch.sample or ""),
        tuple((each.dataset, each.how) for each in branch.sampled),
        breaches,
        tuple(notes),
    )


def _delta(root: Path, spec: DatasetSpec, base: Base, asked: Asked) -> DatasetDelta:
    if base.root is None or base.spec is None:
        return _new(root, spec)
    before = branching.versions(base.root, {spec.name: base.spec})[spec.name]
    after = branching.versions(root, {spec.name: spec})[spec.name]
    if not before:
        return _new(root, spec)
    same_form = replace(base.spec, bound=None) == replace(spec, bound=None)
    if before == after and same_form:
        rows = branching.count_rows(root, spec)
        return DatasetDelta(spec.name, Verdict.IDENTICAL, spec.primary_key, rows, rows, rows)
    delta = _compared((base.root, base.spec), (root, spec), asked)
    if base.noise is not None and delta.differs:
        from anabranch.deltas.noise import with_noise

        delta = with_noise(delta, _compared((base.root, base.spec), (base.noise, base.spec), asked))
    if base.spec.format is not spec.format:
        note = f"main's is {base.spec.format}, the branch's {spec.format}: rows are compared, not files"
        delta = replace(delta, notes=(*delta.notes, note))
    return delta


def _compared(before: tuple[Path, DatasetSpec], after: tuple[Path, DatasetSpec], asked: Asked) -> DatasetDelta:
    """Compare two datasets in a database of their own.

    Raises:
        StepError: `unreadable-input`, or the storage has vanished in the middle.
    """
    from anabranch.deltas.compare import Options, compare
    from anabranch.deltas.engines.duckdb import DuckdbEngine

    spec = after[1]
    sensitive = {column.name for each in (before[1], spec) for column in each.columns if column.sensitive}
    tolerance = {name: value for name, value in asked.tolerances(spec.name).items() if _has(spec, name)}
    options = Options(
        spec.primary_key, sensitive, tolerance, asked.sets_of(spec.name), asked.samples, profile=asked.profile
    )
    with sides.database(branching.scratch(after[0])) as db, sides.telling(db, before, after):
        sides.show(db, sides.BEFORE, *before)
        sides.show(db, sides.AFTER, *after)
        return compare(DuckdbEngine(db), sides.BEFORE, sides.AFTER, spec.name, options)


def _contract(spec: DatasetSpec) -> str:
    """Return what a dataset's rows were held against when they were published."""
    parts = [f"{len(spec.columns):,} column{'s' * (len(spec.columns) != 1)}"] if spec.columns else []
    parts += [f"key ({', '.join(spec.primary_key)})"] if spec.primary_key else []
    return f"kept: {', '.join(parts)}" if parts else ""


def _has(spec: DatasetSpec, name: str) -> bool:
    return not spec.columns or spec.column(name) is not None


def _new(root: Path, spec: DatasetSpec) -> DatasetDelta:
    rows = branching.count_rows(root, spec)
    notes = ("main has no such dataset",)
    return DatasetDelta(spec.name, Verdict.ADDED, spec.primary_key, 0, rows, added=rows, notes=notes)


def _steps(branches: Branches, branch: Branch) -> tuple[StepTold, ...]:
    """Return every step of the pipeline as it stands in the branch, for the report's graph."""
    known = {reason.step: reason for reason in branch.reasons}
    pipeline = branches.project.pipeline(branch.pipeline)
    found: list[StepTold] = []
    for step in pipeline.steps:
        reason = known.get(step.id)
        role = reason.role.value if reason else "reused"
        why = reason.why if reason else ()
        reads, writes = tuple(p.dataset for p in step.reads), tuple(p.dataset for p in step.outputs)
        found.append(StepTold(step.id, role, why, reads, writes))
    return tuple(found)
