"""A picture as a Mermaid flowchart, which GitHub and GitLab draw. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.show.graph.picture import Line, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.show.graph.picture import Node, Picture

ARROWS = {Line.DATA: "-->", Line.VALUE: "-.->", Line.AFTER: "-.-o"}
CLASSES = {
    "raw": "fill:#fdf0d5,stroke:#d9a441,color:#6b4a08",
    "cleaned": "fill:#dcedfb,stroke:#5b9fd6,color:#114a78",
    "final": "fill:#dff3e3,stroke:#57ab6b,color:#17562a",
}


def mermaid(picture: Picture) -> str:
    """Return the picture as a flowchart."""
    names = {node.id: f"n{i}" for i, node in enumerate(picture.nodes)}
    lines = ["flowchart LR"]
    for node in picture.nodes:
        lines.extend(f"  {line}" for line in _node(names[node.id], node))
    lines.extend(f"  {names[edge.source]} {ARROWS[edge.line]} {names[edge.target]}" for edge in picture.edges)
    for stage, style in CLASSES.items():
        members = [names[node.id] for node in picture.nodes if node.shape is Shape.DATASET and node.badge == stage]
        if members:
            lines += [f"  classDef {stage} {style}", f"  class {','.join(members)} {stage}"]
    return "\n".join(lines) + "\n"


def _node(name: str, node: Node) -> Iterator[str]:
    label = quoted(node.label)
    if node.shape is Shape.DATASET:
        yield f'{name}(["{label}"])'
    elif node.parts:
        yield f'subgraph {name}["{label} · {quoted(node.badge)}"]'
        yield from (f'  {name}_{i}["{quoted(part)}"]' for i, part in enumerate(node.parts))
        yield "end"
    else:
        yield f'{name}["{label} · {quoted(node.badge)}"]'


def quoted(text: str) -> str:
    r"""Return the text with what Mermaid would read as markup written as entities.

    >>> quoted('a "b" <c>')
    'a #quot;b#quot; #lt;c#gt;'
    """
    for char, entity in (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(char, entity)
    return "".join(char if char.isprintable() else " " for char in text)
