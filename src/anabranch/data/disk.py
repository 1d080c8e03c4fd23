"""The few file operations that publication is made of: all go through here, so that tests can stop after each."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

OURS = "_anabranch"
"""The folder below a storage root that holds staging, journals and watermarks."""

BRANCHES = "_branches"
"""The folder below a storage root that holds the storage of each branch."""

_TRIES = 100


def write_json(path: Path, value: Any) -> None:
    """Write a small file so that after a crash it is there whole, or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    rename(fresh, path)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, also while others remove parents that are empty."""
    for _ in range(_TRIES):
        # What is said to exist may be gone again when it is looked at.
        with suppress(FileNotFoundError, FileExistsError):
            path.mkdir(parents=True, exist_ok=True)
            return
    path.mkdir(parents=True, exist_ok=True)


def rename(source: Path, target: Path) -> None:
    """Move a file or folder within the storage, durably; a file is replaced, a folder must not be there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    sync_folder(target.parent)


def remove(path: Path) -> None:
    """Delete a file or folder; it may be gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def clone(source: Path, target: Path) -> None:
    """Put a file or folder at another place of the storage as well: without a copy where the file system can link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_or_copy)
    else:
        _link_or_copy(str(source), str(target))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def sync(path: Path) -> None:
    """Make a file, or all files of a folder, durable."""
    for each in [path] if path.is_file() else [*path.rglob("*"), path]:
        fd = os.open(each, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def parts(location: Path) -> list[Path]:
    """Return the data files at a location: itself, or those in the folder; markers and hidden files are left out."""
    if location.is_file():
        return [location]
    found = (path for path in location.rglob("*") if path.is_file())
    return sorted(
        path for path in found if not any(part.startswith(("_", ".")) for part in path.relative_to(location).parts)
    )


def size(location: Path) -> int:
    """Return the bytes of the data files at a location."""
    return sum(path.stat().st_size for path in parts(location))


def escape(name: str) -> str:
    """Return a name as one part of a path."""
    return name.replace("%", "%25").replace("/", "%2F")


def unescape(name: str) -> str:
    """Return the name that `escape` was given.

    >>> unescape(escape("a/b%c"))
    'a/b%c'
    """
    return name.replace("%2F", "/").replace("%25", "%")


_CODES = {
    errno.ENOSPC: ("disk-full", "the disk is full", "free some space, then retry the run: nothing was published"),
    errno.EDQUOT: ("disk-full", "the disk quota is used up", "free some space, then retry the run"),
    errno.EFBIG: ("disk-full", "the file grew beyond what is allowed here", "raise the limit, then retry the run"),
    errno.EROFS: ("storage-read-only", "the storage is read-only", "mount it writable, or set `storage:` elsewhere"),
    errno.EACCES: ("storage-read-only", "the storage cannot be written", "give yourself the right to write there"),
    errno.EPERM: ("storage-read-only", "the storage cannot be written", "give yourself the right to write there"),
}


@contextmanager
def told(location: str | Path) -> Generator[None]:
    """Turn the system's errors into ours: where, what, one thing to try.

    Raises:
        StepError: `disk-full`, `storage-read-only`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _CODES:
            code, what, hint = _CODES[error.errno]
            message = f"{what}, at {error.filename or location}"
            raise StepError(message, code=code, hint=hint) from error
        raise
