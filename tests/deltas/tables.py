"""Two small tables, compared by the engine and by a reference that is slow and obvious."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from anabranch.deltas.compare import Options, compare
from anabranch.deltas.engines.duckdb import DuckdbEngine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anabranch.model.delta import ColumnDelta, DatasetDelta

Table = tuple["Mapping[str, str]", "Sequence[Sequence[Any]]"]
"""Types by column, and rows."""


def load(db: duckdb.DuckDBPyConnection, name: str, table: Table) -> None:
    """Make a table of rows."""
    kinds, rows = table
    columns = ", ".join(f'"{column}" {kind}' for column, kind in kinds.items())
    db.execute(f"CREATE TABLE {name} ({columns})")
    if rows:
        db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(kinds))})", [list(row) for row in rows])


def delta(before: Table, after: Table, key: Sequence[str] = (), **options: Any) -> DatasetDelta:
    """Compare two tables on DuckDB."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        load(db, "before", before)
        load(db, "after", after)
        return compare(DuckdbEngine(db), "before", "after", "things", Options(key, **options))


def queries(before: str, after: str, key: Sequence[str] = (), **options: Any) -> DatasetDelta:
    """Compare the rows of two queries on DuckDB."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(f"CREATE TABLE before AS {before}")
        db.execute(f"CREATE TABLE after AS {after}")
        return compare(DuckdbEngine(db), "before", "after", "things", Options(key, **options))


def column(found: DatasetDelta, name: str) -> ColumnDelta:
    """Return one column of a delta."""
    return next(each for each in found.columns if each.name == name)


@dataclass
class Expected:
    """What the reference counts."""

    same: int
    changed: int
    added: int
    removed: int
    cells: dict[str, int]
    duplicates: tuple[int, int]


def norm(value: Any) -> Any:
    """Return a value as something of which equal ones are those that are equal in our sense."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    if isinstance(value, list | tuple):
        return tuple(norm(each) for each in value)
    if isinstance(value, dict):
        return tuple((name, norm(each)) for name, each in sorted(value.items()))
    return value


def reference(columns: Sequence[str], before: Any, after: Any, key: Sequence[str]) -> Expected:
    """Count what differs, row by row."""
    places = [columns.index(name) for name in key]

    def by_key(rows: Any) -> dict[Any, Counter[Any]]:
        found: dict[Any, Counter[Any]] = {}
        for row in rows:
            whole = norm(list(row))
            found.setdefault(tuple(whole[i] for i in places), Counter())[whole] += 1
        return found

    mine, theirs = by_key(before), by_key(after)
    same = changed = added = removed = 0
    cells = dict.fromkeys((name for name in columns if name not in key), 0)
    for k in {*mine, *theirs}:
        a, b = mine.get(k, Counter()), theirs.get(k, Counter())
        alike = sum((a & b).values())
        left, right = a.total() - alike, b.total() - alike
        same += alike
        both = min(left, right) if key else 0
        changed, removed, added = changed + both, removed + left - both, added + right - both
        if both:
            for name in cells:
                i = columns.index(name)
                x = Counter(row[i] for row in a.elements())
                y = Counter(row[i] for row in b.elements())
                cells[name] += min((x - y).total(), (y - x).total())
    duplicates = sum(c.total() > 1 for c in mine.values()), sum(c.total() > 1 for c in theirs.values())
    return Expected(same, changed, added, removed, cells, duplicates if key else (0, 0))
