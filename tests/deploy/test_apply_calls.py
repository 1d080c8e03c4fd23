"""Calls of an apply that fail or take long: what is begun besides, and who may come between."""

from __future__ import annotations

from threading import Event, Lock
from typing import TYPE_CHECKING

import pytest
from tests.store.states import InSqlite

from anabranch.deploy.apply import AT_ONCE, apply
from anabranch.model.errors import StepError
from anabranch.model.plan import Create, Plan
from anabranch.model.resource import Address, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

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
