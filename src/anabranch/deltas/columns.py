"""Pair the columns of two tables: what can be compared, as which type, and what cannot."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anabranch.deltas.equality import close, common, comparable, parts, struct_changes
from anabranch.deltas.untyped import Kind, Table, ibis
from anabranch.model.delta import ColumnDelta, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from anabranch.deltas.engine import Dialect, Engine

NO_TYPE = "its type is unknown here"


@dataclass(frozen=True)
class Pair:
    """A column that both tables have and that can be compared, as type `kind`."""

    name: str
    kind: Kind | str
    dialect: Dialect
    as_set: bool = False
    tolerance: float = 0.0

    def parts(self, table: Table) -> Sequence[Any]:
        """Return the column of one table as expressions that are identical exactly where values are equal."""
        return parts(table[self.name], self.kind, self.dialect, as_set=self.as_set)

    def equal(self, before: Table, after: Table, suffix: str = "") -> Any:
        """Return whether the values of two joined rows are equal."""
        return self.alike(before[self.name], after[self.name + suffix])

    def alike(self, x: Any, y: Any) -> Any:
        """Return whether two values are equal."""
        if self.tolerance:
            return close(x, y, self.tolerance)
        pairs = zip(
            parts(x, self.kind, self.dialect, as_set=self.as_set),
            parts(y, self.kind, self.dialect, as_set=self.as_set),
            strict=True,
        )
        return ibis.and_(*(a.identical_to(b) for a, b in pairs))


@dataclass(frozen=True)
class Columns:
    """All columns of two tables: those to compare, and what is known of each before anything is read."""

    pairs: tuple[Pair, ...]
    told: dict[str, ColumnDelta]
    before: Table
    after: Table

    def pair(self, name: str) -> Pair:
        """Return the pair of that name."""
        return next(pair for pair in self.pairs if pair.name == name)

    def without_tolerances(self) -> Columns:
        """Return the same, compared exactly."""
        pairs = tuple(replace(pair, tolerance=0.0) for pair in self.pairs)
        return replace(self, pairs=pairs, told={name: replace(c, tolerance=0.0) for name, c in self.told.items()})


def pair_columns(
    engine: Engine, base: str, other: str, tolerance: Mapping[str, float], sets: Collection[str]
) -> Columns:
    """Return how the columns of two tables pair up.

    Where an engine takes names that differ only by case for one, so do we: the column has main's spelling.
    """
    mine, theirs = engine.schema(base), engine.schema(other)
    spelled = _spelled(mine, theirs) if engine.dialect.folds else {}
    theirs = {spelled.get(name, name): kind for name, kind in theirs.items()}
    every = {**mine, **theirs}
    tolerance = {named(name, every, engine.dialect): allowed for name, allowed in tolerance.items()}
    sets = {named(name, every, engine.dialect) for name in sets}
    told: dict[str, ColumnDelta] = {}
    pairs: list[Pair] = []
    for name, (text, kind) in mine.items():
        if name not in theirs:
            told[name] = ColumnDelta(name, text, "", Status.REMOVED, None)
            continue
        other_text, other_kind = theirs[name]
        told[name], pair = _paired(engine.dialect, name, (text, kind), (other_text, other_kind), tolerance, sets)
        if pair is not None:
            pairs.append(pair)
    for name, (text, _) in theirs.items():
        if name not in mine:
            told[name] = ColumnDelta(name, "", text, Status.ADDED, None)
    for new, name in spelled.items():
        why = "; ".join(filter(None, (told[name].why, f"spelled `{new}` in the branch")))
        told[name] = replace(told[name], why=why)
    tables = (
        ibis.table({n: k for n, (_, k) in schema.items() if k is not None} or {"nothing": "int64"}, name=name)
        for schema, name in ((mine, base), (theirs, other))
    )
    return Columns(tuple(pairs), told, *tables)


def named(name: str, columns: Collection[str], dialect: Dialect) -> str:
    """Return a column as the tables spell it; the name itself where there is none."""
    if name in columns or not dialect.folds:
        return name
    return next((each for each in columns if each.casefold() == name.casefold()), name)


def _spelled(mine: Collection[str], theirs: Collection[str]) -> dict[str, str]:
    """Return the branch's names that are main's but for case: main's by the branch's."""
    free = {name.casefold(): name for name in mine if name not in theirs}
    return {name: free[name.casefold()] for name in theirs if name not in mine and name.casefold() in free}


def without_values(column: ColumnDelta) -> ColumnDelta:
    """Return a sensitive column whose types do not list its values, as those of enums do."""
    before, after, compared = (
        re.sub(r"ENUM\((?:[^')]|'(?:[^']|'')*')*\)", "ENUM", kind)
        for kind in (column.before, column.after, column.compared_as)
    )
    why = column.why.replace(column.before, before).replace(column.after, after) if column.why else ""
    return replace(column, before=before, after=after, compared_as=compared, why=why)


def _paired(
    dialect: Dialect,
    name: str,
    mine: tuple[str, Kind | None],
    theirs: tuple[str, Kind | None],
    tolerance: Mapping[str, float],
    sets: Collection[str],
) -> tuple[ColumnDelta, Pair | None]:
    delta = ColumnDelta(name, mine[0], theirs[0])
    if mine[1] is None or theirs[1] is None:
        return _unknown(delta, NO_TYPE), None
    kind = common(mine[1], theirs[1])
    if kind is None:
        return _unknown(delta, f"{mine[0]} and {theirs[0]} have no common type"), None
    if why := comparable(kind, dialect):
        return _unknown(delta, why), None
    allowed = tolerance.get(name, 0.0)
    if allowed and not (mine[1].is_numeric() and theirs[1].is_numeric()):
        return _unknown(delta, "a tolerance needs numbers"), None
    fields = struct_changes(mine[1], theirs[1])
    compared = str(kind) if delta.retyped else ""
    why = f"fields {', '.join(fields)}" if fields else ""
    delta = ColumnDelta(name, *mine[:1], *theirs[:1], Status.SAME, 0, compared, allowed, why)
    return delta, Pair(name, kind, dialect, name in sets, allowed)


def _unknown(delta: ColumnDelta, why: str) -> ColumnDelta:
    return ColumnDelta(delta.name, delta.before, delta.after, Status.UNKNOWN, None, why=why)
