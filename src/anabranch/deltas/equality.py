"""When two values are equal: defined here, once, for every engine.

- Null equals null and nothing else. NaN equals NaN. -0.0 equals 0.0.
- Numbers of different types are equal when they are the same number: integers and decimals are cast to a type that
  holds both; an integer equals a float only if the float is exactly that integer, so 2^53 + 1 is not 2^53; a decimal
  of at most 15 digits equals the float that is nearest to it.
- There is no tolerance unless one is asked for, by column.
- Instants are compared in UTC, and are never equal to times without a zone. Dates are not times.
- Lists are ordered unless the column is declared a set. Maps are not ordered. Structs are compared field by field, by
  name; a field that one side has not is a change of schema. All of them deep.
- JSON is compared as text.
- What has no common type cannot be compared: the column is UNKNOWN, and never a match.
"""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from anabranch.deltas.untyped import Kind, dt, ibis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.deltas.engine import Dialect

_EXACT_IN_DOUBLE = 15
"""Digits of a decimal that a float64 tells apart."""
_MOST_DIGITS = 38
_DIGITS = {1: 3, 2: 5, 4: 10, 8: 20}
_SMALL = 4
"""Bytes of an integer that a float64 holds exactly."""

NUMBER_AND_FLOAT = "number"
"""The common type of 64-bit integers and floats: no engine has one, so both are compared in two parts."""


def common(a: Kind, b: Kind) -> Kind | str | None:
    """Return the type as which two types are compared; None when they cannot be."""
    a, b = a.copy(nullable=True), b.copy(nullable=True)
    if a == b:
        return dt.string if a.is_json() else a
    if isinstance(a, dt.Null) or isinstance(b, dt.Null):
        return b if isinstance(a, dt.Null) else a
    if a.is_numeric() and b.is_numeric():
        return _common_number(a, b)
    if a.is_timestamp() and b.is_timestamp():
        same_kind = (a.timezone is None) == (b.timezone is None)
        return _finer(a, b) if same_kind else None
    if isinstance(a, dt.Array) and isinstance(b, dt.Array):
        inner = common(a.value_type, b.value_type)
        return dt.Array(inner) if isinstance(inner, dt.DataType) else None
    if isinstance(a, dt.Struct) and isinstance(b, dt.Struct):
        return _common_struct(a, b)
    if isinstance(a, dt.Map) and isinstance(b, dt.Map):
        key, value = common(a.key_type, b.key_type), common(a.value_type, b.value_type)
        return dt.Map(key, value) if isinstance(key, dt.DataType) and isinstance(value, dt.DataType) else None
    if a.is_string() and b.is_string():
        return dt.string
    if a.is_time() and b.is_time():
        return dt.time
    return None


def _common_number(a: Any, b: Any) -> Kind | str | None:
    if a.is_integer() and b.is_integer():
        if a.is_signed_integer() == b.is_signed_integer():
            return a if a.nbytes >= b.nbytes else b
        unsigned, signed = (a, b) if a.is_unsigned_integer() else (b, a)
        size = max(unsigned.nbytes * 2, signed.nbytes)
        return {2: dt.int16, 4: dt.int32, 8: dt.int64}.get(size, dt.Decimal(20, 0))
    if a.is_floating() and b.is_floating():
        return dt.float64
    if a.is_floating() or b.is_floating():
        other = b if a.is_floating() else a
        if other.is_integer():
            return dt.float64 if other.nbytes <= _SMALL else NUMBER_AND_FLOAT
        digits = other.precision or _MOST_DIGITS
        return dt.float64 if other.is_decimal() and digits <= _EXACT_IN_DOUBLE else None
    if a.is_boolean() or b.is_boolean():
        return None
    if any(each.is_decimal() and each.precision is None for each in (a, b)):
        return dt.Decimal()
    return _common_decimal(_as_decimal(a), _as_decimal(b))


def _as_decimal(kind: Any) -> tuple[int, int]:
    if kind.is_integer():
        return _DIGITS[kind.nbytes], 0
    return kind.precision or _MOST_DIGITS, kind.scale or 0


def _common_decimal(a: tuple[int, int], b: tuple[int, int]) -> Kind | None:
    scale = max(a[1], b[1])
    digits = max(a[0] - a[1], b[0] - b[1]) + scale
    return dt.Decimal(digits, scale) if digits <= _MOST_DIGITS else None


def _finer(a: Kind, b: Kind) -> Kind:
    return a if (a.scale if a.scale is not None else 6) >= (b.scale if b.scale is not None else 6) else b


def _common_struct(a: Kind, b: Kind) -> Kind | None:
    fields: dict[str, Kind] = {}
    for name in a.names:
        if name in b.names:
            inner = common(a[name], b[name])
            if not isinstance(inner, dt.DataType):
                return None
            fields[name] = inner
    return dt.Struct(fields) if fields else None


def struct_changes(a: Kind, b: Kind) -> tuple[str, ...]:
    """Return the fields of structs that only one side has, as `-name` and `+name`."""
    if not (isinstance(a, dt.Struct) and isinstance(b, dt.Struct)):
        return ()
    gone = [f"-{name}" for name in a.names if name not in b.names]
    return (*gone, *(f"+{name}" for name in b.names if name not in a.names))


def parts(value: Any, kind: Kind | str, dialect: Dialect, *, as_set: bool = False) -> Sequence[Any]:
    """Return a column as expressions of which all are identical exactly when the values are equal.

    Args:
        value: the column.
        kind: the common type, from `common`.
        dialect: of the engine that will run it.
        as_set: compare a list as a set.
    """
    if isinstance(kind, str):
        return _number_parts(value)
    return [canonical(value, kind, dialect, as_set=as_set)]


