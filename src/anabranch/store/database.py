"""The SQLite database below a project's `.anabranch` folder: opened on first use, brought to the newest form."""

from __future__ import annotations

import sqlite3
import weakref
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

from anabranch.model.errors import ConflictError
from anabranch.store.told import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class Database:
    """One file. WAL lets readers go on while another writes; `synchronous=FULL` makes a commit survive a power cut."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made, and the file opened, on first use."""
        self.folder = folder
        self._connection: sqlite3.Connection | None = None

    @property
    def path(self) -> Path:
        """The database file."""
        return self.folder / "state.db"

    def close(self) -> None:
        """Close the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            try:
                migrate(db, self.path)
            except BaseException:
                db.close()
                raise
            self._connection = db
            weakref.finalize(self, db.close)  # also when the interpreter ends
        return self._connection

    def read(self, query: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[Any]:
        """Return the rows of a query."""
        with told(self.path):
            return self._open().execute(query, values).fetchall()

    def write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction, durably, or not at all."""
        with told(self.path):
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            try:
                result = act(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            return result


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the database to the newest form, one numbered file after the other.

    Raises:
        ConflictError: `newer-version`, a newer anabranch wrote it.
    """
    files = sorted(
        (
            each
            for each in resources.files("anabranch.store").joinpath("migrations").iterdir()
            if each.name.endswith(".sql")
        ),
        key=lambda each: each.name,
    )
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(files):
        message = f"{path} is of version {version}, this anabranch knows up to {len(files)}"
        raise ConflictError(
            message, code="newer-version", hint="upgrade anabranch, or move the file away to start anew"
        )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    for number, each in enumerate(files[version:], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] < number:  # another process may have been quicker
                for statement in each.read_text().split(";"):
                    if statement.strip():
                        db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
