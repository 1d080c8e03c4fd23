"""What `apply` remembers, in SQLite beside the runs, under a lock that ends by itself when its holder is dead."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anabranch.model.resource import Address, Applied
from anabranch.ports import LEASE
from anabranch.store import leases

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Mapping

    from anabranch.store.database import Database

_OURS = "WHERE environment = ? AND namespace = ?"


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
        rows = self._read(f"SELECT serial FROM deployments {_OURS}")
        return int(rows[0][0]) if rows else 0

    def applied(self) -> dict[Address, Applied]:
        """Return what was made, as it was left; without a digest where nobody knows how the only call went."""
        query = f"SELECT address, name, digest, depends, pending FROM resources {_OURS} ORDER BY address"
        return {
            Address(address): Applied(
                Address(address), name, digest, tuple(map(Address, json.loads(depends))), bool(pending)
            )
            for address, name, digest, depends, pending in self._read(query)
        }

    def places(self) -> dict[str, str]:
        """Return where it was made, by what each place is for; empty where nothing is known."""
        rows = self._read(f"SELECT places FROM deployments {_OURS}")
        return {str(key): str(value) for key, value in json.loads(rows[0][0]).items()} if rows else {}

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the lock; a state that is empty when it is let go is deleted.

        Raises:
            ConflictError: `state-locked`, with who holds it and since when.
        """
        token = leases.take()
        try:
            self._db.write(lambda db: self._take(db, token))
            self._token = token
            try:
                yield
            finally:
                self._token = 0
                self._db.write(lambda db: self._let_go(db, token))
        finally:
            leases.drop(token)

    def _take(self, db: sqlite3.Connection, token: int) -> None:
        now = self._clock()
        db.execute("INSERT OR IGNORE INTO deployments (environment, namespace) VALUES (?, ?)", self._key)
        query = f"SELECT token, holder, held_at, expires_at FROM deployments {_OURS}"
        before, holder, held_at, expires_at = db.execute(query, self._key).fetchone()
        if expires_at > now and not leases.is_dead(holder, before):
            raise leases.locked(self._key[0], holder, held_at, expires_at, now)
        query = f"UPDATE deployments SET token = ?, holder = ?, held_at = ?, expires_at = ? {_OURS}"
        db.execute(query, (token, leases.holder(), now, now + LEASE, *self._key))

    def _let_go(self, db: sqlite3.Connection, token: int) -> None:
        ours = (*self._key, token)
        db.execute(f"UPDATE deployments SET expires_at = 0 {_OURS} AND token = ?", ours)
        empty = "NOT EXISTS (SELECT 1 FROM resources r WHERE r.environment = ? AND r.namespace = ?)"
        db.execute(f"DELETE FROM deployments {_OURS} AND token = ? AND {empty}", (*ours, *self._key))

    def renew(self) -> None:
        """Begin the lease anew, as each write does; raises as `intend`."""
        self._db.write(lambda db: self._renew(db, 0))

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
        self._write(f"DELETE FROM resources {_OURS} AND address = ?", (*self._key, address))

    def settle(self, places: Mapping[str, str]) -> None:
        """Note where it is made; raises as `intend`."""
        self._write(f"UPDATE deployments SET places = ? {_OURS}", (json.dumps(dict(places)), *self._key))

    def _read(self, query: str) -> list[tuple[str, ...]]:
        return self._db.read(query, self._key) if self._db.path.exists() else []

    def _write(self, query: str, row: tuple[object, ...]) -> None:
        def act(db: sqlite3.Connection) -> None:
            self._renew(db, 1)
            db.execute(query, row)

        self._db.write(act)

    def _renew(self, db: sqlite3.Connection, writes: int) -> None:
        query = f"UPDATE deployments SET serial = serial + ?, expires_at = ? {_OURS} AND token = ?"
        if not db.execute(query, (writes, self._clock() + LEASE, *self._key, self._token)).rowcount:
            raise leases.lost(self._key[0])
