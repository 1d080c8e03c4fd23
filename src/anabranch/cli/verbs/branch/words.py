"""What several verbs say of a branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.cli.table import Cell
from anabranch.model.branch import Role
from anabranch.show.human import DAY, HOUR, clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.branch import Branch

COLOURS = {Role.CHOSEN: "cyan", Role.CHANGED: "cyan", Role.DOWNSTREAM: "dim", Role.SKIPPED: "yellow"}


def reason_rows(branch: Branch) -> Iterator[list[str | Cell]]:
    """Yield a row for each step: its id, its role, and why; further reasons have rows of their own."""
    for reason in branch.reasons:
        role = "not run" if reason.role is Role.SKIPPED else reason.role.value
        first, *more = reason.why or ("",)
        if reason.role is Role.DOWNSTREAM:
            first = first.removeprefix("downstream ").replace("`", "")
        if reason.role is Role.CHOSEN:
            first = ""
        yield [Cell(reason.step, ("bold",)), Cell(role, (COLOURS[reason.role],)), Cell(first, ("dim",))]
        for each in more:
            yield ["", "", Cell(each, ("dim",))]


def until(branch: Branch) -> str:
    """Return when a branch may be collected, and how long after its last use that is.

    >>> from anabranch.model.branch import Branch
    >>> until(Branch("a", "a", "p", "", "", expires_at=0.0, ttl=86400.0))[-8:]
    ' (1 day)'
    """
    days = branch.ttl / DAY
    span = f"{days:g} day{'' if days == 1 else 's'}" if days >= 1 else f"{branch.ttl / HOUR:g} h"
    return f"{clock(branch.expires_at)} ({span})"


def left(branch: Branch, now: float) -> str:
    """Return how long a branch has still to live."""
    seconds = branch.expires_at - now
    if seconds <= 0:
        return "over: gc collects it"
    return f"{seconds / DAY:.0f} d left" if seconds >= DAY else f"{seconds / HOUR:.0f} h left"


def short(version: str) -> str:
    """Return a version, short.

    >>> short("sha256:0123456789abcdef"), short("delta:8f14e45f-ceea@12")
    ('sha256:0123456789', 'delta:8f14e45f-ceea@12')
    """
    return version[:17] if version.startswith("sha256:") else version
