"""`anabranch runs list`: newest first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.progress.summary import VERDICTS
from anabranch.cli.table import Cell, table
from anabranch.model.branch import MAIN
from anabranch.model.run import StepState
from anabranch.model.summary import summarise
from anabranch.show import shapes
from anabranch.show.human import ago, clock, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.app import Project
    from anabranch.cli.terminal import Terminal
    from anabranch.model.summary import Summary

HEADERS = ("run", "pipeline", "branch", "state", "started", "", "took", "ok", "failed", "skipped", "retries")


@click.command("list", short_help="List runs, newest first.")
@click.option("--pipeline", metavar="NAME", help="Only runs of this pipeline.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=25, show_default=True, help="At most so many.")
@ELSEWHERE
@verb("runs list")
def list_command(face: Face, pipeline: str | None, limit: int, environment: str | None) -> None:
    """List runs, newest first. A run whose process is gone is `dead`."""
    project = face.project()
    if environment:
        face.environment = environment
        runs: Sequence[Summary] = [summarise(run) for run in project.remote(environment).newest(pipeline, limit)]
    else:
        runs = _here(project, pipeline, limit)
    face.result(
        {"runs": [shapes.summary(run) for run in runs]},
        lambda: lines(runs, face.out, time.time()) if runs else ["no run yet; start one: " + face.command("run")],
    )


def _here(project: Project, pipeline: str | None, limit: int) -> Sequence[Summary]:
    runs = project.runs.summaries.newest(pipeline, limit=limit)
    if pipeline is not None and not runs:
        project.pipeline(pipeline)
    return runs


def lines(runs: Sequence[Summary], out: Terminal, now: float) -> Iterator[str]:
    """Yield the table."""
    return table(HEADERS, [_row(run, now) for run in runs], right=[6, 7, 8, 9], terminal=out)


def _row(run: Summary, now: float) -> list[str | Cell]:
    failed, skipped = (run.counts.get(state, 0) for state in (StepState.FAILED, StepState.SKIPPED))
    return [
        Cell(run.id, ("bold",)),
        run.pipeline,
        "" if run.namespace == MAIN else run.namespace,
        Cell(run.state.value, (VERDICTS[run.state][2],)),
        clock(run.started_at),
        Cell(ago(run.started_at, now), ("dim",)),
        seconds(run.seconds) if run.ended_at is not None else "",
        f"{run.ok:,}",
        Cell(f"{failed:,}" if failed else "", ("red",)),
        Cell(f"{skipped:,}" if skipped else "", ("yellow",)),
        run.of or "",
    ]
