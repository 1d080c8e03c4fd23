"""A published dataset, whatever its format: whether it is there, its rows, its version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from anabranch.data import disk
from anabranch.data.duck import reading
from anabranch.data.formats import delta, files, iceberg
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


def locate(storage: Path, spec: DatasetSpec) -> Path:
    """Return where a dataset lies.

    Raises:
        StepError: `path-escape`, outside of the storage, perhaps by a symbolic link.
    """
    location = storage / spec.location
    root = storage.resolve()
    if not location.resolve().is_relative_to(root) or location.resolve() == root:
        message = f"dataset `{spec.name}` lies at {location}, outside of the storage {storage}"
        hint = "write a path relative to the storage, without links out of it"
        raise StepError(message, code="path-escape", hint=hint)
    return location


def exists(storage: Path, spec: DatasetSpec) -> bool:
    """Tell whether the dataset has been published."""
    location = locate(storage, spec)
    match spec.format:
        case Format.DELTA:
            return delta.exists(location)
        case Format.ICEBERG:
            return iceberg.exists(storage, spec)
        case _:
            return location.exists()


def scan(db: duckdb.DuckDBPyConnection, storage: Path, spec: DatasetSpec) -> duckdb.DuckDBPyRelation:
    """Return the rows of a dataset.

    Raises:
        StepError: `unreadable-input`.
    """
    location = locate(storage, spec)
    with reading(spec.name, location):
        match spec.format:
            case Format.DELTA:
                return delta.scan(db, location)
            case Format.ICEBERG:
                return iceberg.scan(db, storage, spec)
            case _:
                return files.scan(db, spec, location)


def version(storage: Path, spec: DatasetSpec) -> str:
    """Return what identifies the data: the content's digest, or the table's snapshot. Empty when there is none."""
    if not exists(storage, spec):
        return ""
    location = locate(storage, spec)
    match spec.format:
        case Format.DELTA:
            return delta.version(location)
        case Format.ICEBERG:
            return iceberg.version(storage, spec)
        case _:
            return digest(location)


def digest(location: Path) -> str:
    """Return the SHA-256 of a file's content, or of the names and contents of a folder's data files."""
    if location.is_file():
        return f"sha256:{_hash(location)}"
    lines = (f"{path.relative_to(location).as_posix()} {_hash(path)}\n" for path in disk.parts(location))
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size(storage: Path, spec: DatasetSpec) -> int:
    """Return the bytes that the dataset's files take."""
    return disk.size(locate(storage, spec))
