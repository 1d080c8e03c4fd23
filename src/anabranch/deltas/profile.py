"""Columns in numbers: nulls, distinct values, least, greatest and mean value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from anabranch.deltas.rows import CHUNK, shown
from anabranch.deltas.text import text
from anabranch.model.delta import Profile

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from anabranch.deltas.engine import Engine
    from anabranch.deltas.untyped import Table


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


def _is_simple(kind: Any) -> bool:
    return not (kind.is_nested() or kind.is_json() or kind.is_geospatial())


def _is_ordered(kind: Any) -> bool:
    return (kind.is_numeric() and not kind.is_boolean()) or kind.is_temporal() or kind.is_string()
