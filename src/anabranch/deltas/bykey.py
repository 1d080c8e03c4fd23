"""What comparisons by key share: the key, what is kept of the rows that differ, and rows that one side has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.deltas.rows import AFTER, BEFORE, PAIRS, matching, shown
from anabranch.deltas.untyped import Table, ibis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.deltas.columns import Columns
    from anabranch.deltas.engine import Engine


SAME, OF_MAIN, OF_BRANCH = 0, -1, -2
"""Kinds of pairs of rows: alike, and those whose key only one side has; above `SAME` are those that differ.

One small number, because rows are grouped by it: by a column for each of what it says, that takes a third longer.
"""


class ByKey:
    """Two tables and their common key.

    Attributes:
        rest: the columns besides the key that may differ: all of them, until rows have been matched.
        nullable: whether a key may be null; joins on keys that never are take less time.
    """

    def __init__(self, engine: Engine, columns: Columns, key: Sequence[str]) -> None:
        """Prepare; nothing is read."""
        self.engine, self.columns, self.dialect = engine, columns, engine.dialect
        self.key = [columns.pair(name) for name in key]
        self.rest = [pair for pair in columns.pairs if pair.name not in key]
        self.names = [f"k{i}" for i in range(len(self.keys(columns.before)))]
        self.nullable = True

    def keys(self, table: Table) -> list[Any]:
        """Return a table's key, as expressions of the common type."""
        return [part for pair in self.key for part in pair.parts(table)]

    def named_keys(self, table: Table) -> dict[str, Any]:
        """Return a table's key, by names of our own."""
        return dict(zip(self.names, self.keys(table), strict=True))

    def rows(self, table: Table) -> int:
        """Return how many rows a table has."""
        return int(self.engine.rows(table.aggregate(n=table.count()))[0]["n"])

    def nulls(self) -> tuple[int, int]:
        """Return how many rows of both sides have no whole key."""
        before, after = (
            self.rows(table.filter(ibis.or_(*(table[pair.name].isnull() for pair in self.key))))
            for table in (self.columns.before, self.columns.after)
        )
        return before, after

    def pairs(self) -> Table:
        """Return what is kept of the rows' match: keys, and the `kind` of each pair."""
        kinds = {name: value.type() for name, value in self.named_keys(self.columns.before).items()}
        return ibis.table(kinds | {"kind": "int64"}, name=PAIRS)

    def gather(self) -> None:
        """Keep the rows of keys that both sides have and that differ, with those columns that may."""
        pairs = self.pairs()
        differing = pairs.filter(pairs.kind > SAME)
        for table, name in ((self.columns.before, BEFORE), (self.columns.after, AFTER)):
            self.engine.keep(name, self._of(table, differing).select(self._wanted()))

    def gathered(self) -> tuple[Table, Table]:
        """Return the rows gathered, of main and of the branch."""
        before, after = (
            ibis.table({column: table[column].type() for column in self._wanted()}, name=name)
            for table, name in ((self.columns.before, BEFORE), (self.columns.after, AFTER))
        )
        return before, after

    def _wanted(self) -> list[str]:
        return [pair.name for pair in (*self.key, *self.rest)]

    def _of(self, table: Table, pairs: Table) -> Table:
        couples = [(key, pairs[name]) for key, name in zip(self.keys(table), self.names, strict=True)]
        return table.semi_join(pairs, matching(couples, self.dialect, nullable=self.nullable))

    def rows_of_one_side(self, *, main: bool, count: int) -> list[dict[str, Any]]:
        """Return some rows whose key only one side has, ordered by key."""
        pairs = self.pairs()
        some = pairs.filter(pairs.kind == (OF_MAIN if main else OF_BRANCH)).order_by(self.names).limit(count)
        found = self._of(self.columns.before if main else self.columns.after, some)
        found = found.order_by(self.keys(found)).limit(count)
        return self.engine.rows(found.select(**{name: shown(found[name]) for name in found.columns}))

    def forget(self) -> None:
        """Drop what was kept."""
        for name in (PAIRS, BEFORE, AFTER):
            self.engine.forget(name)
