"""Comparisons on Spark: for tables that lie there, and are beyond one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.deltas.engine import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.deltas.untyped import Kind, Table


class SparkEngine:
    """An `Engine` on a Spark session."""

    dialect = Dialect(
        "pyspark", hash="xxhash64", hash_skips_nulls=True, folds=True, sort="array_sort", entries="map_entries"
    )

    def __init__(self, session: Any) -> None:
        """Use a session that sees the tables."""
        self._session = session
        self._kept: dict[str, Any] = {}

    def schema(self, table: str) -> Mapping[str, tuple[str, Kind | None]]:
        """Return the columns of a table or view."""
        from ibis.backends.sql.datatypes import PySparkType

        found: dict[str, tuple[str, Kind | None]] = {}
        for field in self._session.table(table).schema.fields:
            kind = field.dataType.simpleString()
            try:
                found[field.name] = (kind, PySparkType.from_string(kind))
            except Exception:  # noqa: BLE001 - sqlglot and Ibis raise several kinds for types that they do not know
                found[field.name] = (kind, None)
        return found

    def rows(self, expression: Table) -> list[dict[str, Any]]:
        """Return all rows of an expression."""
        return [row.asDict() for row in self._session.sql(_sql(expression)).collect()]

    def keep(self, name: str, expression: Table) -> None:
        """Keep the rows of an expression: Spark computes them once, and holds them in memory or on disk."""
        self.forget(name)
        frame = self._session.sql(_sql(expression)).persist()
        frame.createOrReplaceTempView(name)
        self._kept[name] = frame

    def forget(self, name: str) -> None:
        """Drop a temporary table, if it is there."""
        frame = self._kept.pop(name, None)
        if frame is not None:
            self._session.catalog.dropTempView(name)
            frame.unpersist()


def _sql(expression: Table) -> str:
    import ibis
    from ibis.config import Config, options

    if options.pyspark is None:  # Ibis sets it when its own backend connects, which we do without

        class PySpark(Config):  # type: ignore[misc] # Ibis has no types
            """What Ibis's compiler asks for."""

            treat_nan_as_null: bool = False

        options.pyspark = PySpark()
    return str(ibis.to_sql(expression, dialect="pyspark", pretty=False))
