"""Boxes in layers from left to right: longest path, barycentre order, straightened lines. Pure.

The classic of Sugiyama, Tagawa and Toda: (1) turn edges that close a cycle, (2) give each box a layer, (3) bend long
edges through every layer between, (4) order each layer by the middle of its neighbours, (5) move boxes towards their
neighbours without changing the order.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GAP_X, GAP_Y, MARGIN = 56.0, 14.0, 20.0
BEND_HEIGHT = 10.0
SLOT = 32.0
"""The least room a box gets, so that rows of pills and of boxes line up and lines between them are straight."""

SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node lies: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies. A route is the points that an edge passes, from the source's side to the target's.

    `lanes` has the lane in which each node lies.
    """

    boxes: Mapping[str, Box]
    routes: Mapping[tuple[str, str], tuple[tuple[float, float], ...]]
    width: float
    height: float
    lanes: Mapping[str, int]


def layout(
    sizes: Mapping[str, tuple[float, float]],
    edges: Iterable[tuple[str, str]],
    lanes: Mapping[str, int] | None = None,
    gap: float = GAP_X,
) -> Layout:
    """Place nodes and route edges.

    Args:
        sizes: width and height of each node; their order breaks ties.
        edges: source and target; loops are left out, cycles are allowed.
        lanes: the least lane of each node: lanes lie side by side, and edges never lead back to an earlier one.
        gap: pixels between layers, for edges to bend in.

    >>> placed = layout({"a": (10, 10), "b": (10, 10)}, [("a", "b")])
    >>> placed.boxes["a"].x < placed.boxes["b"].x, placed.boxes["a"].y == placed.boxes["b"].y
    (True, True)
    """
    wanted = list(dict.fromkeys(edge for edge in edges if edge[0] != edge[1]))
    forward = _without_cycles(list(sizes), wanted)
    layer, lane = _layers(list(sizes), forward, lanes or {})
    graph = _bend(layer, forward, {edge: edge for edge in forward})
    rows = _ordered(graph)
    boxes = _placed(rows, graph, {**dict.fromkeys(graph.layer, (0.0, BEND_HEIGHT)), **sizes}, gap)
    routes = {edge: _route(edge, edge in set(forward), graph, boxes) for edge in wanted}
    real = {name: boxes[name] for name in sizes}
    width = max((box.x + box.width for box in real.values()), default=0.0) + MARGIN
    height = max((box.y + box.height for box in boxes.values()), default=0.0) + MARGIN
    return Layout(real, routes, width, height, lane)


@dataclass(frozen=True, slots=True)
class _Graph:
    """Nodes and bends with their layers; `chains` are the bends of each edge, source and target included."""

    layer: dict[str, int]
    before: dict[str, list[str]]
    behind: dict[str, list[str]]
    chains: dict[tuple[str, str], list[str]]


