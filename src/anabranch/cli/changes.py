"""Plans and changes, as people read them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, assert_never

from anabranch.cli.table import Cell, table
from anabranch.model.plan import Create, Delete, Forget, Record, Update
from anabranch.show.human import plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.cli.terminal import Terminal
    from anabranch.model.plan import Change, Plan

LOOKS: dict[type[Change], tuple[str, str, str]] = {
    Create: ("+", "create", "green"),
    Update: ("~", "update", "yellow"),
    Delete: ("-", "delete", "red"),
    Record: ("=", "record", "cyan"),
    Forget: ("=", "forget", "cyan"),
}
"""The sign, the word and the colour of each kind of change."""


def lines(plan: Plan, out: Terminal) -> Iterator[str]:
    """Yield a plan: a line for each change with its reason, of many that are alike for the first; then the sum."""
    where = plan.environment if plan.namespace == "main" else f"{plan.environment}, branch {plan.namespace}"
    if not plan.changes:
        yield f"{out.marks.ok} {where}: nothing to change ({plural(plan.unchanged, 'object')} as they should be)"
        return
    yield out.paint(f"changes to {where}:", "bold")
    yield from table([""] * 3, list(_rows(plan.changes)), terminal=out, indent="  ")
    yield summary(plan)


MANY, FIRST = 12, 3
"""Changes of one kind, for one reason, of which no more than the first are shown. `--json` has them all."""


def _rows(made: Sequence[Change]) -> Iterator[list[str | Cell]]:
    alike = Counter(map(_alike, made))
    shown: Counter[tuple[str, ...]] = Counter()
    for change in made:
        key = _alike(change)
        shown[key] += 1
        if alike[key] <= MANY or shown[key] <= FIRST:
            yield row(change)
        elif shown[key] == FIRST + 1:
            sign, kind, why = key
            yield [sign, f"{kind}/...", f"{why}: {alike[key] - FIRST:,} more"]


def _alike(change: Change) -> tuple[str, str, str]:
    sign, word, _ = LOOKS[type(change)]
    return f"{sign} {word}", change.address.partition("/")[0], change.why


def row(change: Change) -> list[str | Cell]:
    """Return one change as a line of a table."""
    sign, word, colour = LOOKS[type(change)]
    why = change.why
    if isinstance(change, Create | Update):
        why += f" ({size(len(change.resource.content))})"
    drifted = isinstance(change, Update) and change.drifted
    return [Cell(f"{sign} {word}", (colour,)), Cell(change.address, ("bold",)), Cell(why, ("red",) if drifted else ())]


def summary(plan: Plan, *, done: bool = False) -> str:
    """Return how many changes of each kind a plan has, or had."""
    words = [LOOKS[type(change)][1] for change in plan.changes]
    counted = [f"{words.count(word)} {PAST[word] if done else f'to {word}'}" for word in dict.fromkeys(words)]
    return ", ".join([*counted, f"{plan.unchanged} as they should be"])


PAST = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "record": "recorded",
    "forget": "forgotten",
}


def shape(plan: Plan) -> dict[str, Any]:
    """Return a plan as `--json` and plan files tell it."""
    return {
        "environment": plan.environment,
        "namespace": plan.namespace,
        "serial": plan.serial,
        "digest": plan.digest,
        "unchanged": plan.unchanged,
        "changes": [_shape(change) for change in plan.changes],
    }


def _shape(change: Change) -> dict[str, Any]:
    told = {"change": LOOKS[type(change)][1], "address": change.address, "why": change.why}
    match change:
        case Create(resource):
            return told | {"name": resource.name, "before": None, "after": resource.digest, "drifted": False}
        case Update(resource, live, _, drifted):
            return told | {"name": resource.name, "before": live.digest, "after": resource.digest, "drifted": drifted}
        case Delete(live):
            return told | {"name": live.name, "before": live.digest, "after": None, "drifted": False}
        case Record(applied):
            return told | {"name": applied.name, "before": None, "after": applied.digest, "drifted": False}
        case Forget():
            return told | {"name": None, "before": None, "after": None, "drifted": False}
        case _:
            assert_never(change)
