"""Leases: who holds the lock of a state, for how long without a word, and what others are told meanwhile."""

from __future__ import annotations

import os
import secrets
import socket

from anabranch.model.errors import ConflictError

_HELD: set[int] = set()
"""Tokens of the locks that this process holds."""


def take() -> int:
    """Return a token that nobody has had: whoever writes with another one has lost the lock."""
    token = secrets.randbits(62)
    _HELD.add(token)
    return token


def drop(token: int) -> None:
    """Note that a lock is held no more."""
    _HELD.discard(token)


def holder() -> str:
    """Return who this process is, for those who must wait for it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead(told: str, token: int) -> bool:
    """Tell whether a holder was a process of this machine that is no more.

    Args:
        told: the holder, as it named itself.
        token: of its lock: a process that died may have had the number of this one.
    """
    host, _, process = told.rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return False
    if int(process) == os.getpid():
        return token not in _HELD
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def locked(where: str, told: str, held_at: float, expires_at: float, now: float) -> ConflictError:
    """Return the error of somebody who finds the lock taken; times are seconds."""
    message = f"{told} has been changing {where} for {now - held_at:.0f} s"
    hint = f"wait for it; if it is dead, its lock ends in {expires_at - now:.0f} s"
    return ConflictError(message, code="state-locked", hint=hint)


def lost(where: str) -> ConflictError:
    """Return the error of somebody who held the lock once."""
    message = f"somebody else took the lock of {where}, because this process was silent for long"
    return ConflictError(message, code="lock-lost", hint="plan again: what was done is recorded")


def raced(where: str) -> ConflictError:
    """Return the error of somebody who was second in the same moment."""
    message = f"somebody else took the lock of {where} at the same moment"
    return ConflictError(message, code="state-locked", hint="try again in a moment")
