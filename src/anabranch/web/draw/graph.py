"""The graph of a pipeline's steps and datasets, with what became of them; stages are lanes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from anabranch.model.dataset import Stage
from anabranch.model.run import StepState
from anabranch.show.graph.layout import layout
from anabranch.show.graph.picture import Shape, draw
from anabranch.show.text import printable, width
from anabranch.web.render import MARKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Pipeline
    from anabranch.show.graph.layout import Box, Layout
    from anabranch.show.graph.picture import Edge, Node, Picture

CHAR, SMALL = 7.3, 6.1
"""Widths of a letter in pixels, of names and of what is told below them."""

STEP_HEIGHT, DATASET_HEIGHT, PAD, LEAST = 54.0, 40.0, 12.0, 160.0
GAP = 36.0
"""Pixels between layers."""

FITS = 1650
"""A picture of at most so many pixels is shrunk to the page's width where there is nearly room for it."""

HEAD = 26.0
"""Room above for the names of the lanes."""

LONGEST = 34
LANES = tuple(Stage)
WORST = (
    StepState.FAILED,
    StepState.RUNNING,
    StepState.RETRYING,
    StepState.CANCELLED,
    StepState.SKIPPED,
    StepState.WAITING,
    StepState.SUCCEEDED,
    StepState.REUSED,
)
"""Which state of its steps a group is shown in: the first that occurs."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is told of one node: how it stands, two lines below its name, where it leads, and a colour of its own."""

    state: str = ""
    lines: tuple[str, ...] = ()
    href: str = ""
    tone: str = ""


def graph(pipeline: Pipeline, looks: Mapping[str, Look]) -> Markup:
    """Return the picture.

    Args:
        pipeline: what is drawn; more than 200 boxes are folded into groups.
        looks: by the node's id: `step:clean`, `dataset:legs`.
    """
    picture = draw(pipeline)
    if picture.folded:
        looks = _of_groups(pipeline, picture, looks)
    placed = _place(
        tuple((node.id, _size(node)) for node in picture.nodes),
        tuple((edge.source, edge.target) for edge in picture.edges),
        tuple(_lanes(pipeline, picture).items()),
    )
    wide, high = placed.width, placed.height + HEAD
    size = f'width="{wide:g}" height="{high:g}" viewBox="0 0 {wide:g} {high:g}"'
    parts = [
        f'<svg class="graph{" fit" if wide <= FITS else ""}" {size} role="group" ',
        f'aria-label="{_text(f"Graph of pipeline {pipeline.name}")}">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        '<path class="tip" d="M0 0.5 8 4 0 7.5z"/></marker></defs>',
        *_bands(placed, picture, high),
        f'<g transform="translate(0 {HEAD:g})">',
        *(_edge(edge, placed.routes[edge.source, edge.target]) for edge in picture.edges if not edge.loop),
        *(line for node in picture.nodes for line in _node(node, placed.boxes[node.id], looks.get(node.id, Look()))),
        "</g></svg>",
    ]
    return Markup("".join(parts))  # noqa: S704 - every value in it went through `_text`


@lru_cache(maxsize=32)
def _place(
    sizes: tuple[tuple[str, tuple[float, float]], ...],
    edges: tuple[tuple[str, str], ...],
    lanes: tuple[tuple[str, int], ...],
) -> Layout:
    """Place a picture; the same pipeline lies the same, however its steps stand."""
    return layout(dict(sizes), edges, dict(lanes), GAP)


def _lanes(pipeline: Pipeline, picture: Picture) -> dict[str, int]:
    """Return the lane of each node: a dataset's is its stage, a step's that of what it writes."""
    if picture.folded:
        return {}
    stages = {spec.name: LANES.index(spec.stage) for spec in pipeline.datasets}
    found = {f"dataset:{name}": lane for name, lane in stages.items()}
    for step in pipeline.steps:
        written = [stages[port.dataset] for port in step.outputs if port.dataset in stages]
        if written:
            found[f"step:{step.id}"] = min(written)
    return found


