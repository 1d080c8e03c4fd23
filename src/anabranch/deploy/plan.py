"""Planning, purely: what is desired, what was applied last and what is live make the changes, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.model.errors import ConflictError, Diagnostic, InvalidProject
from anabranch.model.graph import sorted_by
from anabranch.model.plan import Create, Delete, Forget, Plan, Record, Update
from anabranch.model.resource import Address, Applied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anabranch.model.plan import Change
    from anabranch.model.resource import Live, Owner, Resource

_WORDS: dict[tuple[str, ...], tuple[str, str, str]] = {
    ("content",): ("it", "was", "is another"),
    ("tags",): ("its tags", "were", "are others"),
    ("tags", "content"): ("it and its tags", "were", "are others"),
}
"""How a change of one or the other is told."""
_CUT_OFF = "an apply was cut off while it changed this"


def plan(  # noqa: PLR0913 - three sides, and whose they are
    desired: Sequence[Resource],
    applied: Mapping[Address, Applied],
    live: Mapping[Address, Live],
    owner: Owner,
    serial: int,
    adopted: frozenset[Address] = frozenset(),
    *,
    prune: bool = False,
) -> Plan:
    """Return the changes that make the platform what it should be.

    Args:
        desired: what should be there; an address once.
        applied: what the last `apply` left, as the state says; what has no digest was never known to be there.
        live: what is there now at any of these addresses, and all else that carries the owner's mark.
        owner: whose deployment it is.
        serial: of the state.
        adopted: addresses that may be taken over though they carry no mark of ours (`import`).
        prune: delete payloads too that nothing wants any more; runs that have begun may still need them.

    Raises:
        InvalidProject: `foreign-object`, something that is not ours has the name of one of ours; nothing is planned.
    """
    wanted = {resource.address: resource for resource in desired}
    foreign = [
        live[address]
        for address, resource in wanted.items()
        if address in live and not resource.shared and live[address].owner != owner and address not in adopted
    ]
    if foreign:
        raise InvalidProject([_foreign(each) for each in foreign])
    left = {address: each for address, each in applied.items() if each.digest}
    changes: list[Change] = []
    unchanged = 0
    for address in sorted_by({address: resource.depends for address, resource in wanted.items()}):
        change = _wanted(wanted[address], left.get(address), live.get(address))
        unchanged += change is None
        changes += [change] if change else []
    stay = set[Address]() if prune else {each.address for each in live.values() if each.shared}
    gone = [address for address in {*applied, *live} if address not in wanted and address not in stay]
    depends = {address: _needs(address, applied, live, gone) for address in gone}
    inner = {address: tuple(each for each in names if each in depends) for address, names in depends.items()}
    users: dict[Address, list[Address]] = {address: [] for address in gone}
    for address, names in sorted(inner.items()):
        for each in names:
            users[each].append(address)
    for address in reversed(sorted_by(inner)):
        there, needing = live.get(address), tuple(users[address])
        if there is None:
            changes.append(Forget(address, "it is gone, and nothing wants it any more", needing))
        elif there.owner == owner:
            changes.append(
                Delete(there, "all is to go" if prune else "nothing in the project wants it any more", needing)
            )
        else:
            why = "somebody else took it over" if there.owner else "it carries our mark no more"
            changes.append(Forget(address, f"{why}, so it is left alone", needing, left=True))
    return Plan(owner.environment, owner.namespace, serial, tuple(changes), unchanged)


def _needs(
    address: Address, applied: Mapping[Address, Applied], live: Mapping[Address, Live], gone: Sequence[Address]
) -> Sequence[Address]:
    """Return what one that goes needs. Where the state does not know, that may be any payload: those go last."""
    if address in applied or address not in live or live[address].shared:
        return applied[address].depends if address in applied else ()
    return [each for each in gone if each in live and live[each].shared]


def _wanted(resource: Resource, applied: Applied | None, live: Live | None) -> Change | None:
    if live is None:
        gone = _CUT_OFF if applied and applied.pending else "it was deleted by hand"
        return Create(resource, gone if applied else "it is new")
    if live.digest == resource.digest:
        if (
            applied is None
            or applied.pending
            or applied.digest != resource.digest
            or applied.depends != resource.depends
        ):
            left = Applied(resource.address, live.name, resource.digest, resource.depends)
            return Record(left, "it is as it should be, and the state did not know")
        return None
    it, was, other = _WORDS.get(live.differs, _WORDS["content",])
    if applied is not None and applied.pending:
        return Update(resource, live, _CUT_OFF)
    if applied is not None and live.digest != applied.digest:
        why = f"{it} {was} changed by hand" if applied.digest == resource.digest else f"{it} changed, here and by hand"
        return Update(resource, live, why, drifted=True)
    return Update(resource, live, f"{it} changed" if applied else f"{it} {other} than the project wants")


def _foreign(live: Live) -> Diagnostic:
    kind, _, name = live.address.partition("/")
    whose = f"belongs to {_whose(live.owner)}" if live.owner else "was not made by anabranch"
    hint = f"rename ours, delete it, or take it over: anabranch import {live.address}"
    return Diagnostic("foreign-object", f"{kind} {name} is there already and {whose}", hint)


def _whose(owner: Owner) -> str:
    return f"project `{owner.project}` (environment {owner.environment}, namespace {owner.namespace})"


@dataclass(frozen=True, slots=True)
class Saved:
    """What tells a saved plan from others: its digest, and the serial of the state that it was made from."""

    digest: str
    serial: int


def same_plan(made: Plan, saved: Saved) -> None:
    """Make sure that a saved plan is still what would be done.

    Raises:
        ConflictError: `stale-plan`.
    """
    if made.digest == saved.digest:
        return
    where = made.environment
    if made.serial == saved.serial:
        why = f"the project, or what is in {where}, has changed since"
    elif made.changes:
        why = f"{where} has been applied to since"
    else:
        why = f"{where} has been applied to since, and there is nothing left to change"
    message = f"the saved plan is not what would be done now: {why}"
    hint = f"make it again: anabranch plan -e {where} --out FILE"
    raise ConflictError(message, code="stale-plan", hint=hint)
