"""A pipeline as text: its steps by level, with what they read and write. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.cli.table import Cell, table
from anabranch.cli.terminal import Terminal
from anabranch.model.call import DbtCall, kind
from anabranch.model.graph import cycles, levels
from anabranch.show.graph.picture import MOST_NODES, Shape, datasets_of
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.pipeline import Pipeline, Step
    from anabranch.show.graph.picture import Picture


def text(pipeline: Pipeline, picture: Picture, terminal: Terminal | None = None) -> Iterator[str]:
    """Yield a line for each step, below the level from which on it may run; of large pipelines one for each group."""
    out = terminal or Terminal()
    datasets = {name for step in pipeline.steps for name in datasets_of(step)}
    title = out.paint(pipeline.name, "bold")
    yield f"{title}: {plural(len(pipeline.steps), 'step')}, {plural(len(datasets), 'dataset')}"
    if picture.folded:
        yield f"more than {MOST_NODES} boxes, so in groups; `anabranch steps` lists every step"
        groups = [(node.label, node.badge, node.note) for node in picture.nodes if node.shape is Shape.GROUP]
        yield from table([""] * 3, groups, right=[1], terminal=out, indent="  ")
        return
    rows: list[list[str | Cell]] = []
    for number, level in enumerate(levels(pipeline)):
        for i, step_id in enumerate(level):
            mark = Cell(str(number) if i == 0 else "", ("dim",))
            rows.extend(_rows(mark, pipeline.step_by_id[step_id], out))
    yield from table([""] * 6, rows, terminal=out, indent="  ")
    for cycle in cycles(pipeline):
        yield out.paint(f"  cycle: {f' {out.marks.arrow} '.join((*cycle, cycle[0]))}", "red")


def _rows(mark: Cell, step: Step, out: Terminal) -> Iterator[list[str | Cell]]:
    takes = [f"({source})" for port in step.takes for source in port.sources]
    reads = ", ".join([port.dataset for port in step.reads] + takes)
    writes = ", ".join(port.dataset for port in step.outputs) or ("(value)" if step.value else "")
    if step.after:
        reads = f"{reads}{'; ' if reads else ''}after {', '.join(step.after)}"
    yield [
        mark,
        Cell(step.id, ("bold",)),
        Cell(kind(step.call), ("cyan",)),
        reads,
        Cell(out.marks.arrow if writes else "", ("dim",)),
        writes,
    ]
    if isinstance(step.call, DbtCall):
        for model in step.call.models:
            yield ["", Cell(f"  {out.marks.waiting} {model}", ("dim",)), Cell("model", ("dim",)), "", "", ""]
