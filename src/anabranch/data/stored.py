"""A published dataset, whatever its format: whether it is there, its rows, its version.

In a branch a dataset lies below the branch's own storage once it has been written there; until then it is read where it
is bound, below main's, and only in the version that is pinned.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.data import contract, disk, duck
from anabranch.data.formats import delta, files, iceberg
from anabranch.data.formats.exact import MARK
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import duckdb


TABLES = frozenset({Format.DELTA, Format.ICEBERG})
"""Formats that keep their own history."""


def suffix(spec: DatasetSpec) -> str:
    """Return how the name of a staged file ends: the rows of a table are staged as Parquet."""
    return spec.format.suffix or ".parquet"


def locate(storage: Path, spec: DatasetSpec) -> Path:
    """Return where a dataset lies.

    Raises:
        StepError: `path-escape`, outside of the storage, perhaps by a symbolic link.
    """
    location = storage / spec.location
    root, resolved = storage.resolve(), location.resolve()
    if any(resolved.is_relative_to(root / ours) for ours in (disk.OURS, disk.BRANCHES)):
        message = f"dataset `{spec.name}` lies at {location}, where anabranch keeps its own files"
        raise StepError(message, code="path-escape", hint="write another path")
    if not resolved.is_relative_to(root) or resolved == root:
        message = f"dataset `{spec.name}` lies at {location}, outside of the storage {storage}"
        hint = "write a path relative to the storage, without links out of it"
        raise StepError(message, code="path-escape", hint=hint)
    return location


def home(storage: Path, spec: DatasetSpec) -> Path:
    """Return the root below which a dataset is read: the storage itself, or where a branch finds it until it writes it.

    Raises:
        StepError: `path-escape`.
    """
    return storage if spec.bound is None or lies(storage, spec) else Path(spec.bound.root)


def place(storage: Path, spec: DatasetSpec) -> Path:
    """Return where a dataset is read."""
    return locate(home(storage, spec), spec)


def exists(storage: Path, spec: DatasetSpec) -> bool:
    """Tell whether the dataset can be read."""
    return lies(home(storage, spec), spec)


def lies(storage: Path, spec: DatasetSpec) -> bool:
    """Tell whether the dataset has been published below this very root."""
    location = locate(storage, spec)
    match spec.format:
        case Format.DELTA:
            return delta.exists(location)
        case Format.ICEBERG:
            return iceberg.exists(storage, spec)
        case _:
            return location.exists()


def reading(db: duckdb.DuckDBPyConnection, spec: DatasetSpec, location: Path) -> AbstractContextManager[None]:
    """Turn DuckDB's errors while rows of a dataset are read into ours: rows are named, sensitive values are not.

    Raises:
        StepError: `unreadable-input`.
    """

    def explain(error: Exception) -> str:
        if MARK in str(error) and spec.format in {Format.CSV, Format.JSONL}:
            return "; ".join(contract.bad_texts(files.bad_values(db, spec, location)))
        return contract.discreet(spec, duck.first_lines(error))

    return duck.reading(spec.name, location, explain)


def scan(
    db: duckdb.DuckDBPyConnection, storage: Path, spec: DatasetSpec, *, guess: bool = True
) -> duckdb.DuckDBPyRelation:
    """Return the rows of a dataset; without `guess`, text without a promised type stays as it is written.

    Raises:
        StepError: `unreadable-input`.
    """
    root = home(storage, spec)
    location, pinned = locate(root, spec), _snapshot(storage, root, spec)
    with reading(db, spec, location):
        match spec.format:
            case Format.DELTA:
                return delta.scan(db, location, pinned)
            case Format.ICEBERG:
                return iceberg.scan(db, root, spec, pinned)
            case _:
                return files.scan(db, spec, location, guess=guess)


def _snapshot(storage: Path, root: Path, spec: DatasetSpec) -> int | None:
    """Return the snapshot of a table that a branch is pinned to.

    Raises:
        StepError: `input-moved`, another table lies there now.
    """
    if root == storage or spec.bound is None or ":" not in spec.bound.version or spec.format not in TABLES:
        return None
    table, _, number = spec.bound.version.rpartition("@")
    if version(root, spec).rpartition("@")[0] != table:
        message = f"dataset `{spec.name}` of main is another table than the one that this branch reads"
        raise StepError(message, code="input-moved", hint="run the branch with --rebase")
    return int(number)


def version(storage: Path, spec: DatasetSpec) -> str:
    """Return what identifies the data: the content's digest, or the table's snapshot. Empty when there is none."""
    if not exists(storage, spec):
        return ""
    root = home(storage, spec)
    if spec.bound and root != storage and spec.format in TABLES and spec.bound.version:
        return spec.bound.version  # a table keeps its past, and only this of it is read
    storage, location = root, locate(root, spec)
    match spec.format:
        case Format.DELTA:
            return delta.version(location)
        case Format.ICEBERG:
            return iceberg.version(storage, spec)
        case _:
            return digest(location)


def signature(storage: Path, spec: DatasetSpec) -> object:
    """Return what changes whenever the data does, without reading it: for files their names, sizes and times.

    Raises:
        FileNotFoundError: nothing lies there, or it is replaced just now.
    """
    if spec.format in TABLES:
        return version(storage, spec)
    location = place(storage, spec)
    lying = location.stat().st_ino
    found = ((path, path.stat()) for path in disk.parts(location))
    files = tuple((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in found)
    if location.stat().st_ino != lying:  # a folder that is taken away while it is listed looks empty
        raise FileNotFoundError(location)
    return lying, files


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
    return disk.size(place(storage, spec))


def told(storage: Path, spec: DatasetSpec) -> tuple[int | None, str]:
    """Return a dataset's bytes and version; neither when another pipeline replaces it just now."""
    try:
        return size(storage, spec), version(storage, spec)
    except FileNotFoundError:
        return None, ""
