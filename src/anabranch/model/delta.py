"""Deltas: how a dataset in a branch differs from the same dataset in main, counted and told by example."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a delta comes to, from nothing to everything."""

    IDENTICAL = "identical"
    """The same bytes, or the same snapshot: nothing was read."""
    EQUAL = "equal"
    """The same rows, in other files or another order."""
    NOISE = "noise"
    """It differs only as two runs of main's code on the same inputs do."""
    SCHEMA = "schema"
    """The same values, under other columns or types."""
    CHANGED = "changed"
    """Rows were added, removed or changed."""
    UNKNOWN = "unknown"
    """Something could not be compared, and nothing else differs as far as that can be seen."""
    ADDED = "added"
    """Main has no such dataset."""


class Status(StrEnum):
    """How one column differs."""

    KEY = "key"
    SAME = "same"
    CHANGED = "changed"
    NOISE = "noise"
    UNKNOWN = "unknown"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Profile:
    """A column in numbers. `distinct` is an estimate; values are text, and left out for sensitive columns."""

    nulls: int
    distinct: int | None = None
    min: str | None = None
    max: str | None = None
    mean: float | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Rows whose value lies from `low` up to the next bucket: how many in main, how many in the branch."""

    low: float
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One changed value and the key of its row, as text; None is null."""

    key: tuple[tuple[str, str | None], ...]
    before: str | None
    after: str | None


Row = tuple[tuple[str, str | None], ...]
"""A row for people: names and values as text."""


@dataclass(frozen=True, slots=True)
class ColumnDelta:
    """How one column differs.

    Attributes:
        name: the column.
        before: its type in main; empty when it is not there.
        after: its type in the branch; empty when it is not there.
        status: how it differs.
        changed: cells that differ, of rows that both sides have; None where nobody counted.
        compared_as: the common type, where the two differ.
        tolerance: how far numbers may differ and count as equal.
        why: why it could not be compared.
        profile_before: main's side; None where it was not looked at.
        profile_after: the branch's side.
        histogram: both sides by value.
        examples: some of the changed cells.
    """

    name: str
    before: str = ""
    after: str = ""
    status: Status = Status.SAME
    changed: int | None = 0
    compared_as: str = ""
    tolerance: float = 0.0
    why: str = ""
    profile_before: Profile | None = None
    profile_after: Profile | None = None
    histogram: tuple[Bucket, ...] = ()
    examples: tuple[Cell, ...] = ()

    @property
    def retyped(self) -> bool:
        """Whether both sides have it, with different types."""
        return bool(self.before and self.after and self.before != self.after)


@dataclass(frozen=True, slots=True)
class DatasetDelta:
    """How one dataset differs. Rows are counts: same + changed + removed = before, same + changed + added = after.

    Attributes:
        dataset: its name.
        verdict: what it comes to.
        key: the columns that rows were matched by; empty for a multiset of whole rows.
        before: main's rows.
        after: the branch's rows.
        same: rows that both have.
        changed: rows of one key that differ.
        added: rows that only the branch has.
        removed: rows that only main has.
        duplicates: keys that more than one row has, in main and in the branch; such rows are matched as multisets.
        nulls: rows without a whole key, in main and in the branch.
        columns: all columns of both sides, main's order first.
        added_rows: some of the rows added.
        removed_rows: some of the rows removed.
        noisy_rows: rows are added and removed also between two runs of main's code.
        contract: what the branch's data was held against when it was written; empty when nothing is promised.
        notes: what else there is to know.
    """

    dataset: str
    verdict: Verdict
    key: tuple[str, ...] = ()
    before: int = 0
    after: int = 0
    same: int = 0
    changed: int = 0
    added: int = 0
    removed: int = 0
    duplicates: tuple[int, int] = (0, 0)
    nulls: tuple[int, int] = (0, 0)
    columns: tuple[ColumnDelta, ...] = ()
    added_rows: tuple[Row, ...] = ()
    removed_rows: tuple[Row, ...] = ()
    noisy_rows: bool = False
    contract: str = ""
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether there is anything to look at."""
        return self.verdict not in {Verdict.IDENTICAL, Verdict.EQUAL, Verdict.NOISE}

    @property
    def schema_changes(self) -> tuple[ColumnDelta, ...]:
        """The columns that were added, removed or retyped."""
        return tuple(c for c in self.columns if c.status in {Status.ADDED, Status.REMOVED} or c.retyped)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a dataset was compared with: `main`'s own output, or a `control`: main's code on the branch's inputs."""

    dataset: str
    of: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class StepTold:
    """A step of the report's graph: its id, what it writes and reads, and how it stands in the branch."""

    id: str
    role: str
    why: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All deltas of a branch. `stale` are inputs of main's that have moved since the branch read them.

    `breaches` are what steps of the branch broke of contracts: these datasets were not written.
    """

    branch: str
    pipeline: str
    run: str
    base_run: str
    at: float
    datasets: tuple[DatasetDelta, ...]
    bases: tuple[Basis, ...] = ()
    stale: tuple[str, ...] = ()
    floating: tuple[str, ...] = ()
    steps: tuple[StepTold, ...] = ()
    sample: str = ""
    sampled: tuple[tuple[str, str], ...] = ()
    breaches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether any dataset differs."""
        return any(delta.differs for delta in self.datasets)
