"""A folder of this machine, or one that it mounts, to which files are delivered."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from anabranch.store.told import told


class LocalFiles:
    """The `Files` below a folder; it is made on first write."""

    def __init__(self, folder: Path) -> None:
        """Name the folder."""
        self._folder = folder

    def list(self, below: str) -> list[str]:
        """Return the names of the files in a folder and below it, sorted."""
        found = (path for path in (self._folder / below).rglob("*") if path.is_file())
        names = (path.relative_to(self._folder).as_posix() for path in found)
        return sorted(name for name in names if not name.rpartition("/")[2].startswith("."))

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None when it is not there."""
        with told(self._folder / name):
            try:
                return (self._folder / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside its place and move it there."""
        path = self._folder / name
        with told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            fd, made = tempfile.mkstemp(prefix=".new-", dir=path.parent)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(made).chmod(0o644)  # those who read it are others
                Path(made).replace(path)
            except BaseException:
                Path(made).unlink(missing_ok=True)
                raise

    def delete(self, name: str) -> None:
        """Delete a file, and the folders that are empty then."""
        path = self._folder / name
        with told(path):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            for parent in path.parents:
                if parent == self._folder:
                    break
                parent.rmdir()
