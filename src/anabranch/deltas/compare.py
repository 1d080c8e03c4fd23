"""The walk: schema, then rows, then the columns of rows that differ, then what they look like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from anabranch.deltas.columns import Columns, named, pair_columns, without_values
from anabranch.deltas.histogram import histograms
from anabranch.deltas.keyed import Keyed
from anabranch.deltas.profile import profiles
from anabranch.deltas.repeated import Repeated
from anabranch.deltas.text import HIDDEN, text
from anabranch.deltas.unkeyed import Unkeyed
from anabranch.model.delta import Cell, ColumnDelta, DatasetDelta, Row, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from anabranch.deltas.engine import Engine
    from anabranch.deltas.rows import Counts

SMALL = 2_000_000
"""Rows of both sides up to which every column that could differ has a profile, and a histogram where it changed."""

FEW = 4
"""Changed columns that have a profile in larger tables, unless all are asked for."""

DRAWN = 12
"""Columns that have a histogram, at most."""


@dataclass(frozen=True)
class Options:
    """What to compare by, and what never to show.

    Attributes:
        key: the columns that identify a row; none for multisets.
        sensitive: columns whose values never appear; their case means nothing.
        tolerance: how far numbers of a column may differ and count as equal.
        sets: list columns whose order means nothing.
        samples: examples of each kind.
        profile: look at every column, however large the table.
    """

    key: Sequence[str] = ()
    sensitive: Collection[str] = ()
    tolerance: Mapping[str, float] = field(default_factory=dict)
    sets: Collection[str] = ()
    samples: int = 5
    profile: bool = False


def compare(engine: Engine, base: str, other: str, dataset: str, options: Options) -> DatasetDelta:
    """Return how the table `other` differs from the table `base`.

    Args:
        engine: sees both tables.
        base: main's.
        other: the branch's.
        dataset: the name to tell it under.
        options: what to compare by.
    """
    options = replace(options, sensitive={name.casefold() for name in options.sensitive})
    columns = pair_columns(engine, base, other, options.tolerance, options.sets)
    notes = [
        f"column `{name}` has a tolerance, and is not in both tables"
        for name in options.tolerance
        if named(name, columns.told, engine.dialect) not in columns.told
    ]
    key, why = _usable_key(columns, [named(name, columns.told, engine.dialect) for name in options.key])
    notes += why
    walk, counts = _matched(engine, columns, key)
    try:
        told = dict(columns.told if isinstance(walk, Keyed) else columns.without_tolerances().told)
        if told != columns.told:
            notes.append("without a unique key no row has one counterpart, so tolerances do not count")
        for name in key:
            told[name] = replace(told[name], status=Status.KEY)
        if isinstance(walk, Unkeyed):
            told |= _unkeyed_columns(walk, counts, told)
        else:
            told |= _keyed_columns(walk, counts, told, options)
        looked = _profiled(engine, columns, counts, told, options)
        told |= looked
        left = sum(column.status is Status.CHANGED for column in told.values()) - len(looked)
        if left > 0:
            notes.append(f"{left:,} more changed columns of this large table have no profile; ask for it: --profile")
        added = _rows(walk.rows_of_one_side(main=False, count=options.samples), options) if counts.added else ()
        removed = _rows(walk.rows_of_one_side(main=True, count=options.samples), options) if counts.removed else ()
    finally:
        walk.forget()
    if any(counts.duplicates):
        shown = f"{counts.duplicates[0]:,} in main, {counts.duplicates[1]:,} in the branch"
        notes.append(f"the key ({', '.join(key)}) is not unique: {shown}; rows of such keys are matched as multisets")
    if any(counts.nulls):
        notes.append(f"the key is null in rows: {counts.nulls[0]:,} in main, {counts.nulls[1]:,} in the branch")
    columns_told = (
        without_values(column) if name.casefold() in options.sensitive else column for name, column in told.items()
    )
    delta = DatasetDelta(
        dataset,
        Verdict.EQUAL,
        tuple(key),
        counts.before,
        counts.after,
        counts.same,
        counts.changed,
        counts.added,
        counts.removed,
        counts.duplicates,
        counts.nulls,
        tuple(columns_told),
        added,
        removed,
        notes=tuple(notes),
    )
    return replace(delta, verdict=verdict(delta))


def _matched(engine: Engine, columns: Columns, key: Sequence[str]) -> tuple[Keyed | Repeated | Unkeyed, Counts]:
    """Match the rows in the way that the key allows; what was kept is for the caller to forget."""
    walks: list[Keyed | Repeated | Unkeyed] = [Unkeyed(engine, columns.without_tolerances())]
    if key:
        walks = [Keyed(engine, columns, key), Repeated(engine, columns.without_tolerances(), key)]
    for walk in walks:
        try:
            counts = walk.count()
        except BaseException:
            walk.forget()
            raise
        if counts is not None:
            return walk, counts
    raise AssertionError(walks)  # the last of them always counts


def verdict(delta: DatasetDelta) -> Verdict:
    """Return what a delta comes to."""
    if delta.added or delta.removed or delta.changed:
        return Verdict.CHANGED
    if any(column.status is Status.UNKNOWN for column in delta.columns):
        return Verdict.UNKNOWN
    if delta.schema_changes or any(column.why for column in delta.columns):
        return Verdict.SCHEMA
    return Verdict.EQUAL


def _usable_key(columns: Columns, key: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the key if rows can be matched by it, and else why not."""
    usable = {pair.name for pair in columns.pairs}
    for name in key:
        if name not in usable:
            told = columns.told.get(name)
            why = told.why if told and told.why else "one side has no such column"
            return [], [f"key column `{name}` cannot be compared ({why}), so whole rows are compared"]
    return list(key), []


