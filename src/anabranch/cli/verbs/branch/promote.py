"""`anabranch branch promote`: main takes what the branch made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, confirm, verb
from anabranch.cli.table import Cell, table
from anabranch.cli.verbs.branch.words import short
from anabranch.show import shapes
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app.branches.promote import Preview
    from anabranch.model.branch import Branch


@click.command("promote", short_help="Take its outputs into main, or take that back.")
@click.argument("name")
@click.option("--undo", is_flag=True, help="Give main back what the last promotion replaced.")
@click.option("--plan", "preview", is_flag=True, help="Only say what would change, and what stands in the way.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@ELSEWHERE
@verb("branch promote")
def promote_command(face: Face, name: str, undo: bool, preview: bool, yes: bool, environment: str | None) -> None:
    """Take the outputs of the branch NAME into main without a rerun, once its code is merged.

    Only if the project's code, main's inputs and main's outputs are still those that the branch ran with and that
    `branch deltas` showed. Otherwise nothing changes, what differs is said, and the exit code is 7. Until the branch is
    dropped, --undo takes it back.
    """
    project = face.project(environment)
    branch = project.branches.find(name)
    if preview:
        planned = project.branches.preview_promote(name)
        told = [{"dataset": each, "before": before, "after": after} for each, before, after in planned.datasets]
        shape = {"branch": name, "datasets": told, "obstacles": list(planned.obstacles)}
        face.result(shape, lambda: _planned(face, planned))
        return
    what = f"give {branch.pipeline} back what it had before" if undo else f"replace main's outputs of {branch.pipeline}"
    confirm(f"{what} (branch {name})?", yes=yes)
    branch = project.branches.undo(name) if undo else project.branches.promote(name)
    changed = branch.promotion.datasets if branch.promotion else ()
    face.result(
        {
            "branch": shapes.branch(branch),
            "undone": undo,
            "promoted": [{"dataset": name, "before": before, "after": after} for name, before, after in changed],
        },
        lambda: lines(face, branch, undo=undo),
    )


def _planned(face: Face, planned: Preview) -> Iterator[str]:
    yield f"main would take {plural(len(planned.datasets), 'dataset')}:"
    rows: list[list[str | Cell]] = [
        [Cell(name, ("bold",)), Cell(short(before) or "new", ("dim",)), face.out.marks.arrow, short(after)]
        for name, before, after in planned.datasets
    ]
    yield from table(("", "", "", ""), rows, terminal=face.out, indent="  ")
    for each in planned.obstacles:
        yield face.out.paint(f"stands in the way: {each}", "red")


def lines(face: Face, branch: Branch, *, undo: bool) -> Iterator[str]:
    """Yield what main has now."""
    changed = branch.promotion.datasets if branch.promotion else ()
    count = plural(len(changed), "dataset")
    done = f"main has its own {count} back" if undo else f"main took {count} from branch {branch.name}"
    yield f"{face.out.paint(face.out.marks.ok, 'green')} {done}"
    rows: list[list[str | Cell]] = [
        [
            Cell(name, ("bold",)),
            Cell(short(after if undo else before) or "new", ("dim",)),
            face.out.marks.arrow,
            short(before if undo else after) or "gone",
        ]
        for name, before, after in changed
    ]
    yield from table(("", "", "", ""), rows, terminal=face.out, indent="  ")
    if not undo:
        yield f"take it back, until the branch is dropped: {face.command('branch', 'promote', branch.name, '--undo')}"
