"""Deltas in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.cli.table import Cell, table
from anabranch.model.delta import Status, Verdict
from anabranch.show.report import words
from anabranch.show.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.cli.terminal import Terminal
    from anabranch.model.delta import ColumnDelta, DatasetDelta, Report

COLOURS = {"same": "green", "changed": "red", "noise": "magenta", "unsure": "yellow"}
EXAMPLES = 3
COLUMNS = 12
WIDE = 150
"""Characters of a row."""


def lines(report: Report, out: Terminal) -> Iterator[str]:
    """Yield the whole report."""
    yield f"{out.paint(report.branch, 'bold')} of {report.pipeline}{words.run_of(report)}: {words.headline(report)}"
    for name in report.stale:
        yield out.paint(f"STALE: main's {name} has moved on since the branch read it; branch run --rebase", "yellow")
    for name in report.floating:
        yield out.paint(f"FLOATING: {name} has no version, so it may have changed in between", "yellow")
    if report.sample:
        yield f"on a sample of main ({report.sample}), and so is what it is compared with"
    yield from report.notes
    for breach in report.breaches:
        yield out.paint(f"CONTRACT: {printable(breach)}", "red")
    controlled = sorted({each.why for each in report.bases if each.of == "control"})
    if controlled:
        why = "; ".join(filter(None, controlled)) or "as asked"
        yield f"compared with a control, main's code on the branch's inputs: {why}"
    yield ""
    rows: list[list[str | Cell]] = [
        [
            Cell(delta.verdict.value, (COLOURS[words.TONE[delta.verdict]],)),
            Cell(delta.dataset, ("bold",)),
            words.rows(delta),
            Cell(words.matched(delta), ("dim",)),
        ]
        for delta in report.datasets
    ]
    yield from table(("", "", "", ""), rows, terminal=out)
    for delta in report.datasets:
        if delta.verdict is not Verdict.IDENTICAL and (words.interesting(delta) or delta.notes or delta.added_rows):
            yield ""
            yield from _dataset(delta, out)


def _dataset(delta: DatasetDelta, out: Terminal) -> Iterator[str]:
    yield out.paint(delta.dataset, "bold")
    columns = words.interesting(delta)
    for column in columns[:COLUMNS]:
        yield from _column(column, delta, out)
    if len(columns) > COLUMNS:
        yield f"  and {len(columns) - COLUMNS:,} more columns: --json, or --html FILE"
    for sign, colour, some in (("+", "green", delta.added_rows), ("-", "red", delta.removed_rows)):
        for row in some[:EXAMPLES]:
            text = ", ".join(f"{name}={_value(value)}" for name, value in row)
            yield "  " + out.paint(f"{sign} {text if len(text) <= WIDE else text[: WIDE - 1] + out.marks.dots}", colour)
    for note in delta.notes:
        yield f"  {out.marks.warn} {printable(note)}"


def _column(column: ColumnDelta, delta: DatasetDelta, out: Terminal) -> Iterator[str]:
    colour = {Status.UNKNOWN: "yellow", Status.NOISE: "magenta", Status.SAME: "dim"}.get(column.status, "red")
    numbers = [f"{what} {a} → {b}" for what, a, b in words.profile(column, delta.before, delta.after)]
    rest = "  ".join([words.types(column), *numbers[:3]])
    name, told = out.paint(printable(column.name), "bold"), out.paint(words.told(column), colour)
    yield f"  {name}  {told}  {out.paint(rest, 'dim')}"
    for cell in column.examples[:EXAMPLES]:
        key = ", ".join(f"{name}={_value(value)}" for name, value in cell.key)
        yield f"    {key}: {_value(words.brief(cell.before))} {out.marks.arrow} {_value(words.brief(cell.after))}"


def _value(value: str | None) -> str:
    return "null" if value is None else printable(value)
