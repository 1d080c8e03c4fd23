"""Comparisons on Postgres: for tables that lie there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.deltas.engine import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.deltas.untyped import Kind, Table


_NOT_COMPARABLE = frozenset({"money", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"})
"""Types whose values Postgres cannot group; money besides, which is a number and yet none."""


class PostgresEngine:
    """An `Engine` on a psycopg connection; rows are compared value by value, since no hash of it takes every type."""

    dialect = Dialect("postgres", null_safe_joins=False, nested_equal=True)

    def __init__(self, connection: Any) -> None:
        """Use a connection that sees the tables. Nothing is prepared: temporary tables change their types."""
        self._connection = connection

    def schema(self, table: str) -> Mapping[str, tuple[str, Kind | None]]:
        """Return the columns of a table or view."""
        from ibis.backends.sql.datatypes import PostgresType

        query = (
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        found: dict[str, tuple[str, Kind | None]] = {}
        for name, kind in self._connection.execute(query, (_quote(table),)).fetchall():
            if kind in _NOT_COMPARABLE:
                found[name] = (kind, None)
                continue
            try:
                found[name] = (kind, PostgresType.from_string(kind))
            except Exception:  # noqa: BLE001 - sqlglot and Ibis raise several kinds for types that they do not know
                found[name] = (kind, None)
        return found

    def rows(self, expression: Table) -> list[dict[str, Any]]:
        """Return all rows of an expression."""
        cursor = self._connection.execute(_sql(expression), prepare=False)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def keep(self, name: str, expression: Table) -> None:
        """Keep the rows of an expression as a temporary table."""
        self.forget(name)
        self._connection.execute(f"CREATE TEMP TABLE {_quote(name)} AS {_sql(expression)}", prepare=False)

    def forget(self, name: str) -> None:
        """Drop a temporary table, if it is there."""
        self._connection.execute(f"DROP TABLE IF EXISTS {_quote(name)}")


def _sql(expression: Table) -> str:
    import ibis

    return str(ibis.to_sql(expression, dialect="postgres", pretty=False))


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
