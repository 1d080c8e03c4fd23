"""`anabranch branch run`: the steps of a branch, beside main."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.progress.drive import drive
from anabranch.cli.verbs.run import read_params

if TYPE_CHECKING:
    from anabranch.app import RunResult
    from anabranch.ports import Reporter


@click.command("run", short_help="Run its steps, on the versions of main's data that it is pinned to.")
@click.argument("name")
@click.option("--rebase", is_flag=True, help="Pin what main has now, and begin anew.")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="A param; by default as main last ran."
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Steps at a time; by default one a core.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Wait for another run of it."
)
@ELSEWHERE
@verb("branch run")
def run_command(  # noqa: PLR0917 - one parameter for each option
    face: Face,
    name: str,
    rebase: bool,
    params: tuple[str, ...],
    jobs: int | None,
    wait: float,
    environment: str | None,
) -> int:
    """Run the steps of the branch NAME with the code as it is now, below a storage of its own.

    Its first run pins the versions of main's data that it reads; later ones read the same, until --rebase. Exit code
    4 when a step failed, 5 when only contracts were broken.
    """
    project = face.project(environment)
    branch = project.branches.find(name)
    pipeline = project.pipeline(branch.pipeline)
    given = read_params(params)

    def act(reporter: Reporter) -> RunResult | None:
        return project.branches.run(name, rebase=rebase, params=given, jobs=jobs, reporter=reporter, wait=wait)

    done = f"branch {name}: no step differs from main, so there is nothing to run"
    return drive(face, project, pipeline, act, storage=project.branches.root(branch), nothing=done)
