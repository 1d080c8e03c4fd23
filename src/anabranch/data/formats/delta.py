"""Delta tables, by deltalake. Each publication is one transaction that carries its id, so that it happens once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from anabranch.model.dataset import DatasetSpec

MARK = "anabranch.publication"
_LOOK_BACK = 50


def exists(location: Path) -> bool:
    """Tell whether a table lies there."""
    return (location / "_delta_log").is_dir()


def scan(db: duckdb.DuckDBPyConnection, location: Path, version: int | None = None) -> duckdb.DuckDBPyRelation:
    """Return the rows of the table's newest version, or of an older one."""
    from deltalake import QueryBuilder

    table = _table(location, version)
    reader: Any = QueryBuilder().register("t", table).execute("SELECT * FROM t")
    return db.from_arrow(_arrow(reader))


def _arrow(reader: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatchReader.from_stream(reader).read_all()


def _table(location: Path, version: int | None = None) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(str(location), version=version)


def version(location: Path) -> str:
    """Return the table's identity and version."""
    table = _table(location)
    return f"delta:{table.metadata().id}@{table.version()}"


def refusal(
    location: Path, spec: DatasetSpec, given: Mapping[str, str], have: Mapping[str, str], *, append: bool
) -> str:
    """Return why the table would not take rows; nothing when it would.

    Args:
        location: where the table lies.
        spec: the dataset.
        given: columns and types of the rows.
        have: those of the table; empty when there is none yet.
        append: the rows are added, and do not replace the others.
    """
    if re.search("%[0-9A-Fa-f]{2}", str(location)):
        return f"deltalake reads %-signs in {location} as escapes"
    if not exists(location):
        return ""
    parted = tuple(_table(location).metadata().partition_columns)
    if parted != spec.partition_by:
        return f"the table is partitioned by ({', '.join(parted)}), the dataset by ({', '.join(spec.partition_by)})"
    changed = [name for name in given if append and name in have and have[name] != given[name]]
    return f"column `{changed[0]}` is {given[changed[0]]}, in the table it is {have[changed[0]]}" if changed else ""


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
