"""DuckDB: the hub through which every format and every frame goes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anabranch.model.columns import split_arguments
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    import duckdb

TYPES = {
    "string": "VARCHAR",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "bool": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "binary": "BLOB",
    "json": "JSON",
}
_NAMES = {sql: name for name, sql in TYPES.items()} | {
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIME_NS": "time",
}


def connect(scratch: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return a private database: in memory, in UTC, without network; it spills to `scratch` rather than fail."""
    import duckdb

    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": True,
    }
    if scratch is not None:
        config["temp_directory"] = str(scratch)
    db = duckdb.connect(":memory:", config=config)
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET enable_progress_bar = false")  # it would stand in the middle of what we print
    return db


def quote(name: str) -> str:
    """Return an identifier for SQL.

    >>> quote('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """Return a text for SQL.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + str(text).replace("'", "''") + "'"


def sql_type(text: str) -> str:
    """Return DuckDB's name of a canonical column type.

    >>> sql_type("list<int64>"), sql_type("struct<a: string>"), sql_type("decimal(10,2)")
    ('BIGINT[]', 'STRUCT("a" VARCHAR)', 'DECIMAL(10,2)')
    """
    if text in TYPES:
        return TYPES[text]
    outer, _, inner = text.partition("<")
    inside = split_arguments(inner[:-1])
    match outer:
        case "list":
            return f"{sql_type(inside[0])}[]"
        case "map":
            return f"MAP({sql_type(inside[0])}, {sql_type(inside[1])})"
        case "struct":
            fields = (part.split(":", 1) for part in inside)
            return "STRUCT(" + ", ".join(f"{quote(n.strip())} {sql_type(t.strip())}" for n, t in fields) + ")"
        case _:
            return text.upper()


def canonical(kind: Any) -> str:
    """Return our name of a DuckDB type; DuckDB's own where we have none."""
    text = str(kind)
    if text in _NAMES:
        return _NAMES[text]
    match kind.id:
        case "decimal":
            return text.lower()
        case "list":
            return f"list<{canonical(kind.children[0][1])}>"
        case "map":
            return f"map<{canonical(kind.children[0][1])}, {canonical(kind.children[1][1])}>"
        case "struct":
            return "struct<" + ", ".join(f"{name}: {canonical(inner)}" for name, inner in kind.children) + ">"
        case "enum":
            return "string"
        case _:
            return text


def schema(relation: duckdb.DuckDBPyRelation) -> dict[str, str]:
    """Return the columns of a relation with our names of their types."""
    return {name: canonical(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}


def fetched(name: str, kind: Any) -> str:
    """Return a column as SQL whose values Python can be given: times with a zone become text.

    DuckDB makes them with pytz, which need not be installed.

    >>> fetched("at", "TIMESTAMP WITH TIME ZONE"), fetched("id", "BIGINT")
    ('CAST("at" AS VARCHAR) AS "at"', '"id"')
    """
    quoted = quote(name)
    return f"CAST({quoted} AS VARCHAR) AS {quoted}" if "WITH TIME ZONE" in str(kind) else quoted


def duckdb_error() -> type[Exception]:
    """Return the class of DuckDB's errors, loaded on use."""
    import duckdb

    return duckdb.Error


@contextmanager
def reading(dataset: str, location: str | Path, explain: Callable[[Exception], str] | None = None) -> Generator[None]:
    """Turn DuckDB's errors while it reads a dataset into ours.

    Args:
        dataset: its name.
        location: where it lies.
        explain: says it better than DuckDB.

    Raises:
        StepError: `unreadable-input`, with the first lines of what DuckDB says.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        said = explain(error) if explain else first_lines(error)
        message = f"dataset `{dataset}` at {location} cannot be read: {said}"
        hint = "look at the file: it may be cut short, of another format, or hold values of another type"
        raise StepError(message, code="unreadable-input", hint=hint) from None  # it may quote data


_LINE = re.compile(
    r"^Original Line: .*?(?=^(?:Error when|Expected Number|Value with|Invalid unicode|Maximum|Possible|State )|\Z)",
    re.MULTILINE | re.DOTALL,
)


def first_lines(error: Exception, count: int = 3) -> str:
    """Return the start of one of DuckDB's messages, without its advice on options, and without lines of the data."""
    text = _LINE.sub("", str(error)).partition("Possible fixes")[0].partition("\n\n")[0]
    lines = (line.strip() for line in text.splitlines())
    return "; ".join([line for line in lines if line and not line.startswith("Try setting")][:count])
