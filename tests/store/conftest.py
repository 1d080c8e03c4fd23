"""Places of a state: SQLite in a folder, an S3 that enforces conditional writes, a fake GCS, and a PostgreSQL."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from tests.engines import gcs_fake, postgres
from tests.store.states import InBucket, InPostgres, InSqlite

from tools import aws

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.store.states import Kept

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    if not aws.COMMAND.exists():
        pytest.skip("no S3: python3 tools/bootstrap.py emulators")
    with aws.serving(tmp_path_factory.mktemp("s3")) as given:
        yield given


@pytest.fixture(scope="session")
def postgres_server() -> Generator[dict[str, str]]:
    if postgres.binary("initdb") is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    with postgres.serving() as told:
        yield dict(part.split("=", 1) for part in told.split())


@pytest.fixture
def in_postgres(postgres_server: dict[str, str]) -> InPostgres:
    """A database of its own."""
    at = f"postgresql://postgres@{postgres_server['host']}:{postgres_server['port']}"
    name = f"state{next(_NUMBERS)}"
    InPostgres(f"{at}/postgres").ask(f"CREATE DATABASE {name}")
    return InPostgres(f"{at}/{name}")


@pytest.fixture
def in_bucket(bucket_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> InBucket:
    for name, value in bucket_server.items():
        monkeypatch.setenv(name, value)
    return InBucket(f"s3://lake/states{next(_NUMBERS)}")


@pytest.fixture
def in_gcs(monkeypatch: pytest.MonkeyPatch) -> Generator[InBucket]:
    """A fake: no engine of Google's storage can be had here."""
    with gcs_fake.serving() as given:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        yield InBucket(f"gs://lake/states{next(_NUMBERS)}")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("bucket", marks=pytest.mark.engine),
        "gcs",
        pytest.param("postgres", marks=pytest.mark.engine),
    ]
)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "sqlite":
        return InSqlite(tmp_path / "kept")
    found: Kept = request.getfixturevalue(f"in_{request.param}")
    return found
