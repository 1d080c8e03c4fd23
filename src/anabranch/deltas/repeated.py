"""Rows matched by a key that repeats: the rows of one key are two multisets, of main and of the branch.

Nothing here joins rows by key, so a key that a million rows have takes no longer than a million keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.deltas.bykey import OF_BRANCH, OF_MAIN, SAME, ByKey
from anabranch.deltas.rows import PAIRS, Counts, digest, text_of
from anabranch.deltas.untyped import Table, ibis

if TYPE_CHECKING:
    from anabranch.deltas.columns import Pair


class Repeated(ByKey):
    """The comparison by a key that is not unique. Tolerances do not count: no row has one counterpart."""

    def count(self) -> Counts:
        """Match all rows, and keep the keys that differ or repeat."""
        before, after = self.rows(self.columns.before), self.rows(self.columns.after)
        self.engine.keep(PAIRS, self._matched())
        kinds = dict(self.pairs().schema().items()) | dict.fromkeys(["x", "y", "alike"], "int64")
        kept = ibis.table(kinds, name=PAIRS)
        left, right = kept.x - kept.alike, kept.y - kept.alike
        figures = {
            "changed": ibis.least(left, right),
            "removed": left - ibis.least(left, right),
            "added": right - ibis.least(left, right),
            "twice_before": ibis.ifelse(kept.x > 1, 1, 0),
            "twice_after": ibis.ifelse(kept.y > 1, 1, 0),
        }
        found = self.engine.rows(kept.aggregate(**{name: value.sum() for name, value in figures.items()}))[0]
        changed, removed, added, twice_before, twice_after = (int(found[name] or 0) for name in figures)
        same, duplicates = before - changed - removed, (twice_before, twice_after)
        return Counts(before, after, same, changed, added, removed, duplicates, self.nulls())

    def _matched(self) -> Table:
        """Return each key that differs or repeats: rows of main (`x`), of the branch (`y`), and those `alike`."""
        sides = []
        for table, x, y in ((self.columns.before, 1, 0), (self.columns.after, 0, 1)):
            values = digest([part for pair in self.rest for part in pair.parts(table)], self.dialect)
            named = {f"h{i}": value for i, value in enumerate(values)}
            sides.append(table.select(**self.named_keys(table), **named, x=ibis.literal(x), y=ibis.literal(y)))
        rows = ibis.union(*sides, distinct=False)
        different = rows.group_by([name for name in rows.columns if name not in {"x", "y"}])
        counted = different.aggregate(x=rows.x.sum(), y=rows.y.sum())
        counted = counted.mutate(alike=ibis.least(counted.x, counted.y))
        sums = {name: counted[name].sum().cast("int64") for name in ("x", "y", "alike")}
        keys = counted.group_by(self.names).aggregate(**sums)
        same = (keys.x == keys.alike) & (keys.y == keys.alike)
        kind = ibis.cases((same, SAME), (keys.y == 0, OF_MAIN), (keys.x == 0, OF_BRANCH), else_=1).cast("int64")
        return keys.mutate(kind=kind).filter(~same | (keys.x > 1) | (keys.y > 1))

    def cells(self) -> dict[str, int]:
        """Return how many values of each column differ, where each key has two multisets of values."""
        found: dict[str, int] = {}
        for pair in self.rest:
            net = self._net(pair)
            more, less = ibis.ifelse(net.s > 0, net.s, 0), ibis.ifelse(net.s < 0, -net.s, 0)
            keys = net.group_by(self.names).aggregate(more=more.sum(), less=less.sum())
            row = self.engine.rows(keys.aggregate(n=ibis.least(keys.more, keys.less).sum()))[0]
            found[pair.name] = int(row["n"] or 0)
        return found

    def _net(self, pair: Pair) -> Table:
        """Return the values of each key, as `told` to people, and how many more of them main has (`s`)."""
        sides = []
        for table, sign in zip(self.gathered(), (1, -1), strict=True):
            values = {f"v{i}": part for i, part in enumerate(pair.parts(table))}
            keys = {f"s{i}": text_of(table[each.name]) for i, each in enumerate(self.key)}
            told = {"told": text_of(table[pair.name]), "s": ibis.literal(sign)}
            sides.append(table.select(**self.named_keys(table), **values, **keys, **told))
        rows = ibis.union(*sides, distinct=False)
        groups = rows.group_by([*self.names, *(name for name in rows.columns if name.startswith("v"))])
        shown = {name: rows[name].min() for name in ("told", *(f"s{i}" for i in range(len(self.key))))}
        return groups.aggregate(s=rows.s.sum(), **shown)

    def examples(self, pair: Pair, count: int) -> list[dict[str, Any]]:
        """Return a value of each side that the other has not as often, for some keys, ordered by key."""
        net = self._net(pair)
        shown = {f"s{i}": net[f"s{i}"].min() for i in range(len(self.key))}
        keys = net.group_by(self.names).aggregate(
            more=ibis.ifelse(net.s > 0, 1, 0).sum(),
            less=ibis.ifelse(net.s < 0, 1, 0).sum(),
            x=net.told.min(where=net.s > 0),
            y=net.told.min(where=net.s < 0),
            **shown,
        )
        some = keys.filter((keys.more > 0) & (keys.less > 0)).order_by(self.names).limit(count)
        return [
            {"key": {each.name: row[f"s{i}"] for i, each in enumerate(self.key)}, "x": row["x"], "y": row["y"]}
            for row in self.engine.rows(some.select(*shown, "x", "y"))
        ]
