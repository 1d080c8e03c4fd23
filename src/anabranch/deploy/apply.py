"""Applying a plan: an intention is recorded, a call made, its result recorded; what is independent goes at once."""

from __future__ import annotations

from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, assert_never

from anabranch.model.errors import AnabranchError
from anabranch.model.plan import Create, Delete, Forget, Record, Update
from anabranch.model.resource import Applied
from anabranch.ports import LEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable

    from anabranch.model.plan import Change, Plan
    from anabranch.model.resource import Address, Resource
    from anabranch.ports import Platform, StateStore

AT_ONCE = 8
"""Changes that are made at the same time."""
RENEWED = LEASE / 3
"""Seconds after which the lock is held anew while calls are under way: one call may take longer than its lease."""


def apply(plan: Plan, platform: Platform, state: StateStore, told: Callable[[Change], None]) -> None:
    """Make the changes of a plan, each after those that it needs. Cut off anywhere, the next plan holds what is left.

    Only the calls themselves run side by side: what is recorded and told is, one after the other, by the caller.
    After a failure nothing more is begun, and what was under way is awaited.

    Args:
        plan: made under the lock that is held now.
        platform: where.
        state: remembers each change; its lock is held.
        told: hears of each change that was made.
    """
    changes = {change.address: change for change in plan.changes}
    todo = TopologicalSorter({address: _before(change, changes) for address, change in changes.items()})
    todo.prepare()
    waiting: deque[Address] = deque()  # nothing is noted as intended, nor handed to the pool, before its turn
    running: dict[Future[None], Change] = {}
    failed: tuple[BaseException, Address] | None = None
    made = 0
    with _held(running, state) as pool:
        while todo.is_active() and (running or failed is None):
            waiting.extend(sorted(todo.get_ready()))
            while waiting and failed is None and len(running) < AT_ONCE:
                change = changes[address := waiting.popleft()]
                if not isinstance(change, Record | Forget):
                    state.intend(address)
                running[pool.submit(_call, change, platform)] = change
            done, _ = wait(running, RENEWED, FIRST_COMPLETED)
            if failed is not None or not done:  # nothing else is written then that would renew it
                state.renew()
            for future in done:
                change = running.pop(future)
                if (error := future.exception()) is not None:
                    failed = failed or (error, change.address)
                    continue
                _keep(change, state)
                told(change)
                made += 1
                todo.done(change.address)
    if failed is not None:
        error, address = failed
        raise _placed(error, f"{address}: ", f" ({made} of {len(changes)} changes were made)")


@contextmanager
def _held(running: Collection[Future[None]], state: StateStore) -> Generator[ThreadPoolExecutor]:
    """Give a pool for calls, and hold the lock until they have ended, also when whoever waited for them is cut off."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield pool
    finally:
        while wait(running, RENEWED).not_done:
            with suppress(AnabranchError):  # there is an error already, and the calls go on
                state.renew()
        pool.shutdown(wait=False)


def _placed(error: BaseException, before: str, after: str) -> BaseException:
    """Return an error of a call, which knows what was asked and not what for, with that."""
    if isinstance(error, AnabranchError):
        error.message = f"{before}{error.message}{after}"
        error.args = (error.message,)
    return error


def _before(change: Change, changes: dict[Address, Change]) -> Iterable[Address]:
    """Return the changes that are made before another: what it needs, or what needs that which it deletes."""
    match change:
        case Create(resource) | Update(resource):
            return [each for each in resource.depends if each in changes]
        case Delete() | Forget():
            return [each for each in change.after if each in changes]
        case Record():
            return ()
        case _:
            assert_never(change)


def _call(change: Change, platform: Platform) -> None:
    match change:
        case Create(resource):
            platform.create(resource)
        case Update(resource, live):
            platform.update(resource, live)
        case Delete(live):
            platform.delete(live)
        case Record() | Forget():
            pass
        case _:
            assert_never(change)


def _keep(change: Change, state: StateStore) -> None:
    match change:
        case Create(resource) | Update(resource):
            state.record(_left(resource))
        case Record(applied):
            state.record(applied)
        case Delete() | Forget():
            state.forget(change.address)
        case _:
            assert_never(change)


def _left(resource: Resource) -> Applied:
    return Applied(resource.address, resource.name, resource.digest, resource.depends)
