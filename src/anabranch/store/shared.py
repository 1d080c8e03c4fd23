"""What `apply` remembers, in an object store that several machines share: one object, written only over what was read.

Each write names the etag that it replaces, so whoever has lost the lock cannot write any more: that is the fence.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import ConflictError
from anabranch.model.resource import Address, Applied
from anabranch.store.deployments import LEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

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
        """Return what was made, as it was left; resources of which nobody knows how a call went are left out."""
        found: dict[Address, Applied] = {}
        for name, each in sorted(self._now()["resources"].items()):
            if each["digest"]:
                depends = tuple(map(Address, each["depends"]))
                found[Address(name)] = Applied(Address(name), each["name"], each["digest"], depends)
        return found

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the lock.

        Raises:
            ConflictError: `state-locked`, with who holds it and since when.
        """
        self._read()
        held, now = self._told["lock"], self._clock()
        if held and held["expires_at"] > now:
            message = f"{held['holder']} has been changing {self._key} for {now - held['held_at']:.0f} s"
            hint = f"wait for it; if it is dead, its lock ends in {held['expires_at'] - now:.0f} s"
            raise ConflictError(message, code="state-locked", hint=hint)
        holder = f"{socket.gethostname()}:{os.getpid()}"
        self._told["lock"] = {"holder": holder, "held_at": now, "expires_at": now + LEASE}
        if not self._put():
            message = f"somebody else took the lock of {self._key} at the same moment"
            raise ConflictError(message, code="state-locked", hint="try again in a moment")
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._told["lock"] = None
            self._put()  # whoever took it meanwhile keeps it

    def intend(self, address: Address) -> None:
        """Note that a call for a resource is about to be made.

        Raises:
            ConflictError: `lock-lost`, somebody else took the lock meanwhile.
        """
        nothing = {"name": "", "digest": "", "depends": []}
        known = self._told["resources"].get(address, nothing)
        self._write(address, {**known, "pending": True})

    def record(self, applied: Applied) -> None:
        """Note that a resource is as it should be; raises as `intend`."""
        told = {"name": applied.name, "digest": applied.digest, "depends": list(applied.depends)}
        self._write(applied.address, told)

    def forget(self, address: Address) -> None:
        """Note that a resource is gone; raises as `intend`."""
        self._write(address, None)

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
        try:
            self._told = json.loads(body)
            version = int(self._told["anabranch"])
        except (ValueError, KeyError, TypeError):
            message = f"the state {self._key} cannot be read: it was cut short, or is none of ours"
            hint = "move it away: what is deployed carries our mark, so the next plan finds it again"
            raise ConflictError(message, code="state-unreadable", hint=hint) from None
        if version > VERSION:
            message = f"the state {self._key} is of version {version}, this anabranch knows up to {VERSION}"
            raise ConflictError(message, code="newer-version", hint="upgrade anabranch")

    def _write(self, address: Address, told: dict[str, Any] | None) -> None:
        if told is None:
            self._told["resources"].pop(address, None)
        else:
            self._told["resources"][address] = told
        self._told["serial"] += 1
        self._told["lock"] = {**(self._told["lock"] or {}), "expires_at": self._clock() + LEASE}
        if not self._put():
            message = f"somebody else took the lock of {self._key}, because this process was silent for long"
            raise ConflictError(message, code="lock-lost", hint="plan again: what was done is recorded")

    def _put(self) -> bool:
        body = json.dumps(self._told, sort_keys=True).encode()
        done = self._objects.put(self._key, body, fresh=not self._etag, etag=self._etag)
        if done:
            found = self._objects.get(self._key)
            if found is None or found[0] != body:
                return False
            self._etag = found[1]
        return done
