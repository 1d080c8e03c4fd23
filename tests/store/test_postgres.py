"""A state in PostgreSQL: servers that deny, are down, restart or are shared, and addresses with secrets in them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.store.states import OWNER, InPostgres
from tools.aws import free_port

from anabranch.app import Project
from anabranch.model.errors import ConflictError, InvalidProject, StepError
from anabranch.model.resource import Address, Applied
from anabranch.store.postgres.deployments import PostgresStateStore
from anabranch.store.postgres.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.engine

APPLIED = Applied(Address("dag/x"), "x.py", "sha256:1")


def test_reading_makes_nothing_and_needs_no_right_to(in_postgres: InPostgres) -> None:
    assert in_postgres.open().applied() == {}
    assert in_postgres.ask("SELECT 1 FROM pg_namespace WHERE nspname = 'anabranch'") == []


def test_a_user_without_rights_is_told_so_and_with_a_schema_of_his_own_has_enough(in_postgres: InPostgres) -> None:
    in_postgres.ask("DROP ROLE IF EXISTS ci", "CREATE ROLE ci LOGIN")
    theirs = InPostgres(in_postgres.url.replace("postgres@", "ci@"))
    with pytest.raises(ConflictError, match="permission denied") as denied, theirs.open().lock():
        pass
    assert denied.value.code == "state-denied"
    in_postgres.ask("CREATE SCHEMA anabranch AUTHORIZATION ci")
    with (state := theirs.open()).lock():
        state.record(APPLIED)
    assert theirs.open().applied() == {APPLIED.address: APPLIED}
    in_postgres.ask("DROP SCHEMA anabranch CASCADE", "DROP ROLE ci")


@pytest.mark.parametrize(
    "change, code",
    [
        (lambda url: url.rpartition("/")[0] + "/nowhere", "no-state-database"),
        (lambda url: url.replace("postgres@", "nobody@"), "no-state-database"),
        (lambda url: re.sub(r":\d+/", f":{free_port()}/", url), "state-unreachable"),
        (lambda url: f"{url}?sslmode=require", "state-unreachable"),
        (lambda url: f"{url}?colour=red", "bad-state"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(
    in_postgres: InPostgres, change: Callable[[str], str], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anabranch.store.postgres.server.time.sleep", lambda _: None)
    with pytest.raises(ConflictError) as told:
        InPostgres(change(in_postgres.url)).open().applied()
    assert told.value.code == code
    assert "postgresql://127.0.0.1" in told.value.message
    assert told.value.hint


def test_a_connection_that_breaks_in_the_middle_is_made_again(in_postgres: InPostgres) -> None:
    state = in_postgres.open()
    with state.lock():
        state.intend(APPLIED.address)
        in_postgres.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        state.record(APPLIED)
    assert in_postgres.open().applied() == {APPLIED.address: APPLIED}


def test_the_servers_clock_counts(in_postgres: InPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is an hour ahead takes no lock that is held."""
    one, two = in_postgres.open(), in_postgres.open()
    with one.lock():
        monkeypatch.setattr("time.time", lambda: 9e9)
        with pytest.raises(ConflictError) as refused, two.lock():
            pass
        assert refused.value.code == "state-locked"


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    state = PostgresStateStore(Server("postgresql://db/x"), OWNER)
    with pytest.raises(StepError) as told:
        state.applied()
    assert (told.value.code, told.value.hint) == ("not-installed", "pip install 'anabranch[postgres]'")


SPEC = """
project: shop
pipelines: [p.yaml]
environments:
  prod: {{airflow: {{dags: dags}}, storage: lake, state: "{state}"}}
"""


def project(folder: Path, state: str) -> Project:
    (folder / "anabranch.yaml").write_text(SPEC.format(state=state))
    (folder / "p.yaml").write_text("pipeline: p\nsteps:\n  s: {shell: [echo, hello]}\n")
    return Project.load(folder)


@pytest.mark.parametrize(
    "state",
    [
        "postgresql://ann:hunter2@db/x",
        "postgresql://ann:hunt/er2@db/x",
        "postgresql://ann:12/hunter2@db/x",
        "postgresql://db/x?password=hunter2",
        "postgresql://db/x?sslpassword=hunter2",
        "mysql://ann:hunter2@db/x",
    ],
)
def test_a_password_in_the_address_is_refused_and_never_shown(tmp_path: Path, state: str) -> None:
    with pytest.raises(InvalidProject) as refused:
        project(tmp_path, state)
    told = [f"{each.code} {each.message} {each.hint}" for each in refused.value.diagnostics]
    assert any(each.startswith(("bad-secret", "bad-state")) for each in told)
    assert not any("hunt" in each or "er2" in each for each in told)


def test_a_password_comes_by_reference_and_a_wrong_one_is_denied_unseen(
    in_postgres: InPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is told to ask for passwords by its own file."""
    (file,) = in_postgres.ask("SHOW hba_file")[0]
    before = Path(file).read_text()
    in_postgres.ask("DROP ROLE IF EXISTS asked", "CREATE ROLE asked LOGIN SUPERUSER PASSWORD 'open sesame'")
    Path(file).write_text(f"host all asked 127.0.0.1/32 scram-sha-256\n{before}")
    in_postgres.ask("SELECT pg_reload_conf()")
    try:
        url = in_postgres.url.replace("postgres@", "asked@")
        deployment = project(tmp_path, f"{url}?password=secret://env/STATE_PASSWORD").deployment("prod")
        with pytest.raises(StepError) as missing:
            deployment.plan()
        assert missing.value.code == "missing-secret"
        monkeypatch.setenv("STATE_PASSWORD", "open barley")
        with pytest.raises(ConflictError) as denied:
            deployment.plan()
        assert denied.value.code == "state-denied"
        assert "barley" not in f"{denied.value.message}{denied.value.hint}{denied.value.__cause__}"
        monkeypatch.setenv("STATE_PASSWORD", "open sesame")
        deployment.apply(lambda _: None)
        monkeypatch.delenv("STATE_PASSWORD")
        monkeypatch.setenv("PGPASSWORD", "open sesame")
        assert project(tmp_path, url).deployment("prod").state.applied()
    finally:
        Path(file).write_text(before)
        in_postgres.ask("SELECT pg_reload_conf()", "DROP OWNED BY asked CASCADE", "DROP ROLE asked")
