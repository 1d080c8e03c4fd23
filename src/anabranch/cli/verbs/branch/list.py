"""`anabranch branch list`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.progress.summary import VERDICTS
from anabranch.cli.table import Cell, table
from anabranch.cli.verbs.branch.words import left
from anabranch.show import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.app import Project
    from anabranch.model.branch import Branch

HEADERS = ("branch", "pipeline", "kind", "steps", "sample", "last run", "promoted", "lives")


@click.command("list", short_help="List branches.")
@ELSEWHERE
@verb("branch list")
def list_command(face: Face, environment: str | None) -> None:
    """List the project's branches, by name."""
    project = face.project(environment)
    found = project.branches.all()
    empty = "no branch yet; carve one: " + face.command("branch", "create", "NAME")
    face.result(
        {"branches": [shapes.branch(branch) for branch in found]},
        lambda: lines(face, project, found) if found else [empty],
    )


def lines(face: Face, project: Project, found: Sequence[Branch]) -> Iterator[str]:
    """Yield the table."""
    now = time.time()
    rows = [
        [
            Cell(branch.name, ("bold",)),
            branch.pipeline,
            branch.kind.value,
            f"{len(branch.steps):,}",
            str(branch.sample or ""),
            _last(project, branch),
            "" if branch.promotion is None or branch.promotion.undone else "yes",
            Cell("being dropped" if branch.dropping else left(branch, now), ("dim",)),
        ]
        for branch in found
    ]
    yield from table(HEADERS, rows, right=[3], terminal=face.out)


def _last(project: Project, branch: Branch) -> Cell:
    if branch.run is None:
        return Cell("never", ("dim",))
    state = project.runs.run(branch.run).state
    return Cell(state.value, (VERDICTS[state][2],))
