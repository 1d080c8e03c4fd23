"""What `apply` remembers, in SQLite beside the runs, under a lock that ends by itself when its holder is dead."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anabranch.model.errors import ConflictError
from anabranch.model.resource import Address, Applied

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator

    from anabranch.store.database import Database

LEASE = 120.0
"""Seconds after which a lock whose holder has not written is anybody's."""


class SqliteStateStore:
    """The `StateStore` of one namespace of an environment."""

    def __init__(
        self, database: Database, environment: str, namespace: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Use the database that holds the runs; nothing is written yet."""
        self._db, self._clock = database, clock
        self._key = (environment, namespace)
        self._token = 0

    @property
    def serial(self) -> int:
        """How often the state was written."""
        query = "SELECT serial FROM deployments WHERE environment = ? AND namespace = ?"
        rows = self._db.read(query, self._key) if self._db.path.exists() else []
        return int(rows[0][0]) if rows else 0

    def applied(self) -> dict[Address, Applied]:
        """Return what was made, as it was left; resources of which nobody knows how a call went are left out."""
        query = (
            "SELECT address, name, digest, depends FROM resources "
            "WHERE environment = ? AND namespace = ? AND digest <> '' ORDER BY address"
        )
        rows = self._db.read(query, self._key) if self._db.path.exists() else []
        return {
            Address(address): Applied(Address(address), name, digest, tuple(map(Address, json.loads(depends))))
            for address, name, digest, depends in rows
        }

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the lock.

        Raises:
            ConflictError: `state-locked`, with who holds it and since when.
        """
        self._token = self._db.write(self._take)
        try:
            yield
        finally:
            query = "UPDATE deployments SET expires_at = 0 WHERE environment = ? AND namespace = ? AND token = ?"
            self._db.write(lambda db: db.execute(query, (*self._key, self._token)))
            self._token = 0

    def _take(self, db: sqlite3.Connection) -> int:
        now, where = self._clock(), "WHERE environment = ? AND namespace = ?"
        db.execute("INSERT OR IGNORE INTO deployments (environment, namespace) VALUES (?, ?)", self._key)
        query = f"SELECT token, holder, held_at, expires_at FROM deployments {where}"  # noqa: S608 - no value in it
        token, holder, held_at, expires_at = db.execute(query, self._key).fetchone()
        if expires_at > now and not _is_dead(holder):
            message = f"{holder} has been changing {self._key[0]} for {now - held_at:.0f} s"
            hint = f"wait for it; if it is dead, its lock ends in {expires_at - now:.0f} s"
            raise ConflictError(message, code="state-locked", hint=hint)
        query = f"UPDATE deployments SET token = ?, holder = ?, held_at = ?, expires_at = ? {where}"  # noqa: S608
        db.execute(query, (token + 1, f"{socket.gethostname()}:{os.getpid()}", now, now + LEASE, *self._key))
        return int(token) + 1

    def intend(self, address: Address) -> None:
        """Note that a call for a resource is about to be made.

        Raises:
            ConflictError: `lock-lost`, somebody else took the lock meanwhile.
        """
        query = (
            "INSERT INTO resources (environment, namespace, address, pending) VALUES (?, ?, ?, 1) "
            "ON CONFLICT (environment, namespace, address) DO UPDATE SET pending = 1"
        )
        self._write(query, (*self._key, address))

    def record(self, applied: Applied) -> None:
        """Note that a resource is as it should be; raises as `intend`."""
        query = (
            "INSERT OR REPLACE INTO resources (environment, namespace, address, name, digest, depends) "
            "VALUES (?, ?, ?, ?, ?, ?)"
        )
        row = (*self._key, applied.address, applied.name, applied.digest, json.dumps(applied.depends))
        self._write(query, row)

    def forget(self, address: Address) -> None:
        """Note that a resource is gone; raises as `intend`."""
        query = "DELETE FROM resources WHERE environment = ? AND namespace = ? AND address = ?"
        self._write(query, (*self._key, address))

    def _write(self, query: str, row: tuple[object, ...]) -> None:
        def act(db: sqlite3.Connection) -> None:
            renew = (
                "UPDATE deployments SET serial = serial + 1, expires_at = ? "
                "WHERE environment = ? AND namespace = ? AND token = ?"
            )
            if not db.execute(renew, (self._clock() + LEASE, *self._key, self._token)).rowcount:
                message = f"somebody else took the lock of {self._key[0]}, because this process was silent for long"
                raise ConflictError(message, code="lock-lost", hint="plan again: what was done is recorded")
            db.execute(query, row)

        self._db.write(act)


def _is_dead(holder: str) -> bool:
    """Tell whether a holder was a process of this machine that is no more."""
    host, _, process = holder.rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(process) == os.getpid()
