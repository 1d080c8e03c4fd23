"""Records of branches in SQLite, beside the runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from anabranch.model import codec
from anabranch.model.branch import Branch
from anabranch.model.errors import ConflictError, NotFoundError, closest

if TYPE_CHECKING:
    from anabranch.store.database import Database


class SqliteBranchStore:
    """The `BranchStore` below a project's `.anabranch` folder."""

    def __init__(self, database: Database) -> None:
        """Use the database that holds the runs."""
        self._db = database

    def add(self, branch: Branch) -> None:
        """Record a new branch.

        Raises:
            ConflictError: `branch-exists`.
        """
        row = (branch.name, _body(branch))
        query = "INSERT OR IGNORE INTO branches (name, serial, body) VALUES (?, 1, ?)"
        if not self._db.write(lambda db: db.execute(query, row).rowcount):
            message = f"there is a branch `{branch.name}` already"
            hint = f"anabranch branch run {branch.name}, or drop it first"
            raise ConflictError(message, code="branch-exists", hint=hint)

    def save(self, branch: Branch) -> None:
        """Record how a branch has changed.

        Raises:
            NotFoundError: `no-branch`, it was dropped meanwhile.
        """
        row = (_body(branch), branch.name)
        query = "UPDATE branches SET serial = serial + 1, body = ? WHERE name = ?"
        if not self._db.write(lambda db: db.execute(query, row).rowcount):
            raise self._missing(branch.name)

    def find(self, name: str) -> Branch:
        """Return the branch of that name.

        Raises:
            NotFoundError: `no-branch`.
        """
        rows = self._db.read("SELECT body FROM branches WHERE name = ?", (name,)) if self._db.path.exists() else []
        if not rows:
            raise self._missing(name)
        return codec.decode(Branch, json.loads(rows[0][0]))

    def all(self) -> tuple[Branch, ...]:
        """Return every branch, by name."""
        if not self._db.path.exists():
            return ()
        rows = self._db.read("SELECT body FROM branches ORDER BY name")
        return tuple(codec.decode(Branch, json.loads(row[0])) for row in rows)

    def delete(self, name: str) -> None:
        """Forget a branch."""
        self._db.write(lambda db: db.execute("DELETE FROM branches WHERE name = ?", (name,)))

    def _missing(self, name: str) -> NotFoundError:
        names = [branch.name for branch in self.all()]
        hint = closest(name, names) if names else "anabranch branch create NAME"
        return NotFoundError(f"there is no branch `{name}`", code="no-branch", hint=hint)


def _body(branch: Branch) -> str:
    return json.dumps(codec.encode(branch), separators=(",", ":"))
