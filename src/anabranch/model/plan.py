"""Plans: the changes that make a platform what it should be, each with its reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never

if TYPE_CHECKING:
    from anabranch.model.resource import Address, Applied, Live, Resource


@dataclass(frozen=True, slots=True)
class Create:
    """Nothing is there yet."""

    resource: Resource
    why: str

    @property
    def address(self) -> Address:
        """Of what is made."""
        return self.resource.address


@dataclass(frozen=True, slots=True)
class Update:
    """What is there is another; `drifted` when somebody else than `apply` changed it."""

    resource: Resource
    live: Live
    why: str
    drifted: bool = False

    @property
    def address(self) -> Address:
        """Of what changes."""
        return self.resource.address


@dataclass(frozen=True, slots=True)
class Delete:
    """Nothing wants it any more. `after` are those that are deleted before it."""

    live: Live
    why: str
    after: tuple[Address, ...] = ()

    @property
    def address(self) -> Address:
        """Of what goes."""
        return self.live.address


@dataclass(frozen=True, slots=True)
class Record:
    """The platform is as it should be, and the state does not know: it is written down, nothing is called."""

    applied: Applied
    why: str

    @property
    def address(self) -> Address:
        """Of what is there."""
        return self.applied.address


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing wants it, and it is gone, or `left` alone: only the state forgets it. `after` is as of `Delete`."""

    address: Address
    why: str
    after: tuple[Address, ...] = ()
    left: bool = False


Change: TypeAlias = Create | Update | Delete | Record | Forget
"""A closed union: end each `match` on it with `assert_never`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes to one namespace of an environment, in an order in which they may be made.

    Attributes:
        environment: its name.
        namespace: main, or a branch.
        serial: of the state that the plan was made from.
        changes: deletions last, and the other way round than they were made.
        unchanged: how many resources are as they should be.
    """

    environment: str
    namespace: str
    serial: int
    changes: tuple[Change, ...] = ()
    unchanged: int = 0

    @property
    def acts(self) -> tuple[Create | Update | Delete, ...]:
        """The changes that call the platform."""
        return tuple(change for change in self.changes if isinstance(change, Create | Update | Delete))

    @property
    def digest(self) -> str:
        """What identifies the plan: the state it was made from, what it found, and what it would do."""
        told = [self.environment, self.namespace, self.serial, [_told(change) for change in self.changes]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _told(change: Change) -> list[str]:
    match change:
        case Create(resource):
            return ["create", resource.address, resource.digest]
        case Update(resource, live):
            return ["update", resource.address, live.digest, resource.digest]
        case Delete(live):
            return ["delete", live.address, live.digest]
        case Record(applied):
            return ["record", applied.address, applied.digest]
        case Forget(address):
            return ["forget", address]
        case _:
            assert_never(change)
