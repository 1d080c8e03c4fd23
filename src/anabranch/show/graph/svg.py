"""A picture as SVG: one file, no reference to anything outside, light and dark. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from anabranch.show.graph.layout import MARGIN, Box, layout
from anabranch.show.graph.picture import Shape
from anabranch.show.text import width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.show.graph.picture import Edge, Node, Picture

CHAR, SMALL_CHAR = 7.23, 6.03
"""Widths of a letter of the two monospaced sizes, 12 and 10 px."""

HEIGHT, PILL_HEIGHT, PART_HEIGHT, PAD = 32.0, 26.0, 18.0, 12.0
LONGEST = 44
TITLE_HEIGHT, LEGEND_HEIGHT = 34.0, 34.0

# Colour by name: (fill, stroke, text), light and dark. The pairs keep a contrast of at least 4.5 to 1.
LIGHT = {
    "step": ("#ffffff", "#8b95a5", "#1b2430"),
    "group": ("#f1f3f7", "#8b95a5", "#1b2430"),
    "raw": ("#fdf0d5", "#d9a441", "#6b4a08"),
    "cleaned": ("#dcedfb", "#5b9fd6", "#114a78"),
    "final": ("#dff3e3", "#57ab6b", "#17562a"),
    "unknown": ("#fbe3e3", "#d66a6a", "#7d1a1a"),
    "same": ("#dff3e3", "#57ab6b", "#17562a"),
    "changed": ("#fde0d2", "#d9652b", "#7a2c08"),
    "noise": ("#ece4fb", "#9170d0", "#47238c"),
    "unsure": ("#fdf0d5", "#d9a441", "#6b4a08"),
    "reused": ("#f6f7f9", "#cfd5de", "#6a7484"),
}
DARK = {
    "step": ("#1d2430", "#68758a", "#e8edf4"),
    "group": ("#252d3a", "#68758a", "#e8edf4"),
    "raw": ("#3d2f10", "#b98a2f", "#f6dfa8"),
    "cleaned": ("#12324c", "#4b8fc6", "#cbe5fa"),
    "final": ("#143a20", "#4b9c5f", "#c9efd2"),
    "unknown": ("#481c1c", "#c05a5a", "#fbd5d5"),
    "same": ("#143a20", "#4b9c5f", "#c9efd2"),
    "changed": ("#4a2210", "#d0703a", "#ffd9c4"),
    "noise": ("#2d2150", "#8d72cf", "#ddd0fa"),
    "unsure": ("#3d2f10", "#b98a2f", "#f6dfa8"),
    "reused": ("#171c24", "#39434f", "#8f9aaa"),
}
TONES = ("same", "changed", "noise", "unsure", "reused")
"""Colours that a node's `tone` may have."""

KINDS = {
    "python": "#3b6fb5",
    "sql": "#8a4fb0",
    "shell": "#56616f",
    "spark": "#b9521f",
    "dbt": "#c2412f",
    "container": "#1f7a80",
    "native": "#8a6a10",
}
TIP = """<defs><marker id="anabranch-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
orient="auto-start-reverse"><path class="tip" d="M0 0.5 8 4 0 7.5z"/></marker></defs>"""
"""The tip of every arrow."""


def svg(picture: Picture) -> str:
    """Return the picture as an SVG document."""
    placed = layout(
        {node.id: _size(node) for node in picture.nodes}, [(edge.source, edge.target) for edge in picture.edges]
    )
    wide = max(placed.width, _text_width(picture.title) + 2 * MARGIN, 330.0)
    high = placed.height + TITLE_HEIGHT + LEGEND_HEIGHT
    frame = f'width="{wide:g}" height="{high:g}"'
    label = _attribute(f"pipeline {picture.title}")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="anabranch" {frame} viewBox="0 0 {wide:g} {high:g}"',
            f'     role="img" aria-label="{label}">',
            f"<title>{escape(_clean(picture.title))}</title>",
            f"<style>{_style()}</style>",
            TIP,
            f'<rect class="paper" {frame}/>',
            _text(MARGIN, MARGIN + 8, picture.title, "title"),
            f'<g transform="translate(0 {TITLE_HEIGHT - 8:g})">',
            *(_edge(edge, placed.routes[edge.source, edge.target]) for edge in picture.edges if not edge.loop),
            *(line for node in picture.nodes for line in _node(node, placed.boxes[node.id])),
            "</g>",
            *_legend(picture, high - MARGIN),
            "</svg>\n",
        ]
    )


def _size(node: Node) -> tuple[float, float]:
    label = _text_width(_short(node.label))
    if node.shape is Shape.DATASET:
        return round(label + 2 * PAD + 4), PILL_HEIGHT
    badge = width(node.badge) * SMALL_CHAR + 14 if node.badge else 0.0
    inner = max(
        [label + (badge + 10 if badge else 0.0), *(width(_short(part)) * SMALL_CHAR + 10 for part in node.parts)]
    )
    extra = len(node.parts) * PART_HEIGHT + (6 if node.parts else 0)
    return round(inner + 2 * PAD), HEIGHT + extra


