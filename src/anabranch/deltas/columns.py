"""Pair the columns of two tables: what can be compared, as which type, and what cannot."""

from __future__ import annotations

from dataclasses import dataclass
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


def pair_columns(
    engine: Engine, base: str, other: str, tolerance: Mapping[str, float], sets: Collection[str]
) -> Columns:
    """Return how the columns of two tables pair up."""
    mine, theirs = engine.schema(base), engine.schema(other)
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
    tables = (
        ibis.table({n: k for n, (_, k) in schema.items() if k is not None} or {"nothing": "int64"}, name=name)
        for schema, name in ((mine, base), (theirs, other))
    )
    return Columns(tuple(pairs), told, *tables)


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
