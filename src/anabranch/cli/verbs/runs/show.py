"""`anabranch runs show`: one run, its steps, and what went wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.progress.drive import voice
from anabranch.cli.progress.summary import headline, troubles
from anabranch.cli.progress.words import brief, rows_text, total, value_text
from anabranch.cli.table import Cell, table
from anabranch.model.run import StepState
from anabranch.show import shapes
from anabranch.show.human import ago, clock, seconds, size
from anabranch.show.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app import Project
    from anabranch.cli.terminal import Terminal
    from anabranch.model.run import Run, StepRun, SubStep

HEADERS = ("step", "state", "rows", "value", "bytes", "took", "tries", "")
NOTE_WIDTH = 60
LOOKS = {
    StepState.SUCCEEDED: ("ok", "green"),
    StepState.REUSED: ("reused", "cyan"),
    StepState.FAILED: ("failed", "red"),
    StepState.SKIPPED: ("skipped", "yellow"),
    StepState.CANCELLED: ("stopped", "yellow"),
    StepState.RUNNING: ("running", "cyan"),
    StepState.RETRYING: ("again", "yellow"),
    StepState.WAITING: ("waiting", "dim"),
}
"""The mark's name and the colour of each state."""


@click.command("show", short_help="Show one run: its steps, and what went wrong.")
@click.argument("run", default="last")
@ELSEWHERE
@verb("runs show")
def show_command(face: Face, run: str, environment: str | None) -> None:
    """Show RUN: an id, a unique prefix of one, or `last`, which is also the default."""
    project = face.project()
    if environment:
        face.environment = environment
        told = project.at(environment).find(run)[1]
    else:
        told = project.runs.run(project.runs.resolve(run))
    face.result({"run": shapes.run(told)}, lambda: lines(face, project, told))


def lines(face: Face, project: Project, run: Run) -> Iterator[str]:
    """Yield the header, the steps, and what went wrong."""
    out = face.out
    yield headline(run, out)
    facts = [
        ("started", f"{clock(run.started_at)}, {ago(run.started_at, time.time())}"),
        ("params", ", ".join(f"{name}={value}" for name, value in run.params)),
        ("retries", run.of or ""),
        ("trigger", run.trigger if run.trigger != "manual" else ""),
        ("code", run.code.removeprefix("sha256:")[:12]),
    ]
    yield from table(("", ""), [(Cell(label, ("dim",)), text) for label, text in facts if text], terminal=out)
    yield ""
    rows = [row for step in run.steps for row in _rows(step, out)]
    yield from table(HEADERS, rows, right=[2, 4, 5, 6], terminal=out)
    yield from troubles(run, voice(face, project, run, out))


def _rows(step: StepRun, out: Terminal) -> Iterator[list[str | Cell]]:
    mark, colour = LOOKS[step.state]
    note = f"because of {step.because}" if step.because else ""
    if step.of:
        note = f"of run {step.of}"
    if step.failure is not None:
        note = brief(step.failure)
        note = note if len(note) <= NOTE_WIDTH else note[: NOTE_WIDTH - len(out.marks.dots)] + out.marks.dots
    yield [
        Cell(step.step, ("bold",)),
        Cell(f"{getattr(out.marks, mark)} {step.state}", (colour,)),
        rows_text(step.reads, step.writes, out.marks.arrow),
        value_text(step.value, out.marks.dots),
        size(total(step.writes, "bytes")),
        seconds(step.seconds) if step.state in {StepState.SUCCEEDED, StepState.FAILED} else "",
        str(step.attempts) if step.attempts > 1 else "",
        Cell(note, ("dim",)),
    ]
    for part in step.parts:
        yield _part(part, out)


def _part(part: SubStep, out: Terminal) -> list[str | Cell]:
    mark, colour = LOOKS[part.state]
    return [
        Cell(f"  {out.marks.waiting} {part.name}", ("dim",)),
        Cell(f"{getattr(out.marks, mark)} {part.state}", (colour,)),
        f"{part.rows:,} rows" if part.rows is not None else "",
        "",
        "",
        seconds(part.seconds),
        "",
        Cell(printable(part.message), ("dim",)),
    ]
