"""Why attempts ended that could not say so themselves."""

from __future__ import annotations

import signal

from anabranch.model.run import Failure


def timed_out(limit: float) -> Failure:
    """Return the failure of an attempt whose time was over.

    Args:
        limit: seconds that it was given.
    """
    hint = "raise the timeout, or find out in the log what it waits for"
    return Failure("timeout", f"took longer than its timeout of {limit:g} s", hint, code="timeout")


def killed(number: int) -> Failure:
    """Return the failure of an attempt that was ended by a signal."""
    name = signal.Signals(number).name
    hint = "the system may have run out of memory: see the kernel's log" if name == "SIGKILL" else "see the log"
    return Failure("killed", f"was killed by {name}", hint, code="killed")


def unanswered(what: str, hint: str) -> Failure:
    """Return the failure of an attempt that ended without a word."""
    return Failure("killed", what, hint, code="killed")
