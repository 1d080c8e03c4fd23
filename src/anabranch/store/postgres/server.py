"""One PostgreSQL: connected on first use and again when the connection breaks; it brings its tables up to date."""

from __future__ import annotations

import random
import time
import weakref
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

from anabranch.model.errors import ConflictError, StepError
from anabranch.model.server import shown
from anabranch.store.postgres.told import is_passing, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

T = TypeVar("T")

ATTEMPTS = 4
"""How often something is tried that fails because the server does not answer."""
_LIMITS = "SELECT set_config('statement_timeout', '30s', true), set_config('lock_timeout', '10s', true)"
"""Of one transaction: poolers share sessions."""
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('anabranch.version'))"
# Asked of the tables of the catalogue: to_regclass() looks into a cache that an advisory lock does not refresh.
_OUR_SCHEMA = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'anabranch'"
_OUR_TABLE = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = 'anabranch' AND tablename = 'version'"
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


class Server:
    """A database on a server; what is done there is done in whole transactions."""

    def __init__(self, url: str, password: Callable[[], str] = str) -> None:
        """Name it; nothing is asked yet.

        Args:
            url: of the database, without a password.
            password: returns it; where it is empty, PGPASSWORD or a passfile may have it.
        """
        self.where = shown(url)
        self._url, self._password = url, password
        self._connection: Connection[tuple[Any, ...]] | None = None
        self._version = 0

    def read(self, query: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none where nobody has made our tables yet. Raises as `write`."""

        def act(db: Connection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            return db.execute(query.encode(), values).fetchall() if self._known(db) else []

        return self._do(act)

    def write(self, act: Callable[[Connection[tuple[Any, ...]]], T]) -> T:
        """Do something in one transaction. It is done again when the connection broke meanwhile.

        Raises:
            ConflictError: `state-unreachable`, `state-denied`, `state-unreadable`, `newer-version`.
            StepError: `not-installed`; as the password does.
        """

        def prepared(db: Connection[tuple[Any, ...]]) -> T:
            self._migrate(db)
            return act(db)

        return self._do(prepared)

    def _do(self, act: Callable[[Connection[tuple[Any, ...]]], T]) -> T:
        for left in reversed(range(ATTEMPTS)):
            try:
                with told(self.where):
                    db = self._open()
                    with db.transaction():
                        db.execute(_LIMITS)
                        return act(db)
            except ConflictError as error:
                self._version = 0  # it is looked at again
                if not (left and is_passing(error)):
                    raise
            time.sleep(random.uniform(0.1, 0.5) * (ATTEMPTS - left))  # noqa: S311 - no secret
        raise AssertionError

    def _open(self) -> Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            try:
                import psycopg
            except ImportError:
                message, hint = "a state in PostgreSQL needs the package psycopg", "pip install 'anabranch[postgres]'"
                raise StepError(message, code="not-installed", hint=hint) from None
            given: dict[str, Any] = {"connect_timeout": 10, "application_name": "anabranch", **_KEEPALIVE}
            given |= {"password": password} if (password := self._password()) else {}
            # Prepared statements do not outlive a transaction behind a pooler.
            self._connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=None, **given)
            weakref.finalize(self, self._connection.close)  # also when the interpreter ends
            self._version = 0
        return self._connection

    def _known(self, db: Connection[tuple[Any, ...]]) -> bool:
        """Tell whether our tables are there, in a form that this program knows."""
        if not self._version:
            row = db.execute("SELECT number FROM anabranch.version").fetchone() if _rows(db, _OUR_TABLE) else None
            self._version = int(row[0]) if row else 0
        if self._version > len(_steps()):
            message = f"the state in {self.where} is of version {self._version}, "
            message += f"this anabranch knows up to {len(_steps())}"
            raise ConflictError(message, code="newer-version", hint="upgrade anabranch")
        return self._version > 0

    def _migrate(self, db: Connection[tuple[Any, ...]]) -> None:
        if self._known(db) and self._version == len(_steps()):
            return
        db.execute(_ALONE)
        self._version = 0  # another process may have been quicker
        self._known(db)
        if not self._version:
            if not _rows(db, _OUR_SCHEMA):  # whoever may not make schemas can be given one
                db.execute("CREATE SCHEMA anabranch")
            db.execute("CREATE TABLE anabranch.version (number integer NOT NULL)")
            db.execute("INSERT INTO anabranch.version VALUES (0)")
        for step in _steps()[self._version :]:
            db.execute(step.encode())
        db.execute("UPDATE anabranch.version SET number = %s", (len(_steps()),))
        self._version = 0  # until it is committed


def _rows(db: Connection[tuple[Any, ...]], query: str) -> list[tuple[Any, ...]]:
    return db.execute(query.encode()).fetchall()


def _steps() -> list[str]:
    """Return the migrations, in their order."""
    folder = resources.files("anabranch.store").joinpath("postgres", "migrations")
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda each: each.name)
    return [each.read_text(encoding="utf-8") for each in files]
