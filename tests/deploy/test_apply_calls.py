"""Calls of an apply that fail or take long: what is begun besides, and who may come between."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, nullcontext
from threading import Event, Lock
from typing import TYPE_CHECKING

import pytest
from tests.store.states import InSqlite

from anabranch.deploy.apply import AT_ONCE, RENEWED, apply
from anabranch.model.errors import ConflictError, StepError
from anabranch.model.plan import Create, Plan
from anabranch.model.resource import Address, Resource
from anabranch.ports import LEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from anabranch.model.plan import Change
    from anabranch.model.resource import Live


class Made:
    """A platform that remembers which calls were begun."""

    def __init__(self, act: Callable[[Resource], None]) -> None:
        self.begun: list[Address] = []
        self._act, self._one = act, Lock()

    def live(self, resources: Iterable[Resource]) -> dict[Address, Live]:
        raise AssertionError(resources)

    def create(self, resource: Resource) -> None:
        with self._one:
            self.begun.append(resource.address)
        self._act(resource)

    def update(self, resource: Resource, live: Live) -> None:
        raise AssertionError(resource, live)

    def delete(self, live: Live) -> None:
        raise AssertionError(live)


def planned(count: int) -> Plan:
    made = (Resource(Address(f"dag/{i:03d}"), f"{i}.py", b"x") for i in range(count))
    return Plan("prod", "main", 0, tuple(Create(each, "it is new") for each in made))


def test_after_a_failure_nothing_more_is_begun_or_noted(tmp_path: Path) -> None:
    """Of two hundred that could go at once, those that were under way are awaited; the others were never touched."""
    failing = Event()

    def refuse(resource: Resource) -> None:
        if resource.address == "dag/003":
            failing.set()
            raise StepError("no", code="aws-denied")
        assert failing.wait(30)

    platform, state = Made(refuse), InSqlite(tmp_path).open()
    with state.lock(), pytest.raises(StepError, match=r"dag/003: no \(\d+ of 200 changes were made\)"):
        apply(planned(200), platform, state, lambda _: None)
    assert AT_ONCE <= len(platform.begun) < 4 * AT_ONCE  # some may have ended before the failure was heard of
    noted = state.applied()
    assert sorted(noted) == sorted(platform.begun)
    assert [address for address, each in noted.items() if not each.digest] == ["dag/003"]


@pytest.mark.parametrize("interrupted", [False, True])
def test_nobody_takes_the_lock_over_while_a_call_takes_longer_than_its_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    """As the deletion of a DAG, which waits for Airflow, or the upload of a large payload: also after a Ctrl-C."""
    assert RENEWED <= LEASE / 3
    monkeypatch.setattr("anabranch.deploy.apply.RENEWED", 0.01)
    now, kept, found = [1000.0], InSqlite(tmp_path), list[str]()
    state = kept.open(lambda: now[0])

    def wait(resource: Resource) -> None:
        if resource.address == "dag/000":
            return
        for _ in range(3):
            now[0] += LEASE * 2 / 3
            deadline = time.monotonic() + 30
            while ends(kept) < now[0] + LEASE and time.monotonic() < deadline:
                pass
        try:
            with kept.open(lambda: now[0]).lock():
                found.append("taken over")
        except ConflictError as error:
            found.append(error.code)

    def told(change: Change) -> None:
        if interrupted and change.address == "dag/000":
            raise KeyboardInterrupt

    with state.lock(), pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
        apply(planned(2), Made(wait), state, told)
    assert found == ["state-locked"]
    assert [each.digest != "" for each in kept.open().applied().values()] == [True, not interrupted]


def ends(kept: InSqlite) -> float:
    """When the lease of the lock ends, as it is written down."""
    with closing(sqlite3.connect(kept.folder / "state.db")) as db:
        return float(db.execute("SELECT expires_at FROM deployments").fetchone()[0])
