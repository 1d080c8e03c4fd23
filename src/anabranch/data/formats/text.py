"""CSV and JSON lines, read by DuckDB as text that is then parsed as promised."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.data.duck import duckdb_error, literal, quote, sql_type
from anabranch.data.formats.exact import JSON_DIGITS, is_nested, number_digits, precision, strict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from anabranch.model.dataset import DatasetSpec


@dataclass(frozen=True, slots=True)
class Text:
    """How text is read, and from where. `raw` leaves promised columns text; `all_text` leaves the others text too."""

    files: list[Path]
    partitions: tuple[str, ...]
    raw: bool
    all_text: bool


def _promised(spec: DatasetSpec, have: Sequence[str], partitions: Sequence[str]) -> dict[str, str]:
    """Return the promised types of columns that are there, in files and not in the names of folders."""
    return {
        column.name: column.type
        for column in spec.columns
        if column.type and column.name in have and column.name not in partitions
    }


def csv_rows(db: duckdb.DuckDBPyConnection, spec: DatasetSpec, options: str, text: Text) -> duckdb.DuckDBPyRelation:
    """Return the rows of CSV files; the header says what separates columns.

    Raises:
        duckdb.Error: a line has more or fewer columns than the header.
    """
    separator, header = _header(text.files[0], spec)
    dialect = (
        f"{options}, header = true, delim = {literal(separator)}, quote = '\"', escape = '\"', comment = '', skip = 0"
    )
    dialect += ", allow_quoted_nulls = false"
    options = dialect
    promised = _promised(spec, header, text.partitions)
    if text.all_text:
        options += ", all_varchar = true"
    elif promised:
        options += ", types = {" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in promised) + "}"
    try:
        relation = db.sql(f"SELECT * FROM read_csv({options})")
    except duckdb_error():
        # The sniffer does not say which line it stumbles over; the parser does.
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
        db.sql(f"SELECT count(*) FROM read_csv({dialect}, auto_detect = false, columns = {{{columns}}})").fetchall()
        raise
    return (
        relation
        if text.raw
        else _parsed(relation, {name: kind for name, kind in promised.items() if name in relation.columns})
    )


def _header(path: Path, spec: DatasetSpec) -> tuple[str, list[str]]:
    """Return what separates columns, and their names: by the separator that gives the promised names."""
    wanted = {*(column.name for column in spec.columns), *spec.primary_key} - set(spec.partition_by)
    found: list[tuple[bool, int, str, list[str]]] = []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for separator in ",;\t|":
            file.seek(0)
            names = next(csv.reader(file, delimiter=separator), [])
            found.append((wanted <= set(names), len(names), separator, names))
    fitting = [each for each in found if each[0]] if wanted else []
    _, _, separator, names = fitting[0] if fitting else next((each for each in found if each[1] > 1), found[0])
    return separator, names


def json_rows(
    db: duckdb.DuckDBPyConnection, spec: DatasetSpec, options: str, text: Text
) -> duckdb.DuckDBPyRelation | None:
    """Return the rows of files with one JSON object a line; None when there is no object at all.

    Raises:
        duckdb.Error: a line is no JSON, or no object.
    """
    options += ", format = 'newline_delimited'"
    guessed = db.sql(f"SELECT * FROM read_json({options}, sample_size = -1)")
    kinds = {name: str(kind) for name, kind in zip(guessed.columns, guessed.types, strict=True)}
    if list(kinds) == ["json"] and not spec.column("json") and not guessed.limit(1).fetchall():
        return None  # DuckDB's stand-in for a file without any object
    promised = _promised(spec, list(kinds), text.partitions)
    read = dict.fromkeys(kinds, "JSON") if text.all_text else dict(kinds)
    read |= {name: _read_as(kind) for name, kind in promised.items()}
    columns = ", ".join(
        f"{literal(name)}: {literal(kind)}" for name, kind in read.items() if name not in text.partitions
    )
    relation = db.sql(f"SELECT * FROM read_json({options}, records = true, columns = {{{columns}}})")
    exactly = {
        name: number_digits(quote(name), kind)
        for name, kind in promised.items()
        if read[name] == "JSON" != sql_type(kind)
    }
    if exactly:
        chosen = (f"{exactly[name]} AS {quote(name)}" if name in exactly else quote(name) for name in relation.columns)
        relation = relation.project(", ".join(chosen))
    if text.raw:
        return relation
    return _parsed(relation, {name: kind for name, kind in promised.items() if kind != "json" and not is_nested(kind)})


def _read_as(kind: str) -> str:
    """Return the type with which DuckDB reads a promised column of JSON: text, where we parse it ourselves."""
    if is_nested(kind):
        return sql_type(kind)
    large = kind.startswith("decimal(") and precision(kind) > JSON_DIGITS
    return "JSON" if large or kind == "json" else "VARCHAR"


def _parsed(relation: duckdb.DuckDBPyRelation, kinds: dict[str, str]) -> duckdb.DuckDBPyRelation:
    if not kinds:
        return relation
    return relation.project(", ".join(strict(n, kinds[n]) if n in kinds else quote(n) for n in relation.columns))
