"""Watermarks: the last value of an incremental field that a step has committed, kept exactly, as text with its type."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anabranch.data import disk
from anabranch.data.duck import literal, quote
from anabranch.model.errors import ConflictError, ContractError, closest

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from anabranch.model.dataset import DatasetSpec


@dataclass(frozen=True, slots=True)
class Watermark:
    """A value: `type` is DuckDB's name of its type, `value` its text."""

    field: str
    type: str
    value: str

    def past(self) -> str:
        """Return the condition that a row lies past it."""
        return f"{quote(self.field)} > CAST({literal(self.value)} AS {self.type})"

    def reached(self) -> str:
        """Return the condition that a row does not lie past it."""
        return f"{quote(self.field)} <= CAST({literal(self.value)} AS {self.type})"


def file_of(storage: Path, pipeline: str, step: str, port: str) -> Path:
    """Return where a port's watermark is kept."""
    folder = storage / disk.OURS / "watermarks"
    return folder / disk.escape(pipeline) / disk.escape(step) / f"{disk.escape(port)}.json"


def read(path: Path) -> Watermark | None:
    """Return a committed watermark, or None before the first commit."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Watermark(data["field"], data["type"], data["value"])


def cut(relation: duckdb.DuckDBPyRelation, spec: DatasetSpec, mark: Watermark | None) -> duckdb.DuckDBPyRelation:
    """Return the rows past a watermark.

    Raises:
        ContractError: `missing-column`, there is no such field; `null-value`, rows without a value (or NaN, which is
            past everything) could never be told new from old.
        ConflictError: `other-watermark`, what is committed is of another field.
    """
    name = spec.incremental_field
    if name not in relation.columns:
        message = f"dataset `{spec.name}` has no column `{name}`, its incremental field"
        raise ContractError(message, code="missing-column", hint=closest(name, relation.columns))
    if mark is not None and mark.field != name:
        message = f"dataset `{spec.name}` was read up to a value of `{mark.field}`, and is now incremental by `{name}`"
        raise ConflictError(message, code="other-watermark", hint="give the step another id, to start anew")
    field = quote(name)
    number = str(relation.types[relation.columns.index(name)]) in {"FLOAT", "DOUBLE"}
    nothing = f"{field} IS NULL" + (f" OR isnan({field})" if number else "")
    missing = relation.filter(nothing).aggregate("count(*)").fetchall()[0][0]
    if missing:
        what = f"{missing:,} rows have no `{spec.incremental_field}`, so they are neither new nor old"
        message = f"dataset `{spec.name}`: {what}"
        raise ContractError(message, code="null-value", hint="fill the field in, or ingest the dataset in full")
    return relation if mark is None else relation.filter(mark.past())


def newest(relation: duckdb.DuckDBPyRelation, spec: DatasetSpec) -> Watermark | None:
    """Return the watermark that these rows reach; None when there are no rows."""
    field = quote(spec.incremental_field)
    kind = str(relation.types[relation.columns.index(spec.incremental_field)])
    value = relation.aggregate(f"CAST(max({field}) AS VARCHAR)").fetchall()[0][0]
    return None if value is None else Watermark(spec.incremental_field, kind, str(value))


def listed(storage: Path, pipeline: str) -> dict[tuple[str, str], Watermark]:
    """Return all committed watermarks of a pipeline, by step and port."""
    folder = storage / disk.OURS / "watermarks" / disk.escape(pipeline)
    found: dict[tuple[str, str], Watermark] = {}
    for path in sorted(folder.glob("*/*.json")):
        mark = read(path)
        if mark is not None:
            step, port = (part.replace("%2F", "/").replace("%25", "%") for part in (path.parent.name, path.stem))
            found[step, port] = mark
    return found
