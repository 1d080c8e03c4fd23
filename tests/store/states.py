"""The places that a state is kept in, and what people and accidents do to it there."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Protocol

from anabranch.data.objects.store import Objects
from anabranch.model.resource import Owner
from anabranch.store.database import Database
from anabranch.store.deployments import SqliteStateStore
from anabranch.store.postgres.deployments import PostgresStateStore
from anabranch.store.postgres.server import Server
from anabranch.store.shared import SharedStateStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anabranch.ports import StateStore

    Clock = Callable[[], float]

OWNER = Owner("shop", "prod", "main")


class Kept(Protocol):
    """One place of a state."""

    url: str

    def open(self, clock: Clock | None = None, namespace: str = "main") -> StateStore:
        """Return the state as another process would."""
        ...

    def left(self) -> list[Any]:
        """Return whatever lies there."""
        ...

    def lose(self) -> None:
        """Delete whatever lies there."""
        ...

    def spoil(self, how: str) -> str:
        """Make it `newer`, or cut it `short`; return the code of the error that it should give."""
        ...


class InSqlite:
    url = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, clock: Clock | None = None, namespace: str = "main") -> StateStore:
        settings = () if clock is None else (clock,)
        return SqliteStateStore(Database(self.folder), "prod", namespace, *settings)

    def left(self) -> list[Any]:
        db = sqlite3.connect(self.folder / "state.db")
        found = [*db.execute("SELECT * FROM deployments"), *db.execute("SELECT * FROM resources")]
        db.close()
        return found

    def lose(self) -> None:
        (self.folder / "state.db").unlink()

    def spoil(self, how: str) -> str:
        file = self.folder / "state.db"
        if how == "newer":
            db = sqlite3.connect(file)
            db.execute("PRAGMA user_version = 99")
            db.close()
            return "newer-version"
        for each in self.folder.glob("state.db-*"):
            each.unlink()
        file.write_bytes(file.read_bytes()[:5000])
        return "store-failed"


class InBucket:
    def __init__(self, url: str) -> None:
        self.url = url
        self.bucket = Objects(self.url)

    def open(self, clock: Clock | None = None, namespace: str = "main") -> StateStore:
        settings = () if clock is None else (clock,)
        return SharedStateStore(self.bucket, f"shop/prod/{namespace}.json", *settings)

    def left(self) -> list[Any]:
        return list(self.bucket.list(""))

    def lose(self) -> None:
        self.bucket.delete(self.left())

    def spoil(self, how: str) -> str:
        key = "shop/prod/main.json"
        body = self.bucket.read(key) or b""
        self.bucket.put(key, b'{"anabranch": 99}' if how == "newer" else body[: len(body) // 2])
        return "newer-version" if how == "newer" else "state-unreadable"


class InPostgres:
    def __init__(self, url: str) -> None:
        self.url = url

    def open(self, clock: Clock | None = None, namespace: str = "main") -> StateStore:
        owner = Owner(OWNER.project, OWNER.environment, namespace)
        return PostgresStateStore(Server(self.url), owner, clock)

    def ask(self, *queries: str) -> list[Any]:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as db:
            found = [db.execute(query.encode()) for query in queries]
            return [row for each in found if each.description for row in each.fetchall()]

    def left(self) -> list[Any]:
        return self.ask("SELECT project FROM anabranch.deployments", "SELECT address FROM anabranch.resources")

    def lose(self) -> None:
        self.ask("DROP SCHEMA anabranch CASCADE")

    def spoil(self, how: str) -> str:
        if how == "newer":
            self.ask("UPDATE anabranch.version SET number = 99")
            return "newer-version"
        self.ask("ALTER TABLE anabranch.resources DROP COLUMN digest")
        return "state-unreadable"