def _node(node: Node, box: Box) -> Iterator[str]:
    look = node.tone or (node.shape.value if node.shape is not Shape.DATASET else (node.badge or "unknown"))
    yield f'<g class="{look}">'
    yield f"<title>{escape(_clean(' · '.join(text for text in (node.label, node.badge, node.note) if text)))}</title>"
    if node.shape is Shape.DATASET:
        yield _rect(box, box.height / 2)
        yield _text(box.x + box.width / 2, box.y + PILL_HEIGHT / 2 + 4, node.label, middle=True)
        yield "</g>"
        return
    yield _rect(box, 7)
    yield _text(box.x + PAD, box.y + HEIGHT / 2 + 4, node.label)
    if node.badge:
        wide = width(node.badge) * SMALL_CHAR + 14
        left = box.x + box.width - wide - PAD + 4
        kind = node.badge if node.badge in KINDS else "count"
        yield _rect(Box(left, box.y + 8, wide, 16), 8, f"badge {kind}")
        yield _text(left + wide / 2, box.y + 19.5, node.badge, "on-badge", middle=True)
    for i, part in enumerate(node.parts):
        y = box.y + HEIGHT + i * PART_HEIGHT
        yield _rect(Box(box.x + 6, y, box.width - 12, 15), 4, "part")
        yield _text(box.x + PAD, y + 11, part, "small")
    yield "</g>"


def _rect(box: Box, radius: float, look: str = "") -> str:
    named = f' class="{look}"' if look else ""
    return f'<rect{named} x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="{radius:g}"/>'


def _text(x: float, y: float, text: str, look: str = "", *, middle: bool = False) -> str:
    named = (f' class="{look}"' if look else "") + (' text-anchor="middle"' if middle else "")
    return f'<text{named} x="{x:g}" y="{y:g}">{escape(_short(text))}</text>'


def _edge(edge: Edge, points: Sequence[tuple[float, float]]) -> str:
    (x, y), *rest = points
    path = [f"M{x:g} {y:g}"]
    for to_x, to_y in rest:
        if to_y == y:
            path.append(f"H{to_x:g}")
        else:
            middle = round((x + to_x) / 2, 1)
            path.append(f"C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}")
        x, y = to_x, to_y
    return f'<path class="edge {edge.line}" d="{"".join(path)}" marker-end="url(#anabranch-tip)"/>'


def _legend(picture: Picture, y: float) -> Iterator[str]:
    """Yield what the colours mean, as far as they occur."""
    x = MARGIN
    used = {node.tone or node.badge or "unknown" for node in picture.nodes if node.shape is Shape.DATASET}
    for stage in ("raw", "cleaned", "final", "unknown", *TONES):
        if stage in used:
            yield f'<g class="{stage}"><rect x="{x:g}" y="{y - 9:g}" width="18" height="11" rx="5.5"/></g>'
            yield f'<text class="legend" x="{x + 24:g}" y="{y:g}">{stage}</text>'
            x += 24 + len(stage) * SMALL_CHAR + 20
    lines = {edge.line.value for edge in picture.edges}
    for line, label in (("value", "value"), ("after", "order only")):
        if line in lines:
            yield f'<path class="edge {line}" d="M{x:g} {y - 3.5:g}h22"/>'
            yield f'<text class="legend" x="{x + 28:g}" y="{y:g}">{label}</text>'
            x += 28 + len(label) * SMALL_CHAR + 20


def _style() -> str:
    mono = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
    rules = [
        f".anabranch text{{font:12px {mono}}}",
        ".anabranch .title{font-size:15px;font-weight:600}",
        ".anabranch .small,.anabranch .on-badge,.anabranch .legend{font-size:10px}",
        ".anabranch .edge{fill:none;stroke-width:1.4}",
        ".anabranch .value{stroke-dasharray:6 3}.anabranch .after{stroke-dasharray:2 3}",
        ".anabranch .on-badge{fill:#fff!important}",
        ".anabranch .badge{stroke:none!important}",
        *(f".anabranch .badge.{kind}{{fill:{colour}!important}}" for kind, colour in KINDS.items()),
        ".anabranch .badge.count{fill:#56616f!important}",
        *_colours(LIGHT, "#ffffff", "#1b2430", "#8b95a5", "#eef1f6"),
        "@media(prefers-color-scheme:dark){",
        *_colours(DARK, "#11161d", "#e8edf4", "#7a8699", "#2a3342"),
        "}",
    ]
    return "".join(rules)


def _colours(palette: dict[str, tuple[str, str, str]], paper: str, ink: str, line: str, part: str) -> Iterator[str]:
    yield f".anabranch .paper{{fill:{paper}}}.anabranch .title,.anabranch .legend{{fill:{ink}}}"
    yield f".anabranch .edge{{stroke:{line}}}.anabranch .tip{{fill:{line}}}"
    for name, (fill, stroke, text) in palette.items():
        yield f".anabranch .{name} rect{{fill:{fill};stroke:{stroke}}}.anabranch .{name} text{{fill:{text}}}"
    yield f".anabranch rect.part{{fill:{part}!important;stroke:none!important}}"


def _text_width(text: str) -> float:
    return width(text) * CHAR


def _short(text: str) -> str:
    """Return the text, its middle left out where it is long."""
    text = _clean(text)
    if len(text) <= LONGEST:
        return text
    half = (LONGEST - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _clean(text: str) -> str:
    """Return the text without the characters that XML cannot hold."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _attribute(text: str) -> str:
    return escape(_clean(text), {'"': "&quot;"})
