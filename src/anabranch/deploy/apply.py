"""Applying a plan: an intention is recorded, one call is made, its result is recorded; then the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from anabranch.model.plan import Create, Delete, Forget, Record, Update
from anabranch.model.resource import Applied

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.model.plan import Change, Plan
    from anabranch.model.resource import Resource
    from anabranch.ports import Platform, StateStore


def apply(plan: Plan, platform: Platform, state: StateStore, told: Callable[[Change], None]) -> None:
    """Make the changes of a plan, in its order. Cut off anywhere, the next plan holds what is left to do.

    Args:
        plan: made under the lock that is held now.
        platform: where.
        state: remembers each change; its lock is held.
        told: hears of each change that was made.
    """
    for change in plan.changes:
        _make(change, platform, state)
        told(change)


def _make(change: Change, platform: Platform, state: StateStore) -> None:
    match change:
        case Create(resource):
            state.intend(change.address)
            platform.create(resource)
            state.record(_left(resource))
        case Update(resource, live):
            state.intend(change.address)
            platform.update(resource, live)
            state.record(_left(resource))
        case Delete(live):
            state.intend(change.address)
            platform.delete(live)
            state.forget(change.address)
        case Record(applied):
            state.record(applied)
        case Forget(address):
            state.forget(address)
        case _:
            assert_never(change)


def _left(resource: Resource) -> Applied:
    return Applied(resource.address, resource.name, resource.digest, resource.depends)
