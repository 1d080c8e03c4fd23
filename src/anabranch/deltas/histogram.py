"""How the numbers and times of columns are spread on both sides: in shared buckets, by two scans of each side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from anabranch.deltas.untyped import ibis
from anabranch.model.delta import Bucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anabranch.deltas.engine import Engine
    from anabranch.deltas.untyped import Table

BUCKETS = 10
SECONDS_OF_A_DAY = 86_400.0

Bounds = tuple[float, float]
"""The least and the greatest number."""


def histograms(engine: Engine, before: Table, after: Table, names: Sequence[str]) -> dict[str, tuple[Bucket, ...]]:
    """Return the histograms of those columns that hold numbers or times, and not one value only.

    Times are seconds since 1970. Null, NaN and the infinities are in no bucket.
    """
    drawn = [name for name in names if all(_numbers(table[name]) is not None for table in (before, after))]
    if not drawn:
        return {}
    sides = [_bounds(engine, table, drawn) for table in (before, after)]
    shared: dict[str, Bounds] = {}
    for name in drawn:
        found = [side[name] for side in sides if name in side]
        low, high = min((b[0] for b in found), default=0.0), max((b[1] for b in found), default=0.0)
        if low < high and math.isfinite(high - low) and (high - low) / BUCKETS > 0:
            shared[name] = low, high
    mine, theirs = (_counts(engine, table, shared) for table in (before, after))
    return {
        name: tuple(Bucket(low + i * (high - low) / BUCKETS, mine[name][i], theirs[name][i]) for i in range(BUCKETS))
        for name, (low, high) in shared.items()
    }


def _bounds(engine: Engine, table: Table, names: Sequence[str]) -> dict[str, Bounds]:
    wanted: dict[str, Any] = {}
    for i, name in enumerate(names):
        number = _numbers(table[name])
        wanted |= {f"a{i}": number.min(), f"z{i}": number.max()}
    row = engine.rows(table.aggregate(**wanted))[0]
    pairs = ((name, row[f"a{i}"], row[f"z{i}"]) for i, name in enumerate(names))
    return {name: (float(low), float(high)) for name, low, high in pairs if low is not None}


def _counts(engine: Engine, table: Table, shared: Mapping[str, Bounds]) -> dict[str, list[int]]:
    wanted: dict[str, Any] = {}
    for i, (name, (low, high)) in enumerate(shared.items()):
        place = ((_numbers(table[name]) - low) / ((high - low) / BUCKETS)).floor()
        for b in range(BUCKETS):
            inside = place >= b if b == BUCKETS - 1 else place == b
            wanted[f"c{i}_{b}"] = ibis.ifelse(inside, 1, 0).sum()
    row = engine.rows(table.aggregate(**wanted))[0] if wanted else {}
    return {name: [int(row[f"c{i}_{b}"] or 0) for b in range(BUCKETS)] for i, name in enumerate(shared)}


def _numbers(column: Any) -> Any:
    """Return a column's finite numbers, else null; None where it holds neither numbers nor times."""
    kind = column.type()
    if kind.is_timestamp():
        value = column.epoch_seconds().cast("float64")
    elif kind.is_date():
        value = column.epoch_days().cast("float64") * SECONDS_OF_A_DAY
    elif kind.is_numeric() and not kind.is_boolean():
        value = column.cast("float64")
    else:
        return None
    return ibis.ifelse(~value.isnan() & (value.abs() < math.inf), value, ibis.null("float64"))
