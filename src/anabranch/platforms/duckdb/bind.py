"""What a query makes of its inputs' columns, found without any rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.columns import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_NAMES = {sql: name for name, sql in TYPES.items()}


def bind(query: str, tables: Mapping[str, tuple[Column, ...]], params: Mapping[str, str]) -> tuple[Column, ...] | str:
    """Return the columns that a query gives, or DuckDB's message.

    Args:
        query: one SELECT.
        tables: the promised, typed columns of each input port.
        params: the type of each param, by name; the query has them as `$name`.
    """
    import duckdb

    db = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    try:
        for name, columns in tables.items():
            fields = ", ".join(f"{_quote(column.name)} {sql_type(column.type)}" for column in columns)
            db.execute(f"CREATE TABLE {_quote(name)} ({fields})")
        statements = db.extract_statements(query)
        if len(statements) != 1:
            return f"the query has {len(statements)} statements; write one SELECT"
        used = statements[0].named_parameters
        unknown = sorted(name for name in used if name not in params)
        if unknown:
            return f"the query names ${unknown[0]}, which is no param of the pipeline"
        given = dict.fromkeys(used)
        described = db.execute(f"DESCRIBE {query.rstrip().rstrip(';')}", given or None).fetchall()
    except duckdb.Error as error:
        return str(error).partition("\n\n")[0].strip()
    finally:
        db.close()
    return tuple(Column(str(row[0]), _canonical(str(row[1]))) for row in described)


def _canonical(name: str) -> str:
    """Return our name of a DuckDB type; empty for those that contracts do not compare."""
    return _NAMES.get(name) or (name.lower() if name.startswith("DECIMAL(") else "")


def sql_type(text: str) -> str:
    """Return DuckDB's name of a canonical column type.

    >>> sql_type("list<int64>"), sql_type("struct<a: string>"), sql_type("decimal(10,2)")
    ('BIGINT[]', 'STRUCT("a" VARCHAR)', 'DECIMAL(10,2)')
    """
    from anabranch.model.columns import split_arguments

    if text in TYPES:
        return TYPES[text]
    outer, _, inner = text.partition("<")
    parts = split_arguments(inner[:-1])
    match outer:
        case "list":
            return f"{sql_type(parts[0])}[]"
        case "map":
            return f"MAP({sql_type(parts[0])}, {sql_type(parts[1])})"
        case "struct":
            fields = (part.split(":", 1) for part in parts)
            return "STRUCT(" + ", ".join(f"{_quote(n.strip())} {sql_type(t.strip())}" for n, t in fields) + ")"
        case _:
            return text.upper()


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
