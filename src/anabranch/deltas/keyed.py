"""Rows matched by key: one full join on key and row hash, then the columns of those few rows that differ.

The join keeps a count for each way in which rows pair up. With unique keys there are as many pairs as rows; any other
number betrays duplicates, and then rows of one key are matched as a multiset.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from anabranch.deltas.equality import hash_function, signature
from anabranch.deltas.untyped import Table, ibis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anabranch.deltas.columns import Columns, Pair
    from anabranch.deltas.engine import Dialect, Engine

PAIRS, BEFORE, AFTER = "anabranch_pairs", "anabranch_before", "anabranch_after"
CHUNK = 400
"""Columns of one query."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by how they pair up; `duplicates` and `nulls` are keys, of main and of the branch."""

    before: int
    after: int
    same: int
    changed: int
    added: int
    removed: int
    duplicates: tuple[int, int] = (0, 0)
    nulls: tuple[int, int] = (0, 0)


class Keyed:
    """The comparison of two tables by key."""

    def __init__(self, engine: Engine, columns: Columns, key: Sequence[str]) -> None:
        """Prepare; nothing is read."""
        self._engine, self._columns, self._dialect = engine, columns, engine.dialect
        self._key = [columns.pair(name) for name in key]
        self.rest = [pair for pair in columns.pairs if pair.name not in key]
        self._nullable = True
        self._unique = True

    def count(self) -> Counts:
        """Match all rows, and remember those that differ."""
        before, after = self._columns.before, self._columns.after
        rows_before, rows_after = (self._rows(table) for table in (before, after))
        self._engine.keep(PAIRS, self._pairs())
        found = {(row["ina"], row["inb"], row["same"]): row for row in self._engine.rows(_summary(self._kept()))}
        self._nullable = any(row["nulls"] for row in found.values())
        shared = sum(int(row["n"]) for (ina, inb, _), row in found.items() if ina and inb)
        same = sum(int(row["n"]) for (_, _, same), row in found.items() if same)
        removed, added = (_one(found, side) for side in ((True, False), (False, True)))
        twice = any(row["more"] for (ina, inb, _), row in found.items() if not (ina and inb))
        if twice or shared + removed != rows_before or shared + added != rows_after:
            self._unique = False
            return self._with_duplicates(rows_before, rows_after, self._nulls())
        changed = shared - same
        nulls = self._nulls() if self._nullable else (0, 0)
        return Counts(rows_before, rows_after, same, changed, added, removed, nulls=nulls)

    def _rows(self, table: Table) -> int:
        return int(self._engine.rows(table.aggregate(n=table.count()))[0]["n"])

    def _nulls(self) -> tuple[int, int]:
        """Return how many rows of both sides have no whole key."""
        missing = [
            self._rows(table.filter(ibis.or_(*(table[pair.name].isnull() for pair in self._key))))
            for table in (self._columns.before, self._columns.after)
        ]
        return missing[0], missing[1]

    def _names(self) -> list[str]:
        return [f"k{i}" for i in range(sum(len(pair.parts(self._columns.before)) for pair in self._key))]

    def _side(self, table: Table, mark: str) -> Table:
        """Return a table's key, and its other columns as one hash or, where there is none, as they are."""
        keys = [part for pair in self._key for part in pair.parts(table)]
        exact = [part for pair in self.rest if not pair.tolerance for part in pair.parts(table)]
        loose = {f"{mark}t{i}": table[pair.name] for i, pair in enumerate(p for p in self.rest if p.tolerance)}
        chosen = dict(zip((f"{mark}{name}" for name in self._names()), keys, strict=True)) | loose
        chosen |= row_digest(exact, self._dialect, mark)
        return table.select(**chosen, **{f"{mark}in": ibis.literal(True)})  # noqa: FBT003 - a value of the query

    def _pairs(self) -> Table:
        a, b = self._side(self._columns.before, "a_"), self._side(self._columns.after, "b_")
        names = self._names()
        keys = [(a[f"a_{name}"], b[f"b_{name}"]) for name in names]
        joined = a.outer_join(b, matching(keys, self._dialect, nullable=self._nullable, full=True))
        digests = [name.removeprefix("a_") for name in a.columns if name.startswith("a_h")]
        alike = [joined[f"a_{name}"].identical_to(joined[f"b_{name}"]) for name in digests]
        for i, pair in enumerate(pair for pair in self.rest if pair.tolerance):
            alike.append(pair.alike(joined[f"a_t{i}"], joined[f"b_t{i}"]))
        ina, inb = (joined[name].fill_null(False) for name in ("a_in", "b_in"))  # noqa: FBT003 - a value of the query
        flagged = joined.mutate(ina=ina, inb=inb, same=ibis.and_(ina, inb, *alike).fill_null(False))  # noqa: FBT003
        # Rows that are the same fall into one group, so only what differs takes memory.
        key = {name: ibis.ifelse(flagged.ina, flagged[f"a_{name}"], flagged[f"b_{name}"]) for name in names}
        kept = flagged.select(
            "ina",
            "inb",
            "same",
            nokey=ibis.or_(*(value.isnull() for value in key.values())),
            **{name: ibis.ifelse(flagged.same, ibis.null(value.type()), value) for name, value in key.items()},
        )
        return kept.group_by([*names, "ina", "inb", "same", "nokey"]).aggregate(n=kept.count())

    def _kept(self) -> Table:
        """Return the kept pairs as a table."""
        side = self._side(self._columns.before, "a_")
        keys = {name: side[f"a_{name}"].type() for name in self._names()}
        flags = {"ina": "boolean", "inb": "boolean", "same": "boolean", "nokey": "boolean", "n": "int64"}
        return ibis.table(keys | flags, name=PAIRS)

    def _with_duplicates(self, before: int, after: int, nulls: tuple[int, int]) -> Counts:
        """Count again where keys repeat: rows of one key are two multisets of rows."""
        if any(pair.tolerance for pair in self.rest):
            self.rest = [pair for pair in self.rest if not pair.tolerance]
        sides = []
        for table, mark, (x, y) in ((self._columns.before, "a_", (1, 0)), (self._columns.after, "b_", (0, 1))):
            side = self._side(table, mark).drop(f"{mark}in")
            side = side.rename({name.removeprefix(mark): name for name in side.columns})
            sides.append(side.mutate(x=ibis.literal(x), y=ibis.literal(y)))
        both = ibis.union(*sides, distinct=False)
        names = self._names()
        digests = [name for name in both.columns if name.startswith("h")]
        alike = both.group_by([*names, *digests]).aggregate(x=both.x.sum(), y=both.y.sum())
        alike = alike.mutate(s=ibis.least(alike.x, alike.y))
        by_key = alike.group_by(names).aggregate(x=alike.x.sum(), y=alike.y.sum(), s=alike.s.sum())
        told = by_key.mutate(
            same=(by_key.x == by_key.s) & (by_key.y == by_key.s),
            ina=by_key.x > 0,
            inb=by_key.y > 0,
            changed=ibis.least(by_key.x - by_key.s, by_key.y - by_key.s),
        )
        row = self._engine.rows(
            told.aggregate(
                same=told.s.sum(),
                changed=told.changed.sum(),
                added=(told.y - told.s - told.changed).sum(),
                removed=(told.x - told.s - told.changed).sum(),
                da=(told.x > 1).sum(),
                db=(told.y > 1).sum(),
            )
        )[0]
        differing = told.filter(~told.same)
        nokey = ibis.or_(*(differing[name].isnull() for name in names))
        kept = differing.select(
            *names, "ina", "inb", "same", nokey=nokey, n=ibis.greatest(differing.x, differing.y).cast("int64")
        )
        self._engine.keep(PAIRS, kept)
        found = {name: int(row[name] or 0) for name in row}
        return Counts(
            before,
            after,
            found["same"],
            found["changed"],
            found["added"],
            found["removed"],
            (found["da"], found["db"]),
            nulls,
        )

    def gather(self) -> None:
        """Keep the rows of keys that both sides have and that differ, whole."""
        pairs = self._kept()
        differing = pairs.filter(pairs.ina & pairs.inb & ~pairs.same)
        for table, name in ((self._columns.before, BEFORE), (self._columns.after, AFTER)):
            self._engine.keep(name, self._matching(table, differing))

    def _matching(self, table: Table, pairs: Table) -> Table:
        keys = [part for pair in self._key for part in pair.parts(table)]
        names = self._names()
        if not self._nullable:
            return table.semi_join(pairs, [key == pairs[name] for key, name in zip(keys, names, strict=True)])
        couples = [(key, pairs[name]) for key, name in zip(keys, names, strict=True)]
        return table.semi_join(pairs, matching(couples, self._dialect, nullable=True))

    def cells(self) -> dict[str, int]:
        """Return how many cells of each column differ, among the rows gathered."""
        if not self._unique:
            return {pair.name: self._cells_of_multisets(pair) for pair in self.rest}
        found: dict[str, int] = {}
        for start in range(0, len(self.rest), CHUNK):
            chunk = self.rest[start : start + CHUNK]
            joined, x, y = self._joined(chunk)
            sums = {f"c{i}": (~pair.alike(x[pair.name], y[pair.name])).sum() for i, pair in enumerate(chunk)}
            row = self._engine.rows(joined(sums))[0]
            found |= {pair.name: int(row[f"c{i}"] or 0) for i, pair in enumerate(chunk)}
        return found

    def _joined(self, chunk: Sequence[Pair]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """Return a way to aggregate gathered rows joined by key, and the columns of both sides by name."""
        before, after = self._gathered()
        names = [f"{mark}{i}" for mark in ("x", "y") for i in range(len(chunk))]
        left = before.select(
            **self._key_columns(before),
            **{name: before[pair.name] for name, pair in zip(names, chunk, strict=False)},
        )
        right = after.select(
            **{f"b_{name}": value for name, value in self._key_columns(after).items()},
            **{name: after[pair.name] for name, pair in zip(names[len(chunk) :], chunk, strict=True)},
        )
        keys = [(left[name], right[f"b_{name}"]) for name in self._names()]
        joined = left.inner_join(right, matching(keys, self._dialect, nullable=self._nullable))
        x = {pair.name: joined[f"x{i}"] for i, pair in enumerate(chunk)}
        y = {pair.name: joined[f"y{i}"] for i, pair in enumerate(chunk)}
        return joined.aggregate, x, y

    def _key_columns(self, table: Table) -> dict[str, Any]:
        keys = [part for pair in self._key for part in pair.parts(table)]
        return dict(zip(self._names(), keys, strict=True))

    def _gathered(self) -> tuple[Table, Table]:
        before, after = self._columns.before, self._columns.after
        return ibis.table(before.schema(), name=BEFORE), ibis.table(after.schema(), name=AFTER)

    def _cells_of_multisets(self, pair: Pair) -> int:
        """Return how many values of a column differ where each key has two multisets of values."""
        sides = []
        for table, sign in zip(self._gathered(), (1, -1), strict=True):
            values = {f"v{i}": part for i, part in enumerate(pair.parts(table))}
            sides.append(table.select(**self._key_columns(table), **values, s=ibis.literal(sign)))
        both = ibis.union(*sides, distinct=False)
        names = self._names()
        net = both.group_by([*names, *(name for name in both.columns if name.startswith("v"))]).aggregate(
            s=both.s.sum()
        )
        up, down = ibis.ifelse(net.s > 0, net.s, 0), ibis.ifelse(net.s < 0, -net.s, 0)
        by_key = net.group_by(names).aggregate(up=up.sum(), down=down.sum())
        row = self._engine.rows(by_key.aggregate(n=ibis.least(by_key.up, by_key.down).sum()))[0]
        return int(row["n"] or 0)

    def examples(self, pair: Pair, count: int) -> list[dict[str, Any]]:
        """Return some cells of a column that differ, ordered by key: the key's columns by name, `x` and `y`."""
        before, after = self._gathered()
        left = before.select(
            **self._key_columns(before),
            **{f"s{i}": shown(before[each.name]) for i, each in enumerate(self._key)},
            x=before[pair.name],
        )
        right = after.select(
            **{f"b_{name}": value for name, value in self._key_columns(after).items()}, y=after[pair.name]
        )
        keys = [(left[name], right[f"b_{name}"]) for name in self._names()]
        joined = left.inner_join(right, matching(keys, self._dialect, nullable=self._nullable))
        differing = joined.filter(~pair.alike(joined.x, joined.y))
        chosen = differing.order_by(self._names()).limit(count)
        marks = {f"s{i}": each.name for i, each in enumerate(self._key)}
        rows = self._engine.rows(chosen.select(*marks, x=shown(chosen.x), y=shown(chosen.y)))
        return [
            {"key": {name: row[mark] for mark, name in marks.items()}, "x": row["x"], "y": row["y"]} for row in rows
        ]

    def rows_of_one_side(self, *, main: bool, count: int) -> list[dict[str, Any]]:
        """Return some rows whose key only one side has, ordered by key."""
        pairs = self._kept()
        only = pairs.filter((pairs.ina & ~pairs.inb) if main else (pairs.inb & ~pairs.ina))
        table = self._columns.before if main else self._columns.after
        some = only.order_by(self._names()).limit(count)
        found = self._matching(table, some)
        found = found.order_by([found[pair.name] for pair in self._key]).limit(count)
        return self._engine.rows(found.select(**{name: shown(found[name]) for name in found.columns}))

    def forget(self) -> None:
        """Drop what was kept."""
        for name in (PAIRS, BEFORE, AFTER):
            self._engine.forget(name)


def matching(keys: Iterable[tuple[Any, Any]], dialect: Dialect, *, nullable: bool, full: bool = False) -> list[Any]:
    """Return the conditions on which two keys are one; null is like any other value."""
    if not nullable:
        return [x == y for x, y in keys]
    if dialect.null_safe_joins or not full:
        return [x.identical_to(y) for x, y in keys]
    return [
        condition
        for x, y in keys
        for condition in (x.isnull() == y.isnull(), x.fill_null(_filler(x.type())) == y.fill_null(_filler(y.type())))
    ]


def _filler(kind: Any) -> Any:
    """Return any value of a type: where both sides are null it stands for null, and null is compared besides."""
    if kind.is_boolean():
        return False
    if kind.is_numeric():
        return 0
    if kind.is_timestamp():
        return datetime(1970, 1, 1, tzinfo=UTC if kind.timezone else None)
    if kind.is_date():
        return date(1970, 1, 1)
    if kind.is_time():
        return time(0)
    return b"" if kind.is_binary() else ""


def row_digest(exact: Sequence[Any], dialect: Dialect, mark: str = "") -> dict[str, Any]:
    """Return a row's values as one hash of 64 bits; as they are where the engine has none for all types."""
    if not exact:
        return {f"{mark}h": ibis.literal(0)}
    if not dialect.hash:
        return {f"{mark}h{i}": value for i, value in enumerate(exact)}
    told = [each for value in exact for each in signature(value, value.type())]
    kinds = tuple(value.type().copy(nullable=True) for value in told)
    return {f"{mark}h": hash_function(dialect.hash, kinds)(*told)}


def shown(value: Any) -> Any:
    """Return a value as one that Python can be given: instants as text."""
    kind = value.type()
    return value.cast("string") if kind.is_timestamp() or kind.is_interval() or kind.is_uuid() else value


def _summary(pairs: Table) -> Table:
    more = ibis.ifelse(pairs.n > 1, 1, 0)
    missing = ibis.ifelse(pairs.nokey, 1, 0)
    return pairs.group_by(["ina", "inb", "same"]).aggregate(n=pairs.n.sum(), more=more.sum(), nulls=missing.sum())


def _one(found: dict[tuple[bool, bool, bool], dict[str, Any]], side: tuple[bool, bool]) -> int:
    return sum(int(row["n"]) for (ina, inb, _), row in found.items() if (ina, inb) == side)
