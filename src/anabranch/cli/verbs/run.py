"""`anabranch run`: a pipeline, or some of its steps, on this machine."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, PIPELINE, Face, pick, verb
from anabranch.cli.progress.drive import drive, drive_elsewhere
from anabranch.model.errors import AnabranchError, UsageError

if TYPE_CHECKING:
    from anabranch.app import Project
    from anabranch.model.pipeline import Json, Pipeline


@click.command("run", short_help="Run a pipeline, or some of its steps, on this machine.")
@PIPELINE
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="A param of the pipeline.")
@click.option("--input", "given", metavar="JSON|@FILE|-", help="The input of the first step: JSON, a file, or stdin.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Steps at a time; by default one a core.")
@click.option("--only", multiple=True, metavar="STEP", help="Run these steps alone.")
@click.option("--from", "start", multiple=True, metavar="STEP", help="Run these and everything downstream.")
@click.option("--to", "end", multiple=True, metavar="STEP", help="Run these and everything upstream.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait so long for another run of the pipeline to end, instead of exit 7 at once.",
)
@ELSEWHERE
@verb("run")
def run_command(  # noqa: PLR0917 - one parameter for each option
    face: Face,
    pipeline: str | None,
    params: tuple[str, ...],
    given: str | None,
    jobs: int | None,
    only: tuple[str, ...],
    start: tuple[str, ...],
    end: tuple[str, ...],
    wait: float,
    environment: str | None,
) -> int:
    """Run PIPELINE on this machine; it may be left out when the project has only one.

    A line for each step goes to stderr as it ends, the result to stdout. When a step fails, what depends on it is
    skipped, everything else still runs, and the last line is the command to retry. Branches of the kind e2e run after
    it. With -e ENV the deployed pipeline runs there, all of it, and is followed from here. Exit code 4 when a step
    failed, 5 when only contracts were broken, 7 when another run of the pipeline is in the way.
    """
    values, input_value = read_params(params), read_input(given)
    project = face.project()
    chosen = pick(project, pipeline)
    if environment:
        if jobs or only or start or end:
            message = "a run elsewhere is of the whole pipeline"
            hint = "leave out --only, --from, --to and --jobs"
            raise UsageError(message, code="whole-pipeline", hint=hint)
        face.environment = environment
        return drive_elsewhere(
            face,
            project,
            chosen,
            lambda runs, reporter, said: runs.run(chosen, values, input_value, reporter, said=said),
        )
    code = drive(
        face,
        project,
        chosen,
        lambda reporter: project.run(
            chosen.name,
            params=values,
            input=input_value,
            jobs=jobs,
            only=only,
            start=start,
            end=end,
            reporter=reporter,
            wait=wait,
        ),
    )
    if code == 0:
        _run_again(face, project, chosen, jobs)
    return code


def _run_again(face: Face, project: Project, pipeline: Pipeline, jobs: int | None) -> None:
    """Run the branches that follow main. How they end is told, and is no failure of main's."""
    for branch in project.branches.due(pipeline.name):
        face.note(f"branch {branch.name} follows main:")
        again = partial(project.branches.run, branch.name, rebase=True, jobs=jobs)
        told = Face("branch run", face.json, face.directory)
        nothing = f"branch {branch.name}: no step differs from main, so there is nothing to run"
        storage = project.branches.root(branch)
        try:
            drive(told, project, pipeline, lambda reporter: again(reporter=reporter), storage=storage, nothing=nothing)  # noqa: B023 - it is called at once
        except AnabranchError as error:
            face.note(f"branch {branch.name} could not run: {error.message}")


def read_params(words: tuple[str, ...]) -> dict[str, str]:
    """Return params by name.

    Raises:
        UsageError: `bad-param`, a word without `=`, or a name given twice.

    >>> read_params(("day=2013-01-05", "note=a=b"))
    {'day': '2013-01-05', 'note': 'a=b'}
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(
                f"-p {word}: a param is given as NAME=VALUE", code="bad-param", hint=f"-p {name or 'name'}=value"
            )
        if name in found:
            raise UsageError(f"-p {name} is given twice", code="bad-param", hint="give it once")
        found[name] = value
    return found


def read_input(text: str | None) -> Json:
    """Return the JSON that `--input` means.

    Raises:
        UsageError: `bad-input`, no JSON, or a file that cannot be read.
    """
    if text is None:
        return None
    source, body = "--input", text
    if text == "-":
        source, body = "stdin", sys.stdin.read()
    elif text.startswith("@"):
        source, body = text[1:], _read(text[1:])
    try:
        value: Json = json.loads(body)
    except ValueError as error:
        hint = "quote it for the shell: --input '{\"key\": 1}', or name a file: --input @event.json"
        raise UsageError(f"{source} is not JSON: {error}", code="bad-input", hint=hint) from error
    return value


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"--input @{file}: {reason}", code="bad-input", hint="name a JSON file after @") from error
