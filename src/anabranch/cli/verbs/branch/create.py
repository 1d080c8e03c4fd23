"""`anabranch branch create`: carve a branch; nothing is copied and nothing is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.table import table
from anabranch.cli.verbs.branch.words import reason_rows, until
from anabranch.model.branch import BranchKind
from anabranch.model.errors import UsageError
from anabranch.show import shapes
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app import Project
    from anabranch.model.branch import Branch


@click.command("create", short_help="Carve a branch at the steps that changed; nothing is copied.")
@click.argument("name", required=False)
@click.option("--pipeline", metavar="NAME", help="What to carve, where the project has several.")
@click.option("--at", multiple=True, metavar="STEP", help="Redo this step and all downstream; may be repeated.")
@click.option("--skip", multiple=True, metavar="STEP", help="Leave this step out, and what needs its output.")
@click.option("--from-git", is_flag=True, help="Name it after the git branch; update it if it is there. For CI.")
@click.option("--kind", type=click.Choice([kind.value for kind in BranchKind]), default="research", show_default=True)
@click.option("--sample", metavar="5%|rows=N", help="See only these of main's keys; joins still meet.")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Live so long after its last use; 14."
)
@click.option("--base", default="main", metavar="NAME", help="What it is carved from: main, and nothing else.")
@ELSEWHERE
@verb("branch create")
def create_command(  # noqa: PLR0917 - one parameter for each option
    face: Face,
    name: str | None,
    pipeline: str | None,
    at: tuple[str, ...],
    skip: tuple[str, ...],
    from_git: bool,
    kind: str,
    sample: str | None,
    days: float | None,
    base: str,
    environment: str | None,
) -> int:
    """Carve the branch NAME at the steps named with --at, or at those that differ from main's last run.

    These steps and everything downstream are the branch; the rest is read from main. Only a record is written: no
    data is copied, and nothing runs before `branch run`.
    """
    if base != "main":
        message = f"a branch of branch `{base}` is not possible: what it read would not be main's"
        raise UsageError(message, code="branch-of-branch", hint="carve from main with both changes in the code")
    if (name is None) != from_git:
        raise UsageError("give a NAME, or --from-git", code="which-branch", hint="anabranch branch create my-change")
    from anabranch.branch.sampling import parse

    project = face.project(environment)
    rate = parse(sample) if sample else None
    made = project.branches.create(
        name or "", pipeline, at=at, skip=skip, kind=BranchKind(kind), sample=rate, days=days, from_git=from_git
    )
    face.result({"branch": shapes.branch(made)}, lambda: lines(face, project, made))
    return 0


def lines(face: Face, project: Project, made: Branch) -> Iterator[str]:
    """Yield what was made, and what comes next."""
    out = face.out
    count, total = len(made.steps), len(project.pipeline(made.pipeline).steps)
    head = f"branch {out.paint(made.name, 'bold')} of {made.pipeline}: "
    if not made.reasons:
        yield head + "no step differs from main's last run, so there is nothing to run"
        return
    yield f"{out.paint('✓', 'green')} {head}{count:,} of {plural(total, 'step')}, no data copied"
    yield from table(("", "", ""), reason_rows(made), terminal=out, indent="  ")
    yield f"lives until {until(made)}; each use renews it"
    yield f"next: {face.command('branch', 'run', made.name)}"
