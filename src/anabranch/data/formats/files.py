"""CSV, JSON lines and Parquet: one file, or a folder of part files, read and written by DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.data import disk
from anabranch.data.duck import literal, quote, sql_type
from anabranch.model.dataset import DatasetSpec, Format

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


def scan(db: duckdb.DuckDBPyConnection, spec: DatasetSpec, location: Path) -> duckdb.DuckDBPyRelation:
    """Return the rows at a location. Promised types are how text is parsed; other columns' types are guessed.

    Raises:
        duckdb.Error: the file cannot be read, or a value is not of its promised type (on use).
    """
    files = disk.parts(location)
    if not files:
        return no_rows(db, spec)
    names = "[" + ", ".join(literal(path) for path in files) + "]"
    hive = "hive_partitioning = true" if spec.partition_by and location.is_dir() else "hive_partitioning = false"
    if hive.endswith("true"):
        kinds = {column.name: sql_type(column.type) for column in spec.columns if column.type}
        typed = {name: kinds[name] for name in spec.partition_by if name in kinds}
        if typed:
            hive += ", hive_types = {" + ", ".join(f"{literal(n)}: {t}" for n, t in typed.items()) + "}"
    match spec.format:
        case Format.CSV:
            return _csv(db, spec, names, hive)
        case Format.JSONL:
            return _jsonl(db, spec, names, hive)
        case _:
            return db.sql(f"SELECT * FROM read_parquet({names}, {hive})")


def _promised(spec: DatasetSpec, have: list[str]) -> dict[str, str]:
    return {
        column.name: sql_type(column.type)
        for column in spec.columns
        if column.type and column.name in have and column.name not in spec.partition_by
    }


def _csv(db: duckdb.DuckDBPyConnection, spec: DatasetSpec, names: str, hive: str) -> duckdb.DuckDBPyRelation:
    options = f"{names}, header = true, allow_quoted_nulls = false, {hive}"
    have = db.sql(f"SELECT * FROM read_csv({options}, all_varchar = true)").columns
    typed = _promised(spec, have)
    if typed:
        options += ", types = {" + ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in typed.items()) + "}"
    return db.sql(f"SELECT * FROM read_csv({options})")


def _jsonl(db: duckdb.DuckDBPyConnection, spec: DatasetSpec, names: str, hive: str) -> duckdb.DuckDBPyRelation:
    options = f"{names}, format = 'newline_delimited', {hive}"
    guessed = db.sql(f"SELECT * FROM read_json({options}, sample_size = -1)")
    kinds = {name: str(kind) for name, kind in zip(guessed.columns, guessed.types, strict=True)}
    if list(kinds) == ["json"] and not spec.column("json"):
        return no_rows(db, spec)  # DuckDB's stand-in for a file without any object
    kinds |= _promised(spec, list(kinds))
    columns = ", ".join(
        f"{literal(name)}: {literal(kind)}" for name, kind in kinds.items() if name not in spec.partition_by
    )
    return db.sql(f"SELECT * FROM read_json({options}, columns = {{{columns}}})")


def no_rows(db: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> duckdb.DuckDBPyRelation:
    """Return no rows, with the promised columns."""
    columns = ", ".join(f"NULL::{sql_type(column.type or 'string')} AS {quote(column.name)}" for column in spec.columns)
    return db.sql(f"SELECT {columns or 'NULL AS empty'} WHERE false")


def write(db: duckdb.DuckDBPyConnection, query: str, spec: DatasetSpec, location: Path) -> None:
    """Write the rows of a query to a location where nothing lies yet."""
    location.parent.mkdir(parents=True, exist_ok=True)
    options = {
        Format.CSV: "FORMAT csv, HEADER",
        Format.JSONL: "FORMAT json",
        Format.PARQUET: "FORMAT parquet, COMPRESSION zstd",
    }.get(spec.format, "FORMAT parquet, COMPRESSION zstd")
    if spec.partition_by and spec.format in {Format.CSV, Format.JSONL, Format.PARQUET}:
        options += f", PARTITION_BY ({', '.join(map(quote, spec.partition_by))})"
    db.execute(f"COPY ({query}) TO {literal(location)} ({options})")
