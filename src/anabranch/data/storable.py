"""What a format can hold: casts where these lose nothing, a refusal by name where they would."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anabranch.data.duck import canonical, literal, quote, sql_type
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    import duckdb

_TABLES = {Format.DELTA, Format.ICEBERG}
_INTEGERS = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
_EXACT_IN_DOUBLE = {"int8", "int16", "int32", "uint8", "uint16", "uint32", "float32"}
_DIGITS = {"int8": 3, "uint8": 3, "int16": 5, "uint16": 5, "int32": 10, "uint32": 10, "int64": 19, "uint64": 20}

NOWHERE = {
    "interval": ("a duration", "write it as a whole number of microseconds"),
    "union": ("a union", "write a struct"),
    "time with time zone": ("a time of day with a zone", "write it as a time, or as a string"),
    "variant": ("a variant", "write it as a string"),
    "bignum": ("a number of any length", "cast it to a decimal, or to a string"),
}
"""DuckDB's types that no format of ours holds exactly: what they are, and what to do."""

_TEXT = {"uuid": "VARCHAR", "bit": "VARCHAR", "enum": "VARCHAR"}
_HUGE = {"hugeint": "BIGINT", "uhugeint": "BIGINT"}
_UNSIGNED = {"utinyint": "SMALLINT", "usmallint": "INTEGER", "uinteger": "BIGINT", "ubigint": "BIGINT"}
_COARSER = {"timestamp_s": "TIMESTAMP", "timestamp_ms": "TIMESTAMP"}
_FINER = {
    "timestamp_ns": ("TIMESTAMP", "epoch_ns({0}) % 1000 = 0"),
    "time_ns": ("TIME", "CAST(CAST({0} AS TIME) AS TIME_NS) = {0}"),
}
"""Types with nanoseconds: what they become, and the condition that nothing is lost."""


class _Unfit(Exception):
    """The format cannot hold the type: what it is, and what to do."""


def lossless(given: str, wanted: str) -> bool:
    """Tell whether a cast keeps every value, or fails where it cannot.

    >>> lossless("int64", "int32"), lossless("float64", "int64"), lossless("decimal(3,2)", "decimal(10,2)")
    (True, False, True)
    >>> lossless("int32", "decimal(12,2)"), lossless("int64", "decimal(12,2)")
    (True, False)
    """
    if wanted in _INTEGERS:
        return given in _INTEGERS or given in {"HUGEINT", "UHUGEINT"}
    if wanted == "float64":
        return given in _EXACT_IN_DOUBLE
    if wanted.startswith("decimal("):
        precision, scale = _decimal(wanted)
        if given.startswith("decimal("):
            return _decimal(given)[1] <= scale
        return _DIGITS.get(given, precision + 1) <= precision - scale
    return wanted == "json" and given in {"string", "JSON"}


def _decimal(kind: str) -> tuple[int, int]:
    precision, _, scale = kind.removeprefix("decimal(").rstrip(")").partition(",")
    return int(precision), int(scale)


def as_parquet(spec: DatasetSpec) -> DatasetSpec:
    """Return the dataset as one Parquet file would hold it: on its way to a table, or to Spark."""
    return replace(spec, format=Format.PARQUET, partition_by=())


def storable(db: duckdb.DuckDBPyConnection, query: str, spec: DatasetSpec, port: str) -> str:
    """Return the query with casts to promised types and to what the format holds, where these lose nothing.

    Values that do not survive a cast make the query fail.

    Raises:
        StepError: `unstorable-type`, the format cannot hold a column.
    """
    relation = db.sql(query)
    chosen: list[str] = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        promised = spec.column(name)
        chosen.append(column(name, kind, promised.type if promised else "", spec.format, port))
    same = chosen == [quote(name) for name in relation.columns]
    return query if same or not chosen else f"SELECT {', '.join(chosen)} FROM ({query})"


def column(name: str, kind: Any, wanted: str, form: Format, port: str) -> str:
    """Return SQL for a column as it is to be written; `wanted` is its promised type, if there is one.

    Raises:
        StepError: `unstorable-type`.
    """
    try:
        return _column(name, kind, wanted, form)
    except _Unfit as unfit:
        what, hint = unfit.args
        message = f"column `{name}` of `{port}` is {what}, which {form} cannot hold exactly"
        raise StepError(message, code="unstorable-type", hint=hint) from None


def _column(name: str, kind: Any, wanted: str, form: Format) -> str:
    quoted, given = quote(name), canonical(kind)
    if form in _TABLES and wanted.startswith("uint"):
        raise _Unfit(f"promised as {wanted}", "promise a signed integer")
    if form is Format.DELTA and "time" in (given, wanted):
        raise _Unfit("a time of day", "write it as a string, or as a timestamp")
    fits = _fitting(kind, form)
    if kind.id in _FINER and (wanted or form is not Format.PARQUET or kind.id == "time_ns"):
        target, exact = _FINER[kind.id]
        failed = f"error({literal(f'column {name} has nanoseconds: round it to microseconds')})"
        kept = f"{quoted} IS NULL OR {exact.format(quoted)}"
        return f"CASE WHEN {kept} THEN CAST({quoted} AS {target}) ELSE {failed} END AS {quoted}"
    if wanted and (kind.id in {"null", *_COARSER} or (wanted != given and lossless(given, wanted))):
        return f"CAST({quoted} AS {sql_type(wanted)}) AS {quoted}"
    return quoted if fits == str(kind) else f"CAST({quoted} AS {fits}) AS {quoted}"


def _fitting(kind: Any, form: Format) -> str:
    """Return the type, in DuckDB's name, as which a format holds a type.

    Raises:
        _Unfit: there is none.
    """
    name = kind.id
    if name in NOWHERE:
        raise _Unfit(*NOWHERE[name])
    table = form in _TABLES
    simple = {**_TEXT, **_HUGE, **(_UNSIGNED | _COARSER | {"null": "VARCHAR"} if table else {})}
    if str(kind) == "JSON":
        return "VARCHAR" if table else "JSON"
    if name in simple:
        return simple[name]
    match name:
        case "list" | "array":
            inner = kind.children[0][1]
            return f"{_part(inner, form)}[]" if table or name == "list" else str(kind)
        case "map":
            return f"MAP({_part(kind.children[0][1], form)}, {_part(kind.children[1][1], form)})"
        case "struct":
            return "STRUCT(" + ", ".join(f"{quote(n)} {_part(inner, form)}" for n, inner in kind.children) + ")"
        case _:
            return str(kind)


def _part(kind: Any, form: Format) -> str:
    if kind.id in _FINER and (form is not Format.PARQUET or kind.id == "time_ns"):
        raise _Unfit("a nested time with nanoseconds", "round it to microseconds")
    if form is Format.DELTA and kind.id == "time":
        raise _Unfit("a nested time of day", "write it as a string")
    if kind.id == "null" and form in _TABLES:
        return "VARCHAR"
    return _fitting(kind, form)
