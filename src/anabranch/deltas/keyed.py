"""Rows matched by a key that is unique: one full join on it, then the columns of those few rows that differ.

The join tells for each pair of rows which of a few groups of columns differ, by a hash of 64 bits each, so that only
these columns are read again. It counts the pairs: any number but that of the rows betrays keys that repeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.deltas.bykey import OF_BRANCH, OF_MAIN, SAME, ByKey
from anabranch.deltas.rows import CHUNK, PAIRS, Counts, digest, matching, shown
from anabranch.deltas.untyped import Table, ibis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.deltas.columns import Pair

GROUPS = 4
"""Groups of columns that have a hash of their own: more take more memory, and spare little."""

SAME_WITHOUT_KEY = -3
"""The kind of rows that are alike, and whose key is null in part."""
ALIKE = frozenset({SAME, SAME_WITHOUT_KEY})

_FEW_PAIRS = 10**8
"""Pairs of rows that are joined without a look at how often keys repeat."""
_BUCKETS = 2**14
_BITS = 60


def _bit(group: int) -> int:
    """Return what stands for a group in the kind of a pair that differs in it; the last groups share one bit."""
    return 1 << min(group, _BITS)


def _is_long(pair: Pair) -> bool:
    """Return whether values of a column have no fixed size."""
    return isinstance(pair.kind, str) or not (
        pair.kind.is_numeric() or pair.kind.is_temporal() or pair.kind.is_boolean()
    )


class Keyed(ByKey):
    """The comparison by a key that is unique on both sides."""

    def count(self) -> Counts | None:
        """Match all rows, and keep the keys that differ; None where keys repeat, which is for `Repeated` to compare."""
        before, after = self.rows(self.columns.before), self.rows(self.columns.after)
        if before * after > _FEW_PAIRS and self._crowded(before):
            return None
        groups = self._groups()
        self.engine.keep(PAIRS, self._matched(groups))
        found = self.engine.rows(self._summary())
        of = {row["kind"]: int(row["n"]) for row in found}
        same = of.get(SAME, 0) + of.get(SAME_WITHOUT_KEY, 0)
        changed = sum(n for kind, n in of.items() if kind > SAME)
        removed, added = of.get(OF_MAIN, 0), of.get(OF_BRANCH, 0)
        repeated = any(row["more"] for row in found if row["kind"] in {OF_MAIN, OF_BRANCH})
        if repeated or same + changed + removed != before or same + changed + added != after:
            return None
        self.nullable = SAME_WITHOUT_KEY in of or any(row["nulls"] for row in found if row["kind"] not in ALIKE)
        self.rest = [
            pair for i, group in enumerate(groups) for pair in group if any(k > SAME and k & _bit(i) for k in of)
        ]
        nulls = self.nulls() if self.nullable else (0, 0)
        return Counts(before, after, same, changed, added, removed, nulls=nulls)

    def _crowded(self, rows: int) -> bool:
        """Return whether keys of main repeat so often that a join on them may have far more pairs than rows.

        Rows are counted by a few bits of the key's hash. Of unique keys, each bucket has about as many; what the
        squares of these counts sum up to beyond that are pairs of rows with one key, give or take what chance adds.
        """
        table = self.columns.before
        if not self.dialect.hash:
            buckets = table.select(**self.named_keys(table))
        else:
            keys = digest(self.keys(table), self.dialect)
            buckets = table.select(bucket=(keys[0] % _BUCKETS))
        sizes = buckets.group_by(list(buckets.columns)).aggregate(size=buckets.count())
        size = sizes.size.cast("float64")
        squares = float(self.engine.rows(sizes.aggregate(n=(size * size).sum()))[0]["n"] or 0)
        expected = rows + (rows**2 / _BUCKETS if self.dialect.hash else 0)
        chance = 10 * rows**2 / _BUCKETS**1.5
        return bool(squares > expected + 3 * rows + chance)

    def _groups(self) -> list[list[Pair]]:
        """Return the columns besides the key, in groups of which the join tells apart whether they differ."""
        # Columns that are dear to read stand together, so that they are read again only if one of them differs.
        exact = sorted((pair for pair in self.rest if not pair.tolerance), key=_is_long)
        size = max(1, -(-len(exact) // GROUPS))
        groups = [exact[start : start + size] for start in range(0, len(exact), size)]
        return groups + [[pair] for pair in self.rest if pair.tolerance]

    def _side(self, table: Table, side: str, groups: Sequence[Sequence[Pair]]) -> Table:
        """Return a table's key and, of each group, its hash, or the number that has a tolerance."""
        chosen = {f"{side}_{name}": value for name, value in self.named_keys(table).items()}
        for i, group in enumerate(groups):
            exact = [part for pair in group for part in pair.parts(table)]
            values = [table[group[0].name]] if group[0].tolerance else digest(exact, self.dialect)
            chosen |= {f"{side}_d{i}_{n}": value for n, value in enumerate(values)}
        return table.select(**chosen, **{f"{side}_in": ibis.literal(True)})  # noqa: FBT003 - a value of the query

    def _matched(self, groups: Sequence[Sequence[Pair]]) -> Table:
        """Return a row for each pair of rows that differ, and one for all that are the same."""
        a, b = self._side(self.columns.before, "a", groups), self._side(self.columns.after, "b", groups)
        keys = [(a[f"a_{name}"], b[f"b_{name}"]) for name in self.names]
        joined = a.outer_join(b, matching(keys, self.dialect, full=True))
        ina, inb = (joined[name].fill_null(False) for name in ("a_in", "b_in"))  # noqa: FBT003 - a value of the query
        key = {name: ibis.ifelse(ina, joined[f"a_{name}"], joined[f"b_{name}"]) for name in self.names}
        missing = ibis.or_(*(value.isnull() for value in key.values()))
        shares: dict[int, list[Any]] = {}
        for i, group in enumerate(groups):
            shares.setdefault(_bit(i), []).append(~self._alike(joined, i, group).fill_null(False))  # noqa: FBT003
        bits = [ibis.ifelse(ibis.or_(*differ), bit, 0) for bit, differ in shares.items()]
        zero: Any = ibis.literal(0)
        differing: Any = sum(bits, zero)
        kind = ibis.cases((~inb, OF_MAIN), (~ina, OF_BRANCH), else_=differing.cast("int64")).cast("int64")
        flagged = joined.select(**key, missing=missing, kind=kind)
        # Rows that are the same fall into one group, so only what differs takes memory.
        same = flagged.kind == SAME
        kept = flagged.select(
            kind=ibis.ifelse(same & flagged.missing, SAME_WITHOUT_KEY, flagged.kind).cast("int64"),
            **{name: ibis.ifelse(same, ibis.null(), flagged[name]) for name in self.names},
        )
        return kept.group_by([*self.names, "kind"]).aggregate(n=kept.count())

    def _alike(self, joined: Table, i: int, group: Sequence[Pair]) -> Any:
        names = [name.removeprefix("a_") for name in joined.columns if name.startswith(f"a_d{i}_")]
        if group[0].tolerance:
            return group[0].alike(joined[f"a_{names[0]}"], joined[f"b_{names[0]}"])
        return ibis.and_(*(joined[f"a_{name}"].identical_to(joined[f"b_{name}"]) for name in names))

    def _summary(self) -> Table:
        kept = ibis.table(dict(self.pairs().schema().items()) | {"n": "int64"}, name=PAIRS)
        more = ibis.ifelse(kept.n > 1, 1, 0)
        missing = ibis.ifelse(ibis.or_(*(kept[name].isnull() for name in self.names)), 1, 0)
        return kept.group_by("kind").aggregate(n=kept.n.sum(), more=more.sum(), nulls=missing.sum())

    def cells(self) -> dict[str, int]:
        """Return how many cells of each column that may differ do, among the rows gathered."""
        found: dict[str, int] = {}
        for start in range(0, len(self.rest), CHUNK):
            chunk = self.rest[start : start + CHUNK]
            joined = self._joined(chunk)
            sums = {f"c{i}": (~pair.alike(joined[f"x{i}"], joined[f"y{i}"])).sum() for i, pair in enumerate(chunk)}
            row = self.engine.rows(joined.aggregate(**sums))[0]
            found |= {pair.name: int(row[f"c{i}"] or 0) for i, pair in enumerate(chunk)}
        return found

    def examples(self, pair: Pair, count: int) -> list[dict[str, Any]]:
        """Return some cells of a column that differ, ordered by key: the key's columns by name, `x` and `y`."""
        joined = self._joined([pair])
        differing = joined.filter(~pair.alike(joined.x0, joined.y0)).order_by(self.names).limit(count)
        told = {f"s{i}": shown(differing[f"s{i}"]) for i in range(len(self.key))}
        rows = self.engine.rows(differing.select(**told, x=shown(differing.x0), y=shown(differing.y0)))
        return [
            {"key": {each.name: row[f"s{i}"] for i, each in enumerate(self.key)}, "x": row["x"], "y": row["y"]}
            for row in rows
        ]

    def _joined(self, chunk: Sequence[Pair]) -> Table:
        """Return gathered rows joined by key: the key as it is (`s0`), and columns of main (`x0`) and the branch."""
        before, after = self.gathered()
        left = before.select(
            **self.named_keys(before),
            **{f"s{i}": before[each.name] for i, each in enumerate(self.key)},
            **{f"x{i}": before[pair.name] for i, pair in enumerate(chunk)},
        )
        right = after.select(
            **{f"b_{name}": value for name, value in self.named_keys(after).items()},
            **{f"y{i}": after[pair.name] for i, pair in enumerate(chunk)},
        )
        keys = [(left[name], right[f"b_{name}"]) for name in self.names]
        return left.inner_join(right, matching(keys, self.dialect, nullable=self.nullable))
