"""A graph of steps as Step Functions can run it: one after the other, or side by side until all have ended.

Where a graph is made of these two, nothing waits for more than it must. Any other graph gets barriers: steps that
could have begun wait for the whole level before theirs. What depends on what is kept in either case.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anabranch.model.pipeline import StepId


@dataclass(frozen=True, slots=True)
class Series:
    """Parts that run one after the other."""

    parts: tuple[Weave, ...]


@dataclass(frozen=True, slots=True)
class Beside:
    """Parts that run side by side, until all have ended."""

    parts: tuple[Weave, ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """A part that becomes a machine of its own."""

    part: Weave


Weave: TypeAlias = "StepId | Series | Beside | Apart"
"""A step, or parts in one of the two orders; end each `match` on it with the step."""


def weave(upstream: Mapping[StepId, Sequence[StepId]]) -> Weave:
    """Return the steps of a graph, woven: a step comes after all that are upstream of it.

    Args:
        upstream: the steps that each step waits for; not empty, without a cycle.

    >>> weave({"join": ["left", "right"], "left": ["start"], "right": ["start"], "start": []})
    Series(parts=('start', Beside(parts=('left', 'right')), 'join'))
    """
    downstream: dict[StepId, list[StepId]] = defaultdict(list)
    for step, before in upstream.items():
        for each in before:
            downstream[each].append(step)
    return _Weaver(upstream, downstream).of(sorted(upstream))


def steps_of(woven: Weave) -> list[StepId]:
    """Return the steps of a weave, in an order in which they could run.

    >>> steps_of(Series(("a", Beside(("b", "c")))))
    ['a', 'b', 'c']
    """
    match woven:
        case Series(parts) | Beside(parts):
            return [step for part in parts for step in steps_of(part)]
        case Apart(part):
            return steps_of(part)
        case _:
            return [woven]


def split(woven: Weave, most: int) -> Weave:
    """Return a weave of which no part that stays together has more steps than that: groups of its parts go apart.

    >>> split(Series(("a", "b", "c")), 2)
    Series(parts=(Apart(part=Series(parts=('a', 'b'))), Apart(part='c')))
    """
    if len(steps_of(woven)) <= most:
        return woven
    match woven:
        case Series(parts):
            return Series(tuple(_grouped(parts, most, Series)))
        case Beside(parts):
            return Beside(tuple(_grouped(parts, most, Beside)))
        case _:
            return woven


def _grouped(parts: Sequence[Weave], most: int, kind: type[Series | Beside]) -> list[Weave]:
    """Return parts in groups as large as may be, each apart."""
    groups: list[list[Weave]] = [[]]
    size = 0
    for part in parts:
        count = len(steps_of(part))
        if groups[-1] and size + count > most:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += count
    return [Apart(group[0] if len(group) == 1 else kind(tuple(group))) for group in groups]


class _Weaver:
    def __init__(
        self, upstream: Mapping[StepId, Sequence[StepId]], downstream: Mapping[StepId, Sequence[StepId]]
    ) -> None:
        self._up, self._down = upstream, downstream

    def of(self, steps: Sequence[StepId]) -> Weave:
        found = [self._connected(each) for each in self._components(steps)]
        return found[0] if len(found) == 1 else Beside(tuple(found))

    def _components(self, steps: Sequence[StepId]) -> list[list[StepId]]:
        """Return the steps in groups that have nothing to do with each other."""
        left = set(steps)
        found: list[list[StepId]] = []
        for first in steps:
            if first not in left:
                continue
            left.discard(first)
            group, todo = [first], [first]
            while todo:
                step = todo.pop()
                for near in (*self._up[step], *self._down.get(step, ())):
                    if near in left:
                        left.discard(near)
                        group.append(near)
                        todo.append(near)
            found.append(sorted(group))
        return found

    def _connected(self, steps: Sequence[StepId]) -> Weave:
        """Weave steps that belong together: whatever is alone at either end goes first or last, without loss."""
        inside = set(steps)
        before = {step: sum(each in inside for each in self._up[step]) for step in steps}
        after = {step: sum(each in inside for each in self._down.get(step, ())) for step in steps}
        first = _peeled(before, self._down, inside)
        last = _peeled(after, self._up, inside)
        parts: list[Weave] = [*first, *(self._middle(sorted(inside)) if inside else ()), *reversed(last)]
        return parts[0] if len(parts) == 1 else Series(_flat(parts))

    def _middle(self, steps: Sequence[StepId]) -> list[Weave]:
        groups = self._components(steps)
        if len(groups) > 1:
            return [Beside(tuple(self._connected(each) for each in groups))]
        lower, upper = self._cut(steps)
        return [self.of(lower), self.of(upper)]

    def _cut(self, steps: Sequence[StepId]) -> tuple[list[StepId], list[StepId]]:
        """Return a lower and an upper part, cut where nothing is lost by waiting, else in the middle."""
        inside = set(steps)
        depth: dict[StepId, int] = {}
        for step in self._ordered(inside):
            depth[step] = 1 + max((depth[each] for each in self._up[step] if each in inside), default=-1)
        deepest = max(depth.values())
        for level in range(deepest):
            lower = {step for step in steps if depth[step] <= level}
            ends = {step for step in lower if not any(each in lower for each in self._down.get(step, ()))}
            upper = inside - lower
            starts = [step for step in upper if not any(each in upper for each in self._up[step])]
            if all(ends <= set(self._up[step]) for step in starts):
                return sorted(lower), sorted(upper)
        half = (deepest - 1) // 2
        return [step for step in steps if depth[step] <= half], [step for step in steps if depth[step] > half]

    def _ordered(self, inside: set[StepId]) -> list[StepId]:
        waiting = {step: sum(each in inside for each in self._up[step]) for step in inside}
        found = sorted(step for step, count in waiting.items() if not count)
        for step in found:
            for each in self._down.get(step, ()):
                if each in inside:
                    waiting[each] -= 1
                    if not waiting[each]:
                        found.append(each)
        return found


def _peeled(waiting: dict[StepId, int], beyond: Mapping[StepId, Sequence[StepId]], inside: set[StepId]) -> list[StepId]:
    """Take away what is alone at one end, again and again, and return it."""
    ends = {step for step in inside if not waiting[step]}
    found: list[StepId] = []
    while len(ends) == 1:
        (step,) = ends
        found.append(step)
        inside.discard(step)
        ends = set()
        for each in beyond.get(step, ()):
            if each in inside:
                waiting[each] -= 1
                if not waiting[each]:
                    ends.add(each)
    return found


def _flat(parts: Iterable[Weave]) -> tuple[Weave, ...]:
    return tuple(inner for part in parts for inner in (part.parts if isinstance(part, Series) else (part,)))
