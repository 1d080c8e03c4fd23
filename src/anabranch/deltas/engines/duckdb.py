"""Comparisons on DuckDB: fast, and spilling to disk rather than failing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.deltas.engine import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from anabranch.deltas.untyped import Kind, Table


class DuckdbEngine:
    """An `Engine` on an open connection."""

    dialect = Dialect("duckdb", hash="hash", folds=True, nested_equal=True, sort="list_sort", entries="map_entries")

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        """Use a connection that sees the tables."""
        self._db = db

    def schema(self, table: str) -> Mapping[str, tuple[str, Kind | None]]:
        """Return the columns of a table or view."""
        from ibis.backends.sql.datatypes import DuckDBType

        found: dict[str, tuple[str, Kind | None]] = {}
        for name, kind, *_ in self._db.execute(f"DESCRIBE {_quote(table)}").fetchall():
            try:
                found[name] = (kind, DuckDBType.from_string(kind))
            except Exception:  # noqa: BLE001 - sqlglot and Ibis raise several kinds for types that they do not know
                found[name] = (kind, None)
        return found

    def rows(self, expression: Table) -> list[dict[str, Any]]:
        """Return all rows of an expression."""
        cursor = self._db.execute(_sql(expression))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def keep(self, name: str, expression: Table) -> None:
        """Keep the rows of an expression as a temporary table."""
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE {_quote(name)} AS {_sql(expression)}")

    def forget(self, name: str) -> None:
        """Drop a temporary table, if it is there."""
        self._db.execute(f"DROP TABLE IF EXISTS {_quote(name)}")


def _sql(expression: Table) -> str:
    import ibis

    return str(ibis.to_sql(expression, dialect="duckdb", pretty=False))


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
