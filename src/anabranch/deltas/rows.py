"""What both ways to match rows share: a row's hash, keys that join, and values that Python can be given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from anabranch.deltas.equality import hash_function, signature
from anabranch.deltas.untyped import ibis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anabranch.deltas.engine import Dialect

PAIRS, BEFORE, AFTER = "anabranch_pairs", "anabranch_before", "anabranch_after"
"""The temporary tables of a comparison."""

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


def digest(values: Sequence[Any], dialect: Dialect) -> list[Any]:
    """Return values of a row as one hash of 64 bits; as they are where the engine has none for all types."""
    if not values:
        return [ibis.literal(0)]
    if not dialect.hash:
        return list(values)
    told = [each for value in values for each in signature(value, value.type())]
    if dialect.hash_skips_nulls:
        told += [value.isnull() for value in told if type(value.op()).__name__ != "IsNull"]
    kinds = tuple(value.type().copy(nullable=True) for value in told)
    return [hash_function(dialect.hash, kinds)(*told)]


def matching(
    keys: Iterable[tuple[Any, Any]], dialect: Dialect, *, nullable: bool = True, full: bool = False
) -> list[Any]:
    """Return the conditions on which two keys are one; null, where there may be any, is like any other value."""
    if not nullable:
        return [x == y for x, y in keys]
    if dialect.null_safe_joins or not full:
        return [x.identical_to(y) for x, y in keys]
    couples = [(x.cast("string"), y.cast("string")) if _has_no_filler(x.type()) else (x, y) for x, y in keys]
    return [
        condition
        for x, y in couples
        for condition in (x.isnull() == y.isnull(), x.fill_null(_filler(x.type())) == y.fill_null(_filler(y.type())))
    ]


def _has_no_filler(kind: Any) -> bool:
    return bool(kind.is_json() or kind.is_interval() or kind.is_inet() or kind.is_macaddr() or kind.is_unknown())


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
    if kind.is_uuid():
        return UUID(int=0)
    if kind.is_array():
        return ibis.literal("{}").cast(kind)  # as Postgres writes an empty one, of a type that it is told
    return b"" if kind.is_binary() else ""


def shown(value: Any) -> Any:
    """Return a value as one that Python can be given: as text where a date or a time is in it, which may be beyond."""
    return value.cast("string") if _is_beyond(value.type()) else value


def text_of(value: Any) -> Any:
    """Return a value as text."""
    return value if value.type().is_string() else value.cast("string")


def _is_beyond(kind: Any) -> bool:
    if kind.is_array():
        return _is_beyond(kind.value_type)
    if kind.is_map():
        return _is_beyond(kind.key_type) or _is_beyond(kind.value_type)
    if kind.is_struct():
        return any(_is_beyond(field) for field in kind.types)
    return bool(kind.is_temporal() or kind.is_interval() or kind.is_uuid())
