"""What a query makes of its inputs' columns, found without any rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.data.duck import canonical, connect, quote, sql_type
from anabranch.model.columns import Column

if TYPE_CHECKING:
    from collections.abc import Mapping


def bind(query: str, tables: Mapping[str, tuple[Column, ...]], params: Mapping[str, str]) -> tuple[Column, ...] | str:
    """Return the columns that a query gives, or DuckDB's message.

    Args:
        query: one SELECT.
        tables: the promised, typed columns of each input port.
        params: the type of each param, by name; the query has them as `$name`.
    """
    import duckdb

    db = connect()
    try:
        for name, columns in tables.items():
            fields = ", ".join(f"{quote(column.name)} {sql_type(column.type)}" for column in columns)
            db.execute(f"CREATE TABLE {quote(name)} ({fields})")
        statements = db.extract_statements(query)
        if len(statements) != 1:
            return f"the query has {len(statements)} statements; write one SELECT"
        used = statements[0].named_parameters
        unknown = sorted(name for name in used if name not in params)
        if unknown:
            return f"the query names ${unknown[0]}, which is no param of the pipeline"
        given = dict.fromkeys(used)
        if statements[0].type != duckdb.StatementType.SELECT:
            return f"the query is {statements[0].type.name}; write one SELECT"
        # Described, never made a relation: DuckDB runs a COPY within a WITH as soon as it binds it.
        told = db.execute(f"DESCRIBE {query}", given or None).fetchall()
        return tuple(Column(name, _compared(canonical(duckdb.type(kind)))) for name, kind, *_ in told)
    except duckdb.Error as error:
        return str(error).partition("\n\n")[0].strip()
    finally:
        db.close()


def _compared(kind: str) -> str:
    """Return a type if contracts can promise it: DuckDB's own, such as HUGEINT, are cast when they are written."""
    return "" if kind.isupper() or kind.startswith('"') else kind
