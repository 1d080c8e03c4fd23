"""CSV, JSON lines and Parquet: one file, or a folder of part files, read and written by DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.data import disk
from anabranch.data.duck import canonical, literal, quote, sql_type
from anabranch.data.formats.exact import broken, is_nested, json_number
from anabranch.data.formats.text import Text, csv_rows, json_rows
from anabranch.model.dataset import DatasetSpec, Format

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from anabranch.model.columns import Column


def scan(
    db: duckdb.DuckDBPyConnection, spec: DatasetSpec, location: Path, *, raw: bool = False, guess: bool = True
) -> duckdb.DuckDBPyRelation:
    """Return the rows at a location. Promised types are how text is parsed; other columns' types are guessed.

    Args:
        db: where.
        spec: the dataset.
        location: a file, or a folder of part files.
        raw: leave promised columns of text formats unparsed.
        guess: without, columns of text formats without a promised type stay as they are written.

    Raises:
        FileNotFoundError: nothing lies there.
        duckdb.Error: the file cannot be read, or a value is not exactly of its promised type (on use).
    """
    files = disk.parts(location)
    if not files:
        location.stat()  # a folder without files is no rows; a location where nothing lies is none of them
        return no_rows(db, spec)
    names = "[" + ", ".join(literal(path) for path in files) + "]"
    hive = "hive_partitioning = true" if spec.partition_by and location.is_dir() else "hive_partitioning = false"
    if hive.endswith("true"):
        kinds = {column.name: sql_type(column.type) for column in spec.columns if column.type}
        typed = {name: kinds[name] for name in spec.partition_by if name in kinds}
        if typed:
            hive += ", hive_types = {" + ", ".join(f"{literal(n)}: {t}" for n, t in typed.items()) + "}"
    partitions = spec.partition_by if location.is_dir() else ()
    text = Text(files, partitions, raw, all_text=not guess)
    match spec.format:
        case Format.CSV:
            return csv_rows(db, spec, f"{names}, {hive}", text)
        case Format.JSONL:
            found = json_rows(db, spec, f"{names}, {hive}", text)
            return no_rows(db, spec) if found is None else found
        case _:
            return db.sql(f"SELECT * FROM read_parquet({names}, {hive})")


def bad_values(
    db: duckdb.DuckDBPyConnection, spec: DatasetSpec, location: Path, shown: int = 5
) -> list[tuple[Column, int, list[tuple[str, str]]]]:
    """Find the values of a text format that are not exactly of their promised type.

    Returns:
        For each column with such values: how many, and the first of them with their place: `line 3` where each row
        has a line of its own, else `row 2`.
    """
    if spec.format not in {Format.CSV, Format.JSONL}:
        return []
    relation = scan(db, spec, location, raw=True).project("row_number() OVER () AS __row, *")
    place = _placing(relation, spec, location)
    found: list[tuple[Column, int, list[tuple[str, str]]]] = []
    for column in spec.columns:
        if not column.type or column.type == "string" or column.name not in relation.columns:
            continue
        if spec.format is Format.JSONL and (is_nested(column.type) or column.type == "json"):
            continue
        wrong = relation.filter(broken(column.name, column.type)).project(f"__row, {quote(column.name)}::VARCHAR")
        rows = wrong.limit(shown).fetchall()
        if rows:
            named = [(place(row), text.removeprefix("?")) for row, text in rows]
            found.append((column, wrong.aggregate("count(*)").fetchall()[0][0], named))
    return found


def _placing(relation: duckdb.DuckDBPyRelation, spec: DatasetSpec, location: Path) -> Callable[[int], str]:
    """Return how a row's place is told: by line, where one file has as many lines as rows, and a header."""
    header = int(spec.format is Format.CSV)
    if location.is_file():
        with location.open("rb") as file:
            lines = sum(1 for _ in file)
        if lines == relation.aggregate("count(*)").fetchall()[0][0] + header:
            return lambda row: f"line {row + header}"
    return lambda row: f"row {row}"


def no_rows(db: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> duckdb.DuckDBPyRelation:
    """Return no rows, with the promised columns."""
    columns = ", ".join(f"NULL::{sql_type(column.type or 'string')} AS {quote(column.name)}" for column in spec.columns)
    return db.sql(f"SELECT {columns or 'NULL AS empty'} WHERE false")


def write(db: duckdb.DuckDBPyConnection, query: str, spec: DatasetSpec, location: Path) -> None:
    """Write the rows of a query to a location where nothing lies yet."""
    location.parent.mkdir(parents=True, exist_ok=True)
    if spec.format is Format.JSONL:
        relation = db.sql(query)
        chosen = [json_number(n, canonical(k)) for n, k in zip(relation.columns, relation.types, strict=True)]
        query = f"SELECT {', '.join(chosen)} FROM ({query})"
    options = {
        Format.CSV: "FORMAT csv, HEADER",
        Format.JSONL: "FORMAT json",
        Format.PARQUET: "FORMAT parquet, COMPRESSION zstd",
    }.get(spec.format, "FORMAT parquet, COMPRESSION zstd")
    if spec.partition_by and spec.format in {Format.CSV, Format.JSONL, Format.PARQUET}:
        options += f", PARTITION_BY ({', '.join(map(quote, spec.partition_by))})"
    db.execute(f"COPY ({query}) TO {literal(location)} ({options})")