def _of_groups(pipeline: Pipeline, picture: Picture, looks: Mapping[str, Look]) -> dict[str, Look]:
    """Return the looks of groups of steps, from those of their steps."""
    members: dict[str, list[Look]] = {}
    for step in pipeline.steps:
        if (group := picture.groups.get(step.id)) is not None:
            members.setdefault(f"group:{group}", []).append(looks.get(f"step:{step.id}", Look()))
    found: dict[str, Look] = {}
    for node in picture.nodes:
        states = Counter(look.state for look in members.get(node.id, []) if look.state)
        worst = next((state.value for state in WORST if states[state.value]), "")
        told = "  ".join(f"{MARKS[state.value]} {states[state.value]:,}" for state in WORST if states[state.value])
        found[node.id] = Look(worst, (node.badge, told or node.note))
    return found


def _size(node: Node) -> tuple[float, float]:
    name = width(_short(node.label)) * CHAR + 2 * PAD + (18 if node.shape is not Shape.DATASET else 4)
    return round(max(name, LEAST)), DATASET_HEIGHT if node.shape is Shape.DATASET else STEP_HEIGHT


def _bands(placed: Layout, picture: Picture, high: float) -> Iterator[str]:
    """Yield a band behind each stage, with its name on top."""
    if picture.folded or all(node.shape is not Shape.DATASET for node in picture.nodes):
        return
    for number, stage in enumerate(LANES):
        boxes = [placed.boxes[node] for node, lane in placed.lanes.items() if lane == number and node in placed.boxes]
        if not boxes:
            continue
        left = min(box.x for box in boxes) - 11
        right = max(box.x + box.width for box in boxes) + 11
        yield f'<rect class="lane l-{stage}" x="{left:g}" y="0" width="{right - left:g}" height="{high:g}" rx="6"/>'
        yield f'<text class="lane-name" x="{left + 10:g}" y="17">{stage}</text>'


def _node(node: Node, box: Box, look: Look) -> Iterator[str]:
    dataset = node.shape is Shape.DATASET
    kind = "dataset" if dataset else "step"
    told = ", ".join(text for text in (node.label, look.state, *look.lines, node.note) if text)
    yield f'<a href="{_text(look.href)}">' if look.href else "<g>"
    classes = " ".join(["node", kind, *(f"{a}-{b}" for a, b in (("s", look.state), ("tone", look.tone)) if b)])
    yield f'<g class="{_text(classes)}"><title>{_text(told)}</title>'
    radius = box.height / 2 if dataset else 7
    yield f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="{radius:g}"/>'
    lines = [line for line in look.lines if line][: 1 if dataset else 2]
    x, y = box.x + PAD, box.y + box.height / 2 + 4 - 7 * len(lines)
    if dataset:
        x = box.x + box.width / 2
    anchor = ' text-anchor="middle"' if dataset else ""
    yield f'<text class="name" x="{x:g}" y="{y:g}"{anchor}>{_text(_short(node.label))}</text>'
    for i, line in enumerate(lines, 1):
        fits = int((box.width - 2 * PAD + 8) / SMALL)
        yield f'<text class="told" x="{x:g}" y="{y + 14 * i:g}"{anchor}>{_text(_short(line, fits))}</text>'
    if look.state and not dataset:
        mark = MARKS.get(look.state, "")
        yield f'<text class="mark" x="{box.x + box.width - PAD:g}" y="{y:g}" text-anchor="end">{_text(mark)}</text>'
    yield "</g>"
    yield "</a>" if look.href else "</g>"


def _edge(edge: Edge, points: Sequence[tuple[float, float]]) -> str:
    (x, y), *rest = points
    path = [f"M{x:g} {y:g}"]
    for to_x, to_y in rest:
        middle = round((x + to_x) / 2, 1)
        path.append(f"H{to_x:g}" if to_y == y else f"C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}")
        x, y = to_x, to_y
    return f'<path class="edge e-{edge.line}" d="{"".join(path)}" marker-end="url(#tip)"/>'


def _short(text: str, most: int = LONGEST) -> str:
    line = printable(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _text(text: str) -> str:
    return str(escape(printable(text)))


def joined(parts: Iterable[str]) -> str:
    """Return what there is to tell, in one line.

    >>> joined(["0.47 s", "", "16 rows"])
    '0.47 s · 16 rows'
    """
    return " · ".join(part for part in parts if part)