def _without_cycles(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the edges, those that close a cycle turned round."""
    targets: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        targets[source].append(target)
    done: set[str] = set()
    turned: set[tuple[str, str]] = set()
    for start in nodes:
        open_now = {start}
        stack = [(start, iter(targets[start]))] if start not in done else []
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                open_now.discard(node)
                done.add(node)
            elif following in open_now:
                turned.add((node, following))
            elif following not in done:
                open_now.add(following)
                stack.append((following, iter(targets[following])))
    return list(dict.fromkeys((b, a) if (a, b) in turned else (a, b) for a, b in edges))


def _layers(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]], least: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return each node's layer and lane. A layer is the longest way to a node within its lane, behind earlier lanes.

    What has nothing before it moves up to what needs it.
    """
    before: defaultdict[str, list[str]] = defaultdict(list)
    behind: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        before[target].append(source)
        behind[source].append(target)
    waiting = {node: len(before[node]) for node in nodes}
    ready = [node for node in nodes if not waiting[node]]
    depth: dict[str, int] = {}
    lane: dict[str, int] = {}
    for node in ready:  # grows while it is walked
        lane[node] = max([least.get(node, 0), *(lane[source] for source in before[node])])
        depth[node] = 1 + max((depth[source] for source in before[node] if lane[source] == lane[node]), default=-1)
        for target in behind[node]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    end: dict[int, int] = {}
    at = 0
    for each in sorted(set(lane.values())):
        deepest = 1 + max(depth[node] for node in lane if lane[node] == each)
        end[each], depth_before = at + deepest, at
        depth.update({node: depth[node] + depth_before for node in lane if lane[node] == each})
        at += deepest
    for node in nodes:
        if not before[node] and behind[node]:
            depth[node] = min(end[lane[node]], *(depth[target] for target in behind[node])) - 1
    return depth, lane


def _bend(
    layer: dict[str, int], edges: Sequence[tuple[str, str]], names: Mapping[tuple[str, str], tuple[str, str]]
) -> _Graph:
    """Return the graph in which every edge leads to the next layer, through bends where it was longer."""
    graph = _Graph(dict(layer), defaultdict(list), defaultdict(list), {})
    for number, edge in enumerate(edges):
        source, target = edge
        chain = [source]
        for between in range(layer[source] + 1, layer[target]):
            bend = f"\0{number}.{between}"
            graph.layer[bend] = between
            chain.append(bend)
        chain.append(target)
        for one, following in pairwise(chain):
            graph.behind[one].append(following)
            graph.before[following].append(one)
        graph.chains[names[edge]] = chain
    return graph


def _ordered(graph: _Graph) -> list[list[str]]:
    """Return the layers, each in an order with few crossings."""
    rows: list[list[str]] = [[] for _ in range(1 + max(graph.layer.values(), default=-1))]
    for node, number in graph.layer.items():
        rows[number].append(node)
    best, fewest = [list(row) for row in rows], _crossings(rows, graph)
    for sweep in range(SWEEPS):
        downward = sweep % 2 == 0
        near = graph.before if downward else graph.behind
        numbers = range(1, len(rows)) if downward else range(len(rows) - 2, -1, -1)
        for number in numbers:
            place = {node: i for i, node in enumerate(rows[number - 1 if downward else number + 1])}
            own = {node: i for i, node in enumerate(rows[number])}
            rows[number].sort(key=lambda node: (_middle([place[n] for n in near[node]], own[node]), own[node]))
        crossings = _crossings(rows, graph)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
        if fewest == 0:
            break
    return best


def _middle(places: Sequence[float], default: float) -> float:
    return sum(places) / len(places) if places else default


def _crossings(rows: Sequence[Sequence[str]], graph: _Graph) -> int:
    """Return how many pairs of edges between neighbouring layers cross."""
    crossings = 0
    for row, following in pairwise(rows):
        place = {node: i for i, node in enumerate(following)}
        tree = [0] * (len(following) + 1)
        seen = 0
        for node in row:
            ends = [place[target] for target in graph.behind[node]]
            for end in ends:  # those seen before that end further down
                passed, i = 0, end + 1
                while i > 0:
                    passed += tree[i]
                    i -= i & -i
                crossings += seen - passed
            for end in ends:
                seen += 1
                i = end + 1
                while i <= len(following):
                    tree[i] += 1
                    i += i & -i
    return crossings


def _placed(
    rows: Sequence[Sequence[str]], graph: _Graph, sizes: Mapping[str, tuple[float, float]], gap: float
) -> dict[str, Box]:
    """Return where each node and bend lies."""
    centre: dict[str, float] = {}
    for row in rows:
        y = 0.0
        for node in row:
            centre[node] = y + _slot(sizes[node]) / 2
            y += _slot(sizes[node]) + GAP_Y
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else list(reversed(rows)):
            near = graph.before if sweep % 2 == 0 else graph.behind
            both = sweep >= SWEEPS - 4
            wanted = [
                _middle(
                    [centre[n] for n in (near[node] if not both else graph.before[node] + graph.behind[node])],
                    centre[node],
                )
                for node in row
            ]
            centre.update(zip(row, _apart(wanted, [_slot(sizes[node]) for node in row]), strict=True))
    top = min((centre[node] - sizes[node][1] / 2 for node in centre), default=0.0)
    boxes: dict[str, Box] = {}
    x = MARGIN
    for row in rows:
        width = max((sizes[node][0] for node in row), default=0.0)
        boxes.update({node: _box(sizes[node], x, width, round(centre[node] - top + MARGIN, 1)) for node in row})
        x += width + gap
    return boxes


def _slot(size: tuple[float, float]) -> float:
    """Return the height that a box, or a bend (of no width), takes in its layer."""
    return max(size[1], SLOT) if size[0] else size[1]


def _box(size: tuple[float, float], x: float, layer: float, centre: float) -> Box:
    """Return a node's box in the middle of its layer; bends are as wide as the layer, so that lines pass straight."""
    own, height = size[0] or layer, size[1]
    return Box(round(x + (layer - own) / 2, 1), round(centre - height / 2, 1), own, height)


def _apart(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Return the centres nearest to those wanted that keep the order and the gap (isotonic regression)."""
    offsets: list[float] = []
    at = 0.0
    for i, height in enumerate(heights):
        at += height / 2 + (GAP_Y + heights[i - 1] / 2 if i else 0.0)
        offsets.append(at)
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, size = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            earlier, count = blocks.pop()
            mean, size = (mean * size + earlier * count) / (size + count), size + count
        blocks.append((mean, size))
    means = [mean for mean, size in blocks for _ in range(size)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _route(
    edge: tuple[str, str],
    straight: bool,  # noqa: FBT001 - private, and called once
    graph: _Graph,
    boxes: Mapping[str, Box],
) -> tuple[tuple[float, float], ...]:
    """Return the points of an edge; one that was turned is walked backwards."""
    chain = graph.chains[edge if straight else (edge[1], edge[0])]
    points: list[tuple[float, float]] = []
    for i, node in enumerate(chain):
        box = boxes[node]
        y = round(box.y + box.height / 2, 1)
        if i > 0:
            points.append((box.x, y))
        if i < len(chain) - 1:
            points.append((round(box.x + box.width, 1), y))
    return tuple(points if straight else reversed(points))
