"""Pure walks over a pipeline's steps. Same input, same output: ties are broken by id."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anabranch.model.pipeline import Pipeline, StepId

N = TypeVar("N", bound=str)


def order(pipeline: Pipeline) -> tuple[StepId, ...]:
    """Return the steps in a valid order of execution, ties by id. Steps on or behind a cycle are left out."""
    return sorted_by(pipeline.upstream, pipeline.downstream)


def sorted_by(sources: Mapping[N, Sequence[N]], targets: Mapping[N, Sequence[N]] | None = None) -> tuple[N, ...]:
    """Return nodes so that each comes after its sources, ties by name. Nodes on or behind a cycle are left out.

    Args:
        sources: for each node those that come before it, each of them a node.
        targets: for each node those that come after it, where that is known.

    >>> sorted_by({"c": ["a", "b"], "b": ["a"], "a": []})
    ('a', 'b', 'c')
    """
    if targets is None:
        after: dict[N, list[N]] = {node: [] for node in sources}
        for node, before in sources.items():
            for source in before:
                after[source].append(node)
        targets = after
    waiting = {node: len(before) for node, before in sources.items()}
    ready = [node for node, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    done: list[N] = []
    while ready:
        node = heapq.heappop(ready)
        done.append(node)
        for target in targets[node]:
            waiting[target] -= 1
            if waiting[target] == 0:
                heapq.heappush(ready, target)
    return tuple(done)


def cycles(pipeline: Pipeline) -> tuple[tuple[StepId, ...], ...]:
    """Return one shortest cycle for each knot of steps that wait for each other, each starting at its smallest id."""
    left = set(pipeline.step_by_id) - set(order(pipeline))
    found: list[tuple[StepId, ...]] = []
    while left:
        start = min(left)
        path = _path_back(pipeline, start, left)
        if path is None:
            left.discard(start)  # behind a cycle, not on it
            continue
        low = path.index(min(path))
        found.append(path[low:] + path[:low])
        left -= reachable(pipeline.downstream, path) & reachable(pipeline.upstream, path)
    return tuple(sorted(found))


def _path_back(pipeline: Pipeline, start: StepId, within: set[StepId]) -> tuple[StepId, ...] | None:
    """Return the shortest way from `start` along edges back to itself."""
    came: dict[StepId, StepId] = {}
    layer = [start]
    while layer:
        following: list[StepId] = []
        for step_id in layer:
            for target in pipeline.downstream[step_id]:
                if target == start:
                    path = [step_id]
                    while path[-1] != start:
                        path.append(came[path[-1]])
                    return tuple(reversed(path))
                if target in within and target not in came:
                    came[target] = step_id
                    following.append(target)
        layer = following
    return None


def reachable(edges: Mapping[N, tuple[N, ...]], starts: Iterable[N]) -> set[N]:
    """Return `starts` and everything that the edges lead to from them."""
    seen = set(starts)
    stack = list(seen)
    while stack:
        for target in edges[stack.pop()]:
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return seen


def levels(pipeline: Pipeline) -> tuple[tuple[StepId, ...], ...]:
    """Group the steps by the length of the longest way to them: each level needs only earlier ones."""
    depth: dict[StepId, int] = {}
    for step_id in order(pipeline):
        depth[step_id] = 1 + max((depth[source] for source in pipeline.upstream[step_id]), default=-1)
    rows: list[list[StepId]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for step_id, level in depth.items():
        rows[level].append(step_id)
    return tuple(tuple(sorted(row)) for row in rows)


def select(
    pipeline: Pipeline, *, only: Iterable[StepId] = (), start: Iterable[StepId] = (), end: Iterable[StepId] = ()
) -> set[StepId]:
    """Return the steps that `--only`, `--from` and `--to` choose; nothing given chooses all.

    `start` keeps these steps and everything downstream, `end` these and everything upstream; both, what lies between.
    """
    chosen = set(pipeline.step_by_id)
    only, start, end = set(only), set(start), set(end)
    if only:
        chosen &= only
    if start:
        chosen &= reachable(pipeline.downstream, start)
    if end:
        chosen &= reachable(pipeline.upstream, end)
    return chosen
