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
    from sqlalchemy import URL

    folder = storage / disk.OURS
    folder.mkdir(parents=True, exist_ok=True)
    uri = URL.create("sqlite", database=str(folder / "iceberg.db")).render_as_string()
    made = SqlCatalog("anabranch", uri=uri, warehouse=str(storage))
    made.create_namespace_if_not_exists(_SPACE)
    return made


def exists(storage: Path, spec: DatasetSpec) -> bool:
    """Tell whether the catalogue has the table."""
    if not (storage / disk.OURS / "iceberg.db").exists():
        return False
    return bool(_catalogue(storage).table_exists((_SPACE, spec.name)))


def scan(
    db: duckdb.DuckDBPyConnection, storage: Path, spec: DatasetSpec, snapshot: int | None = None
) -> duckdb.DuckDBPyRelation:
    """Return the rows of the table's current snapshot, or of another."""
    return db.from_arrow(
        _catalogue(storage).load_table((_SPACE, spec.name)).scan(snapshot_id=snapshot or None).to_arrow()
    )


def version(storage: Path, spec: DatasetSpec) -> str:
    """Return the table's identity and snapshot."""
    table = _catalogue(storage).load_table((_SPACE, spec.name))
    snapshot = table.current_snapshot()
    return f"iceberg:{table.metadata.table_uuid}@{snapshot.snapshot_id if snapshot else 0}"


def refusal(rows: Path, storage: Path, spec: DatasetSpec) -> str:
    """Return why the table would not take staged rows; nothing when it would."""
    import pyarrow.parquet as pq

    if not exists(storage, spec):
        return ""
    table = _catalogue(storage).load_table((_SPACE, spec.name))
    parted = tuple(str(table.schema().find_column_name(field.source_id)) for field in table.spec().fields)
    if parted != spec.partition_by:
        return f"the table is partitioned by ({', '.join(parted)}), the dataset by ({', '.join(spec.partition_by)})"
    try:
        table.update_schema().union_by_name(pq.read_schema(rows))  # worked out, and never committed
    except Exception as error:  # noqa: BLE001 - pyiceberg raises several kinds, none of them documented
        return str(error).partition("\n")[0] or type(error).__name__
    return ""


def publish(rows: Path, storage: Path, spec: DatasetSpec, *, append: bool, publication: str) -> None:
    """Commit staged Parquet rows to the table, unless this publication is in its history already."""
    import pyarrow.parquet as pq

    data = pq.ParquetFile(rows).read()
    catalogue = _catalogue(storage)
    name = (_SPACE, spec.name)
    if not catalogue.table_exists(name):
        table = catalogue.create_table(name, schema=data.schema, location=str(storage / spec.location))
        if spec.partition_by:
            with table.update_spec() as parts:
                for column in spec.partition_by:
                    parts.add_identity(column)
    table = catalogue.load_table(name)
    if any((each.summary or {}).get(MARK) == publication for each in table.snapshots()):
        return
    with table.update_schema() as update:
        update.union_by_name(data.schema)
    # Overwriting nothing would warn that there is nothing to delete.
    (table.append if append or table.current_snapshot() is None else table.overwrite)(
        data, snapshot_properties={MARK: publication}
    )


def drop(storage: Path, spec: DatasetSpec) -> None:
    """Take the table out of the catalogue; its files are left."""
    if exists(storage, spec):
        _catalogue(storage).drop_table((_SPACE, spec.name))
