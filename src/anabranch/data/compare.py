"""Small tables of tests: put in place, and compared with what a run made."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from anabranch.data import contract, disk, stored
from anabranch.data.duck import canonical, connect, fetched, quote, sql_type
from anabranch.data.formats import files
from anabranch.data.formats.exact import parsed
from anabranch.model.dataset import DatasetSpec, Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from anabranch.model.pipeline import Table

SHOWN = 5
_SUFFIXES = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".json": Format.JSONL, ".parquet": Format.PARQUET}


@dataclass(frozen=True, slots=True)
class _Given:
    """The rows that a test gives, as a file of their own."""

    shape: DatasetSpec
    path: Path

    def scan(self, db: duckdb.DuckDBPyConnection) -> str:
        """Return a query for the rows."""
        files.scan(db, self.shape, self.path).create_view("given", replace=True)
        return "SELECT * FROM given"


def _given(spec: DatasetSpec, table: Table, root: Path, scratch: Path) -> _Given:
    if table.file:
        path = root / table.file
        form = _SUFFIXES.get(path.suffix, Format.CSV)
    else:
        path, form = scratch / f"{disk.escape(spec.name)}.given.jsonl", Format.JSONL
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(dict(row)) + "\n" for row in table.rows), encoding="utf-8")
    return _Given(replace(spec, format=form, partition_by=()), path)


def seed(storage: Path, spec: DatasetSpec, table: Table, root: Path) -> None:
    """Write a test's rows as a dataset. Columns that it leaves out are null, whatever the contract says of nulls.

    Raises:
        StepError: `unreadable-input`, a row does not fit the dataset.
        ContractError: the rows break the dataset's contract.
    """
    db = connect()
    scratch = storage / disk.OURS / "seed"
    try:
        given = _given(spec, table, root, scratch)
        with stored.reading(db, given.shape, given.path):
            query = given.scan(db)
            have = db.sql(query).columns
            missing = [column for column in spec.columns if column.name not in have]
            if missing:
                extra = ", ".join(
                    f"NULL::{sql_type(column.type) if column.type else 'VARCHAR'} AS {quote(column.name)}"
                    for column in missing
                )
                query = f"SELECT *, {extra} FROM ({query})"
            absent = {column.name for column in missing}
            left_out = tuple(replace(each, nullable=each.nullable or each.name in absent) for each in spec.columns)
            _, breaches = contract.check(
                replace(spec, columns=left_out),
                lambda: db.sql(query),
                partial(files.bad_values, db, given.shape, given.path),
            )
            contract.raise_for([(spec, breach) for breach in breaches])
            location = stored.locate(storage, spec)
            if spec.format in {Format.DELTA, Format.ICEBERG}:
                _seed_table(db, query, storage, spec, scratch)
            else:
                files.write(db, query, spec, location)
    finally:
        db.close()


def _seed_table(db: duckdb.DuckDBPyConnection, query: str, storage: Path, spec: DatasetSpec, scratch: Path) -> None:
    from anabranch.data.formats import delta, iceberg

    path = scratch / f"{disk.escape(spec.name)}.parquet"
    files.write(db, query, replace(spec, format=Format.PARQUET, partition_by=()), path)
    if spec.format is Format.DELTA:
        delta.publish(path, stored.locate(storage, spec), spec, append=False, publication="seed")
    else:
        iceberg.publish(path, storage, spec, append=False, publication="seed")


def compare(storage: Path, spec: DatasetSpec, expected: Table, root: Path, tolerance: float = 0.0) -> tuple[str, ...]:
    """Return how a dataset differs from expected rows, for people; only the expected columns are compared.

    Null equals null and nothing else, NaN equals NaN; numbers differ by at most `tolerance`. Order means nothing.
    """
    if not stored.exists(storage, spec):
        return (f"dataset `{spec.name}` was not written",)
    db = connect()
    try:
        given = _given(spec, expected, root, storage / disk.OURS / "seed")
        with stored.reading(db, given.shape, given.path):
            query = given.scan(db)
            names = db.sql(query).columns
            have = stored.scan(db, storage, spec)
            missing = [name for name in names if name not in have.columns]
            if missing and expected != type(expected)():
                return tuple(f"dataset `{spec.name}` has no column `{name}`" for name in missing)
            if not expected.file and not expected.rows:
                count = have.aggregate("count(*)").fetchall()[0][0]
                return (f"dataset `{spec.name}` has {count:,} rows, expected are none",) if count else ()
            wanted = _as_types_of(db.sql(query), have)
            found = have.project(", ".join(map(fetched, names, (_kind(have, name) for name in names)))).fetchall()
        return _differences(spec, names, wanted, found, tolerance)
    finally:
        db.close()


def _kind(relation: duckdb.DuckDBPyRelation, name: str) -> Any:
    return relation.types[relation.columns.index(name)]


def _as_types_of(expected: duckdb.DuckDBPyRelation, have: duckdb.DuckDBPyRelation) -> list[tuple[Any, ...]]:
    """Return expected rows with the types of the dataset's columns; a value that does not survive that stays as it is.

    So 1.5 is not taken for the 2 of an integer column, nor an instant for its date.
    """
    columns = list(expected.columns)
    chosen: list[str] = []
    for name in columns:
        text, given, kind = quote(name), _kind(expected, name), _kind(have, name)
        cast = f"TRY_CAST({text} AS {kind})"
        if str(kind) == str(given) or kind.id == "float":
            kept = "true"
        elif str(given) == "VARCHAR":
            kept = f"({parsed(text, canonical(kind))}) IS NOT NULL"
        else:
            kept = f"TRY_CAST({cast} AS {given}) IS NOT DISTINCT FROM {text}"
        raw = f"CAST({text} AS VARCHAR)" if "WITH TIME ZONE" in str(given) else text
        shown = f"CAST({cast} AS VARCHAR)" if "WITH TIME ZONE" in str(kind) else cast
        chosen += [f"{text} IS NULL OR ({kept})", shown, raw]
    rows = expected.project(", ".join(f"{sql} AS c{i}" for i, sql in enumerate(chosen))).fetchall()
    return [tuple(row[i + 1] if row[i] else row[i + 2] for i in range(0, len(row), 3)) for row in rows]


def _differences(
    spec: DatasetSpec, names: Sequence[str], wanted: list[Any], given: list[Any], tolerance: float
) -> tuple[str, ...]:
    key = [names.index(name) for name in spec.primary_key if name in names]
    if key and len(key) == len(spec.primary_key) and _unique(given, key) and _unique(wanted, key):
        return _by_key(spec, names, key, wanted, given, tolerance)
    left = Counter(map(_hashable, given))
    lost: list[Any] = []
    for row in wanted:
        match = _hashable(row)
        if not left[match]:
            match = next((each for each in left if left[each] and _close(each, match, tolerance)), None)
        if match is None:
            lost.append(row)
        else:
            left[match] -= 1
    found = [f"missing row {_show(names, row)}" for row in lost]
    found += [f"unexpected row {_show(names, row)}" for row, count in left.items() for _ in range(count)]
    return _told(spec, found)


def _unique(rows: list[Any], key: list[int]) -> bool:
    return len({_hashable([row[i] for i in key]) for row in rows}) == len(rows)


def _by_key(
    spec: DatasetSpec, names: Sequence[str], key: list[int], wanted: list[Any], given: list[Any], tolerance: float
) -> tuple[str, ...]:
    def by(rows: list[Any]) -> dict[Any, Any]:
        return {_hashable([row[i] for i in key]): row for row in rows}

    expected, have = by(wanted), by(given)
    found = [f"missing row {_show(names, row)}" for match, row in expected.items() if match not in have]
    found += [f"unexpected row {_show(names, row)}" for match, row in have.items() if match not in expected]
    for match, row in expected.items():
        for name, a, b in zip(names, row, have.get(match, row), strict=True):
            if not _close((_hashable([a])), _hashable([b]), tolerance):
                shown = ", ".join(f"{names[i]}={row[i]!r}" for i in key)
                found.append(f"({shown}): {name} is {b!r}, expected is {a!r}")
    return _told(spec, found)


def _told(spec: DatasetSpec, found: list[str]) -> tuple[str, ...]:
    more = [f"and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
    return tuple(f"dataset `{spec.name}`: {text}" for text in (*found[:SHOWN], *more))


def _hashable(row: Any) -> Any:
    """Return a row as something that compares and hashes as our equality does."""
    if isinstance(row, list | tuple):
        return tuple(_hashable(value) for value in row)
    if isinstance(row, dict):
        return tuple((name, _hashable(value)) for name, value in row.items())
    if isinstance(row, float) and math.isnan(row):
        return "NaN"
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _close(a: Any, b: Any, tolerance: float) -> bool:
    if tolerance and _is_number(a) and _is_number(b):
        return bool(a == b) or abs(float(a) - float(b)) <= tolerance
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    return bool(a == b) and type(a) is type(b)


def _show(names: Sequence[str], row: Any) -> str:
    return "{" + ", ".join(f"{name}: {value!r}" for name, value in zip(names, row, strict=True)) + "}"
