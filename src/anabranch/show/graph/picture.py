"""What is drawn of a pipeline: nodes and edges. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from anabranch.model.call import DbtCall, kind
from anabranch.model.graph import levels
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anabranch.model.pipeline import Pipeline, Step, StepId

MOST_NODES = 200
"""More than these nobody can read: they are folded into groups."""


class Shape(StrEnum):
    """What a node stands for."""

    STEP = "step"
    DATASET = "dataset"
    GROUP = "group"


class Line(StrEnum):
    """What an edge stands for."""

    DATA = "data"
    VALUE = "value"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Node:
    """One box. `badge` is a step's kind, a dataset's stage, or what is in a group; `note` is its tooltip.

    `tone` gives it a colour of its own, such as a delta's verdict.
    """

    id: str
    shape: Shape
    label: str
    badge: str = ""
    note: str = ""
    parts: tuple[str, ...] = ()
    tone: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One arrow, by ids of nodes."""

    source: str
    target: str
    line: Line = Line.DATA

    @property
    def loop(self) -> bool:
        """Whether it leads back to where it starts; loops are not drawn."""
        return self.source == self.target


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn. `folded` tells that nodes are groups; then `groups` has the group of each step."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    folded: bool = False
    groups: Mapping[StepId, str] = field(default_factory=dict)


def draw(pipeline: Pipeline, most: int = MOST_NODES) -> Picture:
    """Return the picture of a pipeline: every step and dataset, or groups of steps when there are too many.

    Args:
        pipeline: any pipeline, also an invalid one.
        most: nodes that a picture may have.
    """
    datasets = {name for step in pipeline.steps for name in datasets_of(step)}
    if len(pipeline.steps) + len(datasets) <= most:
        return _whole(pipeline, sorted(datasets))
    by_prefix = {step.id: _prefix(step.id) for step in pipeline.steps}
    if len(set(by_prefix.values())) > most or not any("/" in step.id for step in pipeline.steps):
        return _folded(pipeline, _by_level(pipeline, most))
    return _folded(pipeline, by_prefix)


def datasets_of(step: Step) -> list[str]:
    """Return the datasets that a step reads and writes."""
    return [port.dataset for port in step.reads] + [port.dataset for port in step.outputs]


def _whole(pipeline: Pipeline, datasets: Sequence[str]) -> Picture:
    nodes = [_step_node(step) for step in pipeline.steps]
    for name in datasets:
        spec = pipeline.dataset_by_name.get(name)
        note = ", ".join(text for text in (spec.location, spec.description) if text) if spec else "not in the registry"
        nodes.append(Node(f"dataset:{name}", Shape.DATASET, name, spec.stage.value if spec else "", note))
    edges: set[Edge] = set()
    for step in pipeline.steps:
        own = f"step:{step.id}"
        edges.update(Edge(f"dataset:{port.dataset}", own) for port in step.reads)
        edges.update(Edge(own, f"dataset:{port.dataset}") for port in step.outputs)
        edges.update(Edge(f"step:{source}", own, Line.VALUE) for port in step.takes for source in port.sources)
        edges.update(Edge(f"step:{source}", own, Line.AFTER) for source in step.after)
    return Picture(pipeline.name, tuple(nodes), _between(edges, nodes))


def _step_node(step: Step) -> Node:
    parts = step.call.models if isinstance(step.call, DbtCall) else ()
    note = ", ".join(text for text in (step.description, str(step.place or "")) if text)
    return Node(f"step:{step.id}", Shape.STEP, step.id, kind(step.call), note, parts)


def _between(edges: Iterable[Edge], nodes: Iterable[Node]) -> tuple[Edge, ...]:
    """Return the edges whose ends both exist, sorted: an invalid pipeline may name steps that do not."""
    known = {node.id for node in nodes}
    return tuple(sorted(edge for edge in edges if edge.source in known and edge.target in known))


def _prefix(step: StepId) -> str:
    """Return the inner pipeline that a step came with, or the step itself."""
    return step.partition("/")[0]


def _by_level(pipeline: Pipeline, most: int) -> dict[StepId, str]:
    """Return a group for each step: the level at which it may start, or a span of levels when there are too many."""
    rows = levels(pipeline)
    span = -(-len(rows) // most)
    group: dict[StepId, str] = {}
    for number, row in enumerate(rows):
        first = number // span * span
        last = min(first + span, len(rows)) - 1
        label = f"level {first}" if first == last else f"levels {first} to {last}"
        group.update(dict.fromkeys(row, label))
    return {step.id: group.get(step.id, "on a cycle") for step in pipeline.steps}


def _folded(pipeline: Pipeline, group_of: Mapping[StepId, str]) -> Picture:
    members: dict[str, list[Step]] = {}
    for step in pipeline.steps:
        members.setdefault(group_of[step.id], []).append(step)
    nodes = [_group_node(name, steps) for name, steps in members.items()]
    edges = {
        Edge(f"group:{group_of[source]}", f"group:{group_of[target]}")
        for target, sources in pipeline.upstream.items()
        for source in sources
        if group_of[source] != group_of[target]
    }
    return Picture(pipeline.name, tuple(nodes), _between(edges, nodes), folded=True, groups=group_of)


def _group_node(name: str, steps: Sequence[Step]) -> Node:
    kinds = Counter(kind(step.call) for step in steps)
    note = ", ".join(f"{number:,} {what}" for what, number in sorted(kinds.items()))
    return Node(f"group:{name}", Shape.GROUP, name, plural(len(steps), "step"), note)
