"""`anabranch graph`: a picture of a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anabranch.cli.face import PIPELINE, Face, pick, verb
from anabranch.model.graph import levels
from anabranch.show.graph.picture import Picture, draw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.cli.terminal import Terminal
    from anabranch.model.pipeline import Pipeline

SUFFIXES = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".md": "mermaid", ".txt": "text"}


@click.command("graph", short_help="Draw a pipeline: text, Mermaid or SVG.")
@PIPELINE
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "svg"]),
    help="By default what the file's name says, else text.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@verb("graph")
def graph_command(face: Face, pipeline: str | None, form: str | None, output: str | None) -> None:
    """Draw PIPELINE: its steps and datasets, and what flows between them.

    Pipelines of more than 200 boxes are folded into groups: by inner pipeline, else by level.
    """
    chosen = pick(face.project(), pipeline)
    form = form or SUFFIXES.get(Path(output).suffix.lower() if output else "", "text")
    picture = draw(chosen)
    if output is None:
        drawn = list(render(chosen, picture, form, face.out))
        graph: object = as_json(chosen, picture) if form == "text" else "\n".join(drawn)
        data = {"pipeline": chosen.name, "format": form, "file": None, "graph": graph}
        face.result(data, lambda: drawn)
        return
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text("\n".join(render(chosen, picture, form)) + "\n", encoding="utf-8")
    face.result({"pipeline": chosen.name, "format": form, "file": output, "graph": None}, lambda: [output])


def render(pipeline: Pipeline, picture: Picture, form: str, terminal: Terminal | None = None) -> Iterable[str]:
    """Return the lines of a picture in one of the formats."""
    match form:
        case "svg":
            from anabranch.show.graph.svg import svg

            return svg(picture).splitlines()
        case "mermaid":
            from anabranch.show.graph.mermaid import mermaid

            return mermaid(picture).splitlines()
        case _:
            from anabranch.cli.drawn import text

            return text(pipeline, picture, terminal)


def as_json(pipeline: Pipeline, picture: Picture) -> dict[str, Any]:
    """Return the picture for programs."""
    return {
        "folded": picture.folded,
        "levels": [list(level) for level in levels(pipeline)],
        "nodes": [
            {
                "id": node.id,
                "shape": node.shape.value,
                "label": node.label,
                "badge": node.badge,
                "parts": list(node.parts),
            }
            for node in picture.nodes
        ],
        "edges": [{"from": edge.source, "to": edge.target, "line": edge.line.value} for edge in picture.edges],
    }
