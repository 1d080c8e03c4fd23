"""What `apply` remembers, in PostgreSQL: one row for each resource, behind a lease that is fenced by its token."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anabranch.model.resource import Address, Applied
from anabranch.ports import LEASE
from anabranch.store import leases

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from psycopg import Connection

    from anabranch.model.resource import Owner
    from anabranch.store.postgres.server import Server

_OURS = "WHERE project = %(project)s AND environment = %(environment)s AND namespace = %(namespace)s"
_KEY = "(project, environment, namespace"
_VALUES = "(%(project)s, %(environment)s, %(namespace)s"
_NOW = "coalesce(%(now)s::float8, extract(epoch FROM clock_timestamp())::float8)"
"""The server's clock: those of the machines that share it may differ."""


class PostgresStateStore:
    """The `StateStore` of one namespace of an environment."""

    def __init__(self, server: Server, owner: Owner, clock: Callable[[], float] | None = None) -> None:
        """Use a server, whose clock counts if none is given; nothing is asked yet."""
        self._server, self._clock = server, clock
        self._key = {"project": owner.project, "environment": owner.environment, "namespace": owner.namespace}
        self._where = f"{owner.environment} in {server.where}"
        self._token = 0

    @property
    def serial(self) -> int:
        """How often the state was written."""
        rows = self._server.read(f"SELECT serial FROM anabranch.deployments {_OURS}", self._key)
        return int(rows[0][0]) if rows else 0

    def applied(self) -> dict[Address, Applied]:
        """Return what was made, as it was left; without a digest where nobody knows how the only call went."""
        columns = "address, name, digest, depends, pending"
        query = f'SELECT {columns} FROM anabranch.resources {_OURS} ORDER BY address COLLATE "C"'
        return {
            Address(address): Applied(Address(address), name, digest, tuple(map(Address, json.loads(depends))), pending)
            for address, name, digest, depends, pending in self._server.read(query, self._key)
        }

    def places(self) -> dict[str, str]:
        """Return where it was made, by what each place is for; empty where nothing is known."""
        rows = self._server.read(f"SELECT places FROM anabranch.deployments {_OURS}", self._key)
        return {str(key): str(value) for key, value in json.loads(rows[0][0]).items()} if rows else {}

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the lock; a state that is empty when it is let go is deleted.

        Raises:
            ConflictError: `state-locked`, with who holds it and since when.
        """
        token = leases.take()
        try:
            self._server.write(lambda db: self._take(db, token))
            self._token = token
            try:
                yield
            finally:
                self._token = 0
                self._server.write(lambda db: self._let_go(db, token))
        finally:
            leases.drop(token)

    def _values(self, **more: object) -> dict[str, Any]:
        return {**self._key, "now": self._clock() if self._clock else None, **more}

    def _take(self, db: Connection[tuple[Any, ...]], token: int) -> None:
        values = self._values(token=token, holder=leases.holder(), lease=LEASE)
        _run(db, f"INSERT INTO anabranch.deployments {_KEY}) VALUES {_VALUES}) ON CONFLICT DO NOTHING", values)
        query = f"SELECT token, holder, held_at, expires_at, {_NOW} FROM anabranch.deployments {_OURS} FOR UPDATE"
        row = _run(db, query, values).fetchone()
        if row is not None:  # else whoever held it has just deleted it: it is taken next time
            before, holder, held_at, expires_at, now = row
            if expires_at > now and before != token:  # our own: only the answer was lost
                raise leases.locked(self._where, holder, held_at, expires_at, now)
        change = f"token = %(token)s, holder = %(holder)s, held_at = {_NOW}, expires_at = {_NOW} + %(lease)s"
        if not _run(db, f"UPDATE anabranch.deployments SET {change} {_OURS}", values).rowcount:
            raise leases.raced(self._where)

    def _let_go(self, db: Connection[tuple[Any, ...]], token: int) -> None:
        values = self._values(token=token)
        _run(db, f"UPDATE anabranch.deployments SET expires_at = 0 {_OURS} AND token = %(token)s", values)
        empty = f"NOT EXISTS (SELECT 1 FROM anabranch.resources {_OURS})"
        _run(db, f"DELETE FROM anabranch.deployments {_OURS} AND token = %(token)s AND {empty}", values)

    def renew(self) -> None:
        """Begin the lease anew, as each write does; raises as `intend`."""
        self._server.write(lambda db: self._renew(db, 0))

    def intend(self, address: Address) -> None:
        """Note that a call for a resource is about to be made.

        Raises:
            ConflictError: `lock-lost`, somebody else took the lock meanwhile.
        """
        query = f"INSERT INTO anabranch.resources {_KEY}, address, pending) VALUES {_VALUES}, %(address)s, true) "
        query += f"ON CONFLICT {_KEY}, address) DO UPDATE SET pending = true"
        self._write(query, address=address)

    def record(self, applied: Applied) -> None:
        """Note that a resource is as it should be; raises as `intend`."""
        query = f"INSERT INTO anabranch.resources {_KEY}, address, name, digest, depends) "
        query += f"VALUES {_VALUES}, %(address)s, %(name)s, %(digest)s, %(depends)s) ON CONFLICT {_KEY}, address) "
        query += "DO UPDATE SET name = %(name)s, digest = %(digest)s, depends = %(depends)s, pending = false"
        depends = json.dumps(applied.depends)
        self._write(query, address=applied.address, name=applied.name, digest=applied.digest, depends=depends)

    def forget(self, address: Address) -> None:
        """Note that a resource is gone; raises as `intend`."""
        self._write(f"DELETE FROM anabranch.resources {_OURS} AND address = %(address)s", address=address)

    def settle(self, places: Mapping[str, str]) -> None:
        """Note where it is made; raises as `intend`."""
        query = f"UPDATE anabranch.deployments SET places = %(places)s {_OURS}"
        self._write(query, places=json.dumps(dict(places)))

    def _write(self, query: str, **more: object) -> None:
        def act(db: Connection[tuple[Any, ...]]) -> None:
            self._renew(db, 1)
            _run(db, query, self._values(**more))

        self._server.write(act)

    def _renew(self, db: Connection[tuple[Any, ...]], writes: int) -> None:
        values = self._values(token=self._token, lease=LEASE, writes=writes)
        change = f"serial = serial + %(writes)s, expires_at = {_NOW} + %(lease)s"
        query = f"UPDATE anabranch.deployments SET {change} {_OURS} AND token = %(token)s"
        if not _run(db, query, values).rowcount:
            raise leases.lost(self._where)


def _run(db: Connection[tuple[Any, ...]], query: str, values: dict[str, Any]) -> Any:
    return db.execute(query.encode(), values)