def signature(value: Any, kind: Kind) -> list[Any]:
    """Return a canonical value as expressions whose hashes tell all of it: nested values by what they are made of.

    DuckDB 2.0 gives an empty list and null one hash, and so a struct of nulls and null: here they differ.
    """
    if isinstance(kind, dt.Struct):
        inner = [each for name, field in kind.items() for each in signature(value[name], field)]
        return [value.isnull(), *inner]
    if isinstance(kind, dt.Array):
        count = len(_element(ibis.null(kind.value_type), kind.value_type))
        return [value.length(), *(value.map(_piece(kind.value_type, i)) for i in range(count))]
    return [value]


def _element(value: Any, kind: Kind) -> list[Any]:
    inner = signature(value, kind)
    return [value, value.isnull()] if len(inner) == 1 else inner


def _piece(kind: Kind, i: int) -> Any:
    """Return what gives one part of the signature of a list's element."""

    def piece(each: Any) -> Any:
        return _element(each, kind)[i]

    return piece


def _number_parts(value: Any) -> list[Any]:
    """Return an integer or a float as its whole part, and what is no integer of 64 bits."""
    if value.type().is_integer():
        return [value.cast(dt.Decimal(20, 0)), ibis.null(dt.float64)]
    number = value.cast("float64")
    limit = 9.2e18
    whole = (~number.isnan()) & (number.abs() < limit) & (number == number.floor())
    return [
        ibis.ifelse(whole, number, ibis.null(dt.float64)).cast("int64").cast(dt.Decimal(20, 0)),
        ibis.ifelse(whole, ibis.null(dt.float64), number),
    ]


def canonical(value: Any, kind: Kind, dialect: Dialect, *, as_set: bool = False) -> Any:
    """Return a column as one expression of the common type, alike exactly where values are equal."""
    given = value.type()
    if isinstance(kind, dt.Struct) and isinstance(given, dt.Struct):
        if given.copy(nullable=True) != kind or not dialect.nested_equal:
            fields = {name: canonical(value[name], inner, dialect) for name, inner in kind.items()}
            return ibis.ifelse(value.isnull(), ibis.null(kind), ibis.struct(fields).cast(kind))
        return value
    if isinstance(kind, dt.Array):
        if not dialect.nested_equal and _has_float(kind):

            def inner(each: Any) -> Any:
                return canonical(each, kind.value_type, dialect)

            value = value.map(inner)
        value = _cast(value, kind)
        return _function(dialect.sort, kind, kind)(value.unique()) if as_set and dialect.sort else value
    if isinstance(kind, dt.Map) and dialect.entries:
        entry = dt.Array(dt.Struct({"key": kind.key_type, "value": kind.value_type}))
        entries = _function(dialect.entries, kind, entry)(_cast(value, kind))
        return _function(dialect.sort, entry, entry)(entries)
    value = _cast(value, kind)
    if kind.is_floating() and dialect.name != "duckdb":
        value = value + ibis.literal(0.0)  # -0.0 becomes 0.0
    return value


def comparable(kind: Kind | str, dialect: Dialect) -> str:
    """Return why an engine cannot compare a type; empty when it can."""
    if isinstance(kind, str):
        return ""
    if isinstance(kind, dt.Map) and not dialect.entries:
        return f"{dialect.name} cannot compare maps"
    if isinstance(kind, dt.Array | dt.Map | Kind):
        inner = kind.types if isinstance(kind, dt.Struct) else [getattr(kind, "value_type", kind)]
        return next(filter(None, (comparable(each, dialect) for each in inner)), "")
    return ""


def _has_float(kind: Kind) -> bool:
    if isinstance(kind, dt.Array):
        return _has_float(kind.value_type)
    if isinstance(kind, dt.Struct):
        return any(_has_float(each) for each in kind.types)
    return bool(kind.is_floating())


def _cast(value: Any, kind: Kind) -> Any:
    return value if value.type().copy(nullable=True) == kind else value.cast(kind)


@cache
def _function(name: str, given: Kind, result: Kind) -> Any:
    """Return an engine's own function of one argument."""

    def built_in(value):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        ...

    return ibis.udf.scalar.builtin(built_in, name=name, signature=((given,), result))


@cache
def hash_function(name: str, given: tuple[Kind, ...]) -> Any:
    """Return an engine's own hash of several values, of 64 bits."""
    names = (f"v{i}" for i in range(len(given)))
    parameters = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]

    def hashed(*_values):  # type: ignore[no-untyped-def] # noqa: ANN002, ANN202
        ...

    hashed.__signature__ = Signature(parameters)  # type: ignore[attr-defined] # Ibis takes as many arguments
    result = dt.uint64 if name == "hash" else dt.int64
    return ibis.udf.scalar.builtin(hashed, name=name, signature=(given, result))


def close(a: Any, b: Any, tolerance: float) -> Any:
    """Return whether two numbers differ by at most the tolerance; null only equals null, NaN only NaN."""
    x, y = a.cast("float64"), b.cast("float64")
    near = ((x - y).abs() <= tolerance).fill_null(False)  # noqa: FBT003 - a value of the query
    return x.identical_to(y) | (near & ~x.isnan().fill_null(False) & ~y.isnan().fill_null(False))  # noqa: FBT003
