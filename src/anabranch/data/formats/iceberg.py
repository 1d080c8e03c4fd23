"""Iceberg tables, by pyiceberg, in a catalogue of the storage's own (SQLite). Each publication happens once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.data import disk

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from anabranch.model.dataset import DatasetSpec

MARK = "anabranch.publication"
_SPACE = "anabranch"


def _catalogue(storage: Path) -> Any:
    from pyiceberg.catalog.sql import SqlCatalog

    folder = storage / disk.OURS
    folder.mkdir(parents=True, exist_ok=True)
    made = SqlCatalog("anabranch", uri=f"sqlite:///{folder / 'iceberg.db'}", warehouse=storage.as_uri())
    made.create_namespace_if_not_exists(_SPACE)
    return made


def exists(storage: Path, spec: DatasetSpec) -> bool:
    """Tell whether the catalogue has the table."""
    if not (storage / disk.OURS / "iceberg.db").exists():
        return False
    return bool(_catalogue(storage).table_exists((_SPACE, spec.name)))


def scan(db: duckdb.DuckDBPyConnection, storage: Path, spec: DatasetSpec) -> duckdb.DuckDBPyRelation:
    """Return the rows of the table's current snapshot."""
    return db.from_arrow(_catalogue(storage).load_table((_SPACE, spec.name)).scan().to_arrow())


def version(storage: Path, spec: DatasetSpec) -> str:
    """Return the table's identity and snapshot."""
    table = _catalogue(storage).load_table((_SPACE, spec.name))
    snapshot = table.current_snapshot()
    return f"iceberg:{table.metadata.table_uuid}@{snapshot.snapshot_id if snapshot else 0}"


def publish(rows: Path, storage: Path, spec: DatasetSpec, *, append: bool, publication: str) -> None:
    """Commit staged Parquet rows to the table, unless this publication is in its history already."""
    import pyarrow.parquet as pq

    data = pq.ParquetFile(rows).read()
    catalogue = _catalogue(storage)
    name = (_SPACE, spec.name)
    if not catalogue.table_exists(name):
        catalogue.create_table(name, schema=data.schema, location=(storage / spec.location).as_uri())
    table = catalogue.load_table(name)
    if any((each.summary or {}).get(MARK) == publication for each in table.snapshots()):
        return
    with table.update_schema() as update:
        update.union_by_name(data.schema)
    # Overwriting nothing would warn that there is nothing to delete.
    (table.append if append or table.current_snapshot() is None else table.overwrite)(
        data, snapshot_properties={MARK: publication}
    )
