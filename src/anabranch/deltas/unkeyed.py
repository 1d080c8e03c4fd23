"""Tables without a key: the difference of two multisets of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.deltas.equality import parts
from anabranch.deltas.rows import AFTER, BEFORE, PAIRS, Counts, digest, matching, shown
from anabranch.deltas.untyped import Table, ibis

if TYPE_CHECKING:
    from anabranch.deltas.columns import Columns, Pair
    from anabranch.deltas.engine import Engine

_NEARLY = 1e-6


class Unkeyed:
    """The comparison of two tables as multisets of rows."""

    def __init__(self, engine: Engine, columns: Columns) -> None:
        """Prepare; nothing is read."""
        self._engine, self._columns, self._dialect = engine, columns, engine.dialect
        self.rest = list(columns.pairs)

    def _hashed(self, table: Table) -> dict[str, Any]:
        values = [part for pair in self.rest for part in pair.parts(table)]
        return {f"h{i}": value for i, value in enumerate(digest(values, self._dialect))}

    def count(self) -> Counts:
        """Match all rows, and remember those that differ."""
        sides = []
        for table, (x, y) in ((self._columns.before, (1, 0)), (self._columns.after, (0, 1))):
            sides.append(table.select(**self._hashed(table), x=ibis.literal(x), y=ibis.literal(y)))
        both = ibis.union(*sides, distinct=False)
        names = [name for name in both.columns if name.startswith("h")]
        alike = both.group_by(names).aggregate(x=both.x.sum().cast("int64"), y=both.y.sum().cast("int64"))
        self._engine.keep(PAIRS, alike.filter(alike.x != alike.y))
        before, after = (
            int(self._engine.rows(table.aggregate(n=table.count()))[0]["n"])
            for table in (self._columns.before, self._columns.after)
        )
        pairs = self._kept()
        up, down = (
            ibis.ifelse(pairs.x > pairs.y, pairs.x - pairs.y, 0),
            ibis.ifelse(pairs.y > pairs.x, pairs.y - pairs.x, 0),
        )
        row = self._engine.rows(pairs.aggregate(removed=up.sum(), added=down.sum()))[0]
        removed, added = int(row["removed"] or 0), int(row["added"] or 0)
        return Counts(before, after, before - removed, 0, added, removed)

    def _kept(self) -> Table:
        kinds = {name: value.type() for name, value in self._hashed(self._columns.before).items()}
        return ibis.table(kinds | {"x": "int64", "y": "int64"}, name=PAIRS)

    def gather(self) -> None:
        """Keep the rows that one side has more often, each with its share `w` of what is too many."""
        pairs = self._kept()
        for table, name, more in (
            (self._columns.before, BEFORE, pairs.filter(pairs.x > pairs.y)),
            (self._columns.after, AFTER, pairs.filter(pairs.y > pairs.x)),
        ):
            side = "x" if name == BEFORE else "y"
            hashed = {f"r_{key}": value for key, value in self._hashed(table).items()}
            rows = table.select(**{f"c{i}": table[pair.name] for i, pair in enumerate(self.rest)}, **hashed)
            keys = [(rows[f"r_{key}"], more[key]) for key in (each.removeprefix("r_") for each in hashed)]
            joined = rows.inner_join(more, matching(keys, self._dialect, nullable=not self._dialect.hash))
            share = (joined.x - joined.y).abs().cast("float64") / joined[side].cast("float64")
            chosen = {f"c{i}": joined[f"c{i}"] for i in range(len(self.rest))}
            self._engine.keep(name, joined.select(**chosen, w=share))

    def differs(self) -> dict[str, bool]:
        """Return for each column whether its values, as a multiset, differ: all other rows are the same."""
        return {pair.name: self._column_differs(pair, i) for i, pair in enumerate(self.rest)}

    def _gathered(self, table: Table, name: str) -> Table:
        kinds = {f"c{i}": table[pair.name].type() for i, pair in enumerate(self.rest)}
        return ibis.table(kinds | {"w": "float64"}, name=name)

    def _column_differs(self, pair: Pair, i: int) -> bool:
        sides = []
        for table, name, sign in ((self._columns.before, BEFORE, 1.0), (self._columns.after, AFTER, -1.0)):
            kept = self._gathered(table, name)
            values = parts(kept[f"c{i}"], pair.kind, self._dialect, as_set=pair.as_set)
            sides.append(kept.select(**{f"v{n}": value for n, value in enumerate(values)}, w=kept.w * sign))
        both = ibis.union(*sides, distinct=False)
        names = [name for name in both.columns if name.startswith("v")]
        net = both.group_by(names).aggregate(w=both.w.sum())
        differing = net.filter(net.w.abs() > _NEARLY)
        return bool(self._engine.rows(differing.aggregate(n=differing.count()))[0]["n"])

    def rows_of_one_side(self, *, main: bool, count: int) -> list[dict[str, Any]]:
        """Return some rows that one side has more often."""
        table, name = (self._columns.before, BEFORE) if main else (self._columns.after, AFTER)
        kept = self._gathered(table, name)
        chosen = {pair.name: shown(kept[f"c{i}"]) for i, pair in enumerate(self.rest)}
        return self._engine.rows(kept.limit(count).select(**chosen))

    def forget(self) -> None:
        """Drop what was kept."""
        for name in (PAIRS, BEFORE, AFTER):
            self._engine.forget(name)
