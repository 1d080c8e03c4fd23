"""Columns in numbers: nulls, distinct values, least, greatest and mean value, and a small histogram."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from anabranch.deltas.rows import CHUNK, shown
from anabranch.deltas.text import text
from anabranch.model.delta import Bucket, Profile

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from anabranch.deltas.engine import Engine
    from anabranch.deltas.untyped import Table

BUCKETS = 10
SECONDS_OF_A_DAY = 86_400.0


def profiles(engine: Engine, table: Table, names: Sequence[str], sensitive: Collection[str]) -> dict[str, Profile]:
    """Return the profiles of columns, in one scan for each few hundred; of sensitive ones (in lower case) no value."""
    found: dict[str, Profile] = {}
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        wanted: dict[str, Any] = {}
        for i, name in enumerate(chunk):
            column = table[name]
            wanted[f"n{i}"] = column.isnull().sum()
            if _is_simple(column.type()):
                wanted[f"d{i}"] = column.approx_nunique() if engine.dialect.hash else column.nunique()
            if name.casefold() not in sensitive and _is_ordered(column.type()):
                wanted[f"a{i}"], wanted[f"z{i}"] = shown(column.min()), shown(column.max())
            if name.casefold() not in sensitive and column.type().is_numeric():
                wanted[f"m{i}"] = column.cast("float64").mean()
        row = engine.rows(table.aggregate(**wanted))[0]
        for i, name in enumerate(chunk):
            mean = row.get(f"m{i}")
            mean = None if mean is None or not math.isfinite(mean) else float(mean)
            distinct = row.get(f"d{i}")
            least, most = (text(row.get(f"{mark}{i}")) for mark in "az")
            found[name] = Profile(
                int(row[f"n{i}"] or 0), None if distinct is None else int(distinct), least, most, mean
            )
    return found


def histogram(engine: Engine, before: Table, after: Table, name: str) -> tuple[Bucket, ...]:
    """Return how the numbers of a column are spread on both sides, in shared buckets; none where they are all alike."""
    sides = [_numbers(table, name) for table in (before, after)]
    if any(side is None for side in sides):
        return ()
    bounds = [engine.rows(side.aggregate(low=side.x.min(), high=side.x.max()))[0] for side in sides if side is not None]
    lows = [float(row["low"]) for row in bounds if row["low"] is not None]
    highs = [float(row["high"]) for row in bounds if row["high"] is not None]
    if not lows or min(lows) == max(highs):
        return ()
    low, width = min(lows), (max(highs) - min(lows)) / BUCKETS
    if width <= 0 or not math.isfinite(width):
        return ()
    counts = [_counted(engine, side, low, width) for side in sides if side is not None]
    return tuple(Bucket(low + i * width, counts[0].get(i, 0), counts[1].get(i, 0)) for i in range(BUCKETS))


def _counted(engine: Engine, side: Table, low: float, width: float) -> dict[int, int]:
    bucket = ((side.x - low) / width).floor().cast("int64").clip(0, BUCKETS - 1)
    placed = side.select(b=bucket)
    return {int(row["b"]): int(row["n"]) for row in engine.rows(placed.group_by("b").aggregate(n=placed.count()))}


def _numbers(table: Table, name: str) -> Table | None:
    """Return the finite numbers of a column; of times the seconds since 1970."""
    column: Any = table[name]
    kind = column.type()
    if kind.is_timestamp():
        value = column.epoch_seconds().cast("float64")
    elif kind.is_date():
        value = column.epoch_days().cast("float64") * SECONDS_OF_A_DAY
    elif kind.is_numeric() and not kind.is_boolean():
        value = column.cast("float64")
    else:
        return None
    side = table.select(x=value)
    kept = side.filter(side.x.notnull() & ~side.x.isnan() & (side.x.abs() < math.inf))
    return kept.select("x")


def _is_simple(kind: Any) -> bool:
    return not (kind.is_nested() or kind.is_json() or kind.is_geospatial())


def _is_ordered(kind: Any) -> bool:
    return (kind.is_numeric() and not kind.is_boolean()) or kind.is_temporal() or kind.is_string()
