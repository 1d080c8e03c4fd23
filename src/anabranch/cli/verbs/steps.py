"""`anabranch steps`: what a pipeline is made of, one line a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import PIPELINE, Face, pick, root_of, verb
from anabranch.cli.table import Cell, table
from anabranch.model.call import DbtCall, kind
from anabranch.model.graph import order
from anabranch.show import shapes
from anabranch.show.human import short_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anabranch.cli.terminal import Terminal
    from anabranch.model.pipeline import Pipeline, Step

HEADERS = ("step", "kind", "reads", "", "writes", "after", "retry", "timeout", "place")


@click.command("steps", short_help="List a pipeline's steps.")
@PIPELINE
@verb("steps")
def steps_command(face: Face, pipeline: str | None) -> None:
    """List the steps of PIPELINE in an order in which they may run.

    PIPELINE may be left out when the project has only one. The models of a dbt step are listed below it.
    """
    chosen = pick(face.project(), pipeline)
    steps = in_order(chosen)
    face.result(
        {"pipeline": chosen.name, "steps": [shapes.step(step) for step in steps]},
        lambda: lines(steps, face.out, root_of(face.directory)),
    )


def in_order(pipeline: Pipeline) -> list[Step]:
    """Return the steps in an order of execution; those on a cycle come last."""
    known = pipeline.step_by_id
    ordered = order(pipeline)
    rest = [step_id for step_id in known if step_id not in set(ordered)]
    return [known[step_id] for step_id in (*ordered, *rest)]


def lines(steps: list[Step], out: Terminal, root: Path) -> Iterator[str]:
    """Yield the table."""
    return table(HEADERS, [row for step in steps for row in _rows(step, out, root)], terminal=out)


def _rows(step: Step, out: Terminal, root: Path) -> Iterator[list[str | Cell]]:
    from anabranch.cli.face import near

    reads = [port.dataset for port in step.reads] + [f"({source})" for port in step.takes for source in port.sources]
    writes = [port.dataset for port in step.outputs]
    if step.value is not None and not writes:
        writes = ["(value)"]
    yield [
        Cell(step.id, ("bold",)),
        kind(step.call),
        ", ".join(reads),
        Cell(out.marks.arrow if reads and writes else "", ("dim",)),
        ", ".join(writes),
        ", ".join(step.after),
        str(step.retry.attempts) if step.retry.attempts > 1 else "",
        short_seconds(step.timeout),
        Cell(near(str(step.place), root) if step.place else "", ("dim",)),
    ]
    if isinstance(step.call, DbtCall):
        for model in step.call.models:
            yield [
                Cell(f"  {out.marks.waiting} {model}", ("dim",)),
                Cell("model", ("dim",)),
                *[""] * (len(HEADERS) - 2),
            ]
