"""What is known of a published dataset, for people and for a retry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anabranch.data import frames, stored
from anabranch.data.duck import connect, schema
from anabranch.data.inputs import fetch
from anabranch.data.objects import mirror

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.model.dataset import DatasetSpec


@dataclass(frozen=True, slots=True)
class Description:
    """A dataset as it lies in storage. `modified` is Unix time in seconds; `columns` are name and type."""

    exists: bool
    location: str
    rows: int = 0
    bytes: int = 0
    version: str = ""
    modified: float = 0.0
    columns: tuple[tuple[str, str], ...] = ()


def describe(storage: Path, spec: DatasetSpec) -> Description:
    """Look at a dataset.

    Raises:
        StepError: `unreadable-input`.
    """
    mirror.refresh(storage, spec)
    location = stored.locate(storage, spec)
    if not stored.exists(storage, spec):
        return Description(exists=False, location=str(location))
    db = connect()
    try:
        relation = stored.scan(db, storage, spec)
        with stored.reading(db, spec, location):
            rows = relation.aggregate("count(*)").fetchall()[0][0]
        return Description(
            exists=True,
            location=str(location),
            rows=rows,
            bytes=stored.size(storage, spec),
            version=stored.version(storage, spec),
            modified=location.stat().st_mtime if location.exists() else 0.0,
            columns=tuple(schema(relation).items()),
        )
    finally:
        db.close()


def current_version(storage: Path, spec: DatasetSpec) -> str:
    """Return the version of a dataset as it is now; empty when it is not there."""
    fetch(storage, spec)
    return stored.version(storage, spec)


def read_dataset(storage: Path, spec: DatasetSpec, annotation: Any = "polars.DataFrame") -> Any:
    """Return a published dataset as a frame.

    Raises:
        StepError: `missing-input`, `unreadable-input`, `unknown-frame`.
    """
    from anabranch.model.errors import StepError

    mirror.refresh(storage, spec)
    location = stored.locate(storage, spec)
    if not stored.exists(storage, spec):
        message = f"dataset `{spec.name}` is not at {location}"
        raise StepError(message, code="missing-input", hint="run the pipeline that writes it")
    if frames.name_of(annotation) in {"pathlib.Path", "builtins.str"}:
        return annotation(location)
    db = connect()
    with stored.reading(db, spec, location):
        relation = stored.scan(db, storage, spec)
        if frames.name_of(annotation) == "polars.DataFrame":
            # By way of Arrow: DuckDB 2.0 prints pages of "leaked instance" at exit when polars reads a relation itself.
            return relation.pl()
        return frames.load(relation, annotation, spec.name)