def _keyed_columns(
    walk: Keyed | Repeated, counts: Counts, told: Mapping[str, ColumnDelta], options: Options
) -> dict[str, ColumnDelta]:
    if not counts.changed:
        return {}
    walk.gather()
    found: dict[str, ColumnDelta] = {}
    for name, cells in walk.cells().items():
        if cells:
            pair = next(pair for pair in walk.rest if pair.name == name)
            rows = walk.examples(pair, options.samples)
            cells_shown = tuple(_cell(name, row, options.sensitive) for row in rows)
            found[name] = replace(told[name], status=Status.CHANGED, changed=cells, examples=cells_shown)
    return found


def _unkeyed_columns(walk: Unkeyed, counts: Counts, told: Mapping[str, ColumnDelta]) -> dict[str, ColumnDelta]:
    if not (counts.added or counts.removed):
        return {}
    walk.gather()
    return {
        name: replace(told[name], status=Status.CHANGED, changed=None)
        for name, differs in walk.differs().items()
        if differs
    }


def _profiled(
    engine: Engine, columns: Columns, counts: Counts, told: Mapping[str, ColumnDelta], options: Options
) -> dict[str, ColumnDelta]:
    small = options.profile or counts.before + counts.after <= SMALL
    every = small and (counts.added or counts.removed)
    names = [name for name, column in told.items() if column.status is Status.CHANGED or every or column.retyped]
    if not small:
        names = names[:FEW]
    here = [n for n in names if n in columns.before.columns], [n for n in names if n in columns.after.columns]
    before = profiles(engine, columns.before, here[0], options.sensitive) if here[0] else {}
    after = profiles(engine, columns.after, here[1], options.sensitive) if here[1] else {}
    found = {
        name: replace(told[name], profile_before=before.get(name), profile_after=after.get(name)) for name in names
    }
    drawn = [n for n in names if small and told[n].status is Status.CHANGED and n.casefold() not in options.sensitive][
        :DRAWN
    ]
    for name, buckets in histograms(engine, columns.before, columns.after, drawn).items():
        found[name] = replace(found[name], histogram=buckets)
    return found


def _cell(name: str, row: Mapping[str, Any], sensitive: Collection[str]) -> Cell:
    key = tuple((part, _hidden(part, value, sensitive)) for part, value in row["key"].items())
    return Cell(key, _hidden(name, row["x"], sensitive), _hidden(name, row["y"], sensitive))


def _rows(rows: Iterable[Mapping[str, Any]], options: Options) -> tuple[Row, ...]:
    return tuple(tuple((name, _hidden(name, value, options.sensitive)) for name, value in row.items()) for row in rows)


def _hidden(name: str, value: Any, sensitive: Collection[str]) -> str | None:
    return HIDDEN if name.casefold() in sensitive else text(value)
