"""What `apply` remembers, in an object store that several machines share: one object, written only over what was read.

Each write names the etag that it replaces, so whoever has lost the lock cannot write any more: that is the fence.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import ConflictError
from anabranch.model.resource import Address, Applied
from anabranch.ports import LEASE
from anabranch.store import leases

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from anabranch.ports import Registers

VERSION = 1
"""Of the object's form; a newer one is refused."""


class SharedStateStore:
    """The `StateStore` of one namespace of an environment."""

    def __init__(self, objects: Registers, key: str, clock: Callable[[], float] = time.time) -> None:
        """Name the object; nothing is asked yet."""
        self._objects, self._key, self._clock = objects, key, clock
        self._told: dict[str, Any] = {}
        self._etag = ""
        self._held = False

    @property
    def serial(self) -> int:
        """How often the state was written."""
        return int(self._now()["serial"])

    def applied(self) -> dict[Address, Applied]:
        """Return what was made, as it was left; without a digest where nobody knows how the only call went."""
        return {
            Address(name): Applied(
                Address(name),
                each["name"],
                each["digest"],
                tuple(map(Address, each["depends"])),
                bool(each.get("pending")),
            )
            for name, each in sorted(self._now()["resources"].items())
        }

    def places(self) -> dict[str, str]:
        """Return where it was made, by what each place is for; empty where nothing is known."""
        return dict(self._now().get("places", {}))

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the lock; a state that is empty when it is let go is deleted.

        Raises:
            ConflictError: `state-locked`, with who holds it and since when.
        """
        self._read()
        held, now = self._told["lock"], self._clock()
        if held and held["expires_at"] > now:
            raise leases.locked(self._key, held["holder"], held["held_at"], held["expires_at"], now)
        token = leases.take()
        lock = {"token": token, "holder": leases.holder(), "held_at": now, "expires_at": now + LEASE}
        self._told["lock"] = lock
        try:
            if not self._put():
                raise leases.raced(self._key)
            self._held = True
            try:
                yield
            finally:
                self._held = False
                self._let_go()
        finally:
            leases.drop(token)

    def renew(self) -> None:
        """Begin the lease anew, as each write does; raises as `intend`."""
        self._told["lock"] = {**(self._told["lock"] or {}), "expires_at": self._clock() + LEASE}
        if not self._put():
            raise leases.lost(self._key)

    def intend(self, address: Address) -> None:
        """Note that a call for a resource is about to be made.

        Raises:
            ConflictError: `lock-lost`, somebody else took the lock meanwhile.
        """
        nothing = {"name": "", "digest": "", "depends": []}
        self._told["resources"][address] = {**self._told["resources"].get(address, nothing), "pending": True}
        self._write()

    def record(self, applied: Applied) -> None:
        """Note that a resource is as it should be; raises as `intend`."""
        told = {"name": applied.name, "digest": applied.digest, "depends": list(applied.depends)}
        self._told["resources"][applied.address] = told
        self._write()

    def forget(self, address: Address) -> None:
        """Note that a resource is gone; raises as `intend`."""
        self._told["resources"].pop(address, None)
        self._write()

    def settle(self, places: Mapping[str, str]) -> None:
        """Note where it is made; raises as `intend`."""
        self._told["places"] = dict(places)
        self._write()

    def _now(self) -> dict[str, Any]:
        if not self._held:
            self._read()
        return self._told

    def _read(self) -> None:
        found = self._objects.get(self._key)
        if found is None:
            self._told, self._etag = {"anabranch": VERSION, "serial": 0, "lock": None, "resources": {}}, ""
            return
        body, self._etag = found
        self._told = _understood(body, self._key)

    def _write(self) -> None:
        self._told["serial"] += 1
        self.renew()

    def _let_go(self) -> None:
        """Let go of the lock; whoever took it meanwhile keeps it.

        Stores delete without looking at what they delete. So the lease is begun anew first, which nobody can do who has
        lost the lock, and for as long as it lasts the object is nobody else's.
        """
        if self._told["resources"]:
            token, self._told["lock"] = self._told["lock"]["token"], None
            if not self._put() and self._is_ours(token):  # a write was interrupted after it had been made
                self._put()
            return
        self._told["lock"]["expires_at"] = self._clock() + LEASE
        if self._put():
            self._objects.delete([self._key])

    def _is_ours(self, token: str) -> bool:
        """Tell whether the lock that is there is the one of this token; what is there may be written over then."""
        found = self._objects.get(self._key)
        held = _understood(found[0], self._key)["lock"] if found else None
        if found is None or not held or held["token"] != token:
            return False
        self._etag = found[1]
        return True

    def _put(self) -> bool:
        """Write over what was read; return whether it is there now, also when only the answer was lost."""
        body = json.dumps(self._told, sort_keys=True).encode()
        self._objects.put(self._key, body, fresh=not self._etag, etag=self._etag)
        found = self._objects.get(self._key)
        if found is None or found[0] != body:
            return False
        self._etag = found[1]
        return True


def _understood(body: bytes, key: str) -> dict[str, Any]:
    """Return a state as it was written.

    Raises:
        ConflictError: `newer-version`, `state-unreadable`.
    """
    try:
        told: dict[str, Any] = json.loads(body)
        version = int(told["anabranch"])
        if version <= VERSION:
            _ = [int(told["serial"]), told["lock"] and float(told["lock"]["expires_at"])]
            _ = [(each["name"], each["digest"], each["depends"]) for each in told["resources"].values()]
    except (ValueError, KeyError, TypeError, AttributeError):
        message = f"the state {key} cannot be read: it was cut short, or is none of ours"
        hint = "move it away: what is deployed carries our mark, so the next plan finds it again"
        raise ConflictError(message, code="state-unreadable", hint=hint) from None
    if version > VERSION:
        message = f"the state {key} is of version {version}, this anabranch knows up to {VERSION}"
        raise ConflictError(message, code="newer-version", hint="upgrade anabranch")
    return told
