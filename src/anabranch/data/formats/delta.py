"""Delta tables, by deltalake. Each publication is one transaction that carries its id, so that it happens once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from anabranch.model.dataset import DatasetSpec

MARK = "anabranch.publication"
_LOOK_BACK = 50


def exists(location: Path) -> bool:
    """Tell whether a table lies there."""
    return (location / "_delta_log").is_dir()


def scan(db: duckdb.DuckDBPyConnection, location: Path) -> duckdb.DuckDBPyRelation:
    """Return the rows of the table's newest version."""
    from deltalake import QueryBuilder

    table = _table(location)
    reader: Any = QueryBuilder().register("t", table).execute("SELECT * FROM t")
    return db.from_arrow(_arrow(reader))


def _arrow(reader: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatchReader.from_stream(reader).read_all()


def _table(location: Path) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(str(location))


def version(location: Path) -> str:
    """Return the table's identity and version."""
    table = _table(location)
    return f"delta:{table.metadata().id}@{table.version()}"


def publish(rows: Path, location: Path, spec: DatasetSpec, *, append: bool, publication: str) -> None:
    """Commit staged Parquet rows to the table, unless this publication is in its history already."""
    import pyarrow.parquet as pq
    from deltalake import CommitProperties, write_deltalake

    if exists(location) and any(each.get(MARK) == publication for each in _table(location).history(_LOOK_BACK)):
        return
    write_deltalake(
        str(location),
        pq.ParquetFile(rows).read(),
        mode="append" if append else "overwrite",
        schema_mode="merge" if append else "overwrite",
        partition_by=list(spec.partition_by) or None,
        commit_properties=CommitProperties(custom_metadata={MARK: publication}),
    )
