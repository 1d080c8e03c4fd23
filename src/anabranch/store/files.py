"""A folder of this machine, or one that it mounts, to which files are delivered."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from glob import escape
from pathlib import Path

from anabranch.store.told import told

NEW = ".new-"
"""How the name of a file starts that is being written; its own name follows, and something random."""

TRIES = 20
"""How often a folder is made again that somebody else has just deleted."""

LONGEST = 230
"""Characters of a file's own name in that: file systems take 255."""


class LocalFiles:
    """The `Files` below a folder; it is made on first write."""

    def __init__(self, folder: Path) -> None:
        """Name the folder."""
        self._folder = folder

    def list(self, below: str) -> list[str]:
        """Return the names of the files in a folder and below it, sorted.

        Those whose writing was cut off are among them, so that somebody deletes what is left of them.
        """
        found = (path for path in (self._folder / below).rglob("*") if path.is_file())
        names = (_written(path).relative_to(self._folder).as_posix() for path in found)
        return sorted({name for name in names if not name.rpartition("/")[2].startswith(".")})

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None when it is not there."""
        with told(self._folder / name, "the file"):
            try:
                return (self._folder / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside its place and move it there."""
        path = self._folder / name
        with told(path, "the file"):
            fd, made = _beside(path)
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
        with told(path, "the file"):
            path.unlink(missing_ok=True)
            with suppress(FileNotFoundError):  # whoever deleted another file of the folder has deleted it, too
                _sweep(path)
        with suppress(OSError):
            for parent in path.parents:
                if parent == self._folder:
                    break
                parent.rmdir()


def _beside(path: Path) -> tuple[int, str]:
    """Return a fresh file beside a path. Whoever deletes another of its folder may delete the folder meanwhile."""
    named = f"{path.name}." if len(path.name) <= LONGEST else ""

    def make() -> tuple[int, str]:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        return tempfile.mkstemp(prefix=f"{NEW}{named}", dir=path.parent)

    for _ in range(TRIES):
        with suppress(FileNotFoundError, FileExistsError):
            return make()
    return make()


def _written(path: Path) -> Path:
    """Return the file that is being written under another name.

    >>> _written(Path("dags/.new-shop.daily.py.x1")).name
    'shop.daily.py'
    """
    if not path.name.startswith(NEW):
        return path
    return path.with_name(path.name.removeprefix(NEW).rpartition(".")[0] or path.name)


def _sweep(path: Path) -> None:
    """Delete what is left of writing a file that was cut off. Nobody else writes it: whoever does holds a lock."""
    for left in path.parent.glob(f"{NEW}{escape(path.name)}.*"):
        left.unlink(missing_ok=True)
