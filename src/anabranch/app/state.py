"""Where an environment's state is kept: beside the project, in an object store, or in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.data.objects.store import objects
from anabranch.model.server import is_server, split_password
from anabranch.platforms.process.secrets import resolve_references
from anabranch.store.database import Database
from anabranch.store.deployments import SqliteStateStore
from anabranch.store.shared import SharedStateStore

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.model.resource import Owner
    from anabranch.ports import StateStore


def state_at(url: str, owner: Owner, folder: Path) -> StateStore:
    """Return the state of one namespace; nothing is asked yet.

    Args:
        url: of the environment's states; empty for beside the project.
        owner: whose deployment it is.
        folder: the project's own.
    """
    if not url:
        return SqliteStateStore(Database(folder), owner.environment, owner.namespace)
    if not is_server(url):
        return SharedStateStore(objects(url), f"{owner.project}/{owner.environment}/{owner.namespace}.json")
    from anabranch.store.postgres.deployments import PostgresStateStore
    from anabranch.store.postgres.server import Server

    plain, reference = split_password(url)

    def password() -> str:
        return resolve_references([("the state's password", reference)])["the state's password"] if reference else ""

    return PostgresStateStore(Server(plain, password), owner)
