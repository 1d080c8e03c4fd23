"""`anabranch runs retry`: run again what a run did not finish, and reuse the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.progress.drive import drive, drive_elsewhere
from anabranch.cli.progress.summary import changed_files, names
from anabranch.cli.table import Cell, table
from anabranch.model.errors import UsageError
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app.retry import Retry
    from anabranch.cli.terminal import Terminal

MOST_LINES = 60
"""A longer diff is only counted."""


@click.command("retry", short_help="Run again what a run did not finish; reuse the rest.")
@click.argument("run", default="last")
@click.option("--from", "start", multiple=True, metavar="STEP", help="Rerun these and everything downstream, too.")
@click.option("--all", "everything", is_flag=True, help="Rerun every step.")
@click.option("--plan", "preview", is_flag=True, help="Only say what would rerun, and what would be reused.")
@click.option(
    "--code",
    type=click.Choice(["current", "same"]),
    default="current",
    show_default=True,
    help="The code as it is now, or the same as the run had.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Steps at a time; by default one a core.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Wait so long for another run to end."
)
@ELSEWHERE
@verb("runs retry")
def retry_command(  # noqa: PLR0917 - one parameter for each option
    face: Face,
    run: str,
    start: tuple[str, ...],
    everything: bool,
    preview: bool,
    code: Literal["current", "same"],
    jobs: int | None,
    wait: float,
    environment: str | None,
) -> int:
    """Run again what RUN did not finish, with the code as it is now, and reuse what it did.

    RUN is an id, a unique prefix of one, or `last`, which is also the default. How the code changed since is shown
    first. It becomes a run of its own, with the same params and input. With -e ENV the run itself goes on there, with
    the code that is deployed now.
    """
    project = face.project()
    if environment:
        if code == "same":
            message = "what runs elsewhere is what is deployed there now"
            hint = "leave out --code, or deploy the earlier code first"
            raise UsageError(message, code="current-code", hint=hint)
        if preview or everything:
            message, hint = "a retry elsewhere knows --from only", "leave out --plan and --all"
            raise UsageError(message, code="retry-here", hint=hint)
        face.environment = environment
        pipeline, found = project.remote(environment).find(run)
        return drive_elsewhere(
            face, project, pipeline, lambda runs, reporter, said: runs.retry(found.id, start, reporter, said)
        )
    earlier = project.runs.resolve(run)
    if preview:
        planned = project.preview_retry(earlier, start=start, everything=everything, code=code)
        diff = project.code_diff(earlier) if code == "current" else ""
        face.result(_shape(earlier, code, planned, diff), lambda: _lines(face, earlier, planned, diff))
        return 0
    preface = changes(project.code_diff(earlier), earlier, face.err) if code == "current" and not face.json else ()
    return drive(
        face,
        project,
        project.runs.definition(earlier),
        lambda reporter: project.retry(
            earlier, start=start, everything=everything, code=code, jobs=jobs, reporter=reporter, wait=wait
        ),
        preface,
    )


def _shape(run: str, code: str, planned: Retry, diff: str) -> dict[str, object]:
    reused = {step: of for step, (of, _) in planned.plan.reused.items()}
    return {
        "run": run,
        "code": code,
        "reruns": [{"step": step, "why": why} for step, why in planned.why.items()],
        "reused": [{"step": step, "of": of} for step, of in sorted(reused.items())],
        "params": dict(planned.plan.params),
        "code_diff": diff,
    }


def _lines(face: Face, run: str, planned: Retry, diff: str) -> Iterator[str]:
    yield from changes(diff, run, face.out)
    yield f"{plural(len(planned.why), 'step')} would run again:"
    yield from table(("", ""), [(Cell(step, ("bold",)), why) for step, why in planned.why.items()], indent="  ")
    yield f"{len(planned.plan.reused):,} would be reused" + (
        f": {names(sorted(planned.plan.reused))}" if planned.plan.reused else ""
    )


def changes(diff: str, run: str, out: Terminal) -> Iterator[str]:
    """Yield how the code changed: the diff, or of a long one what it touches.

    >>> from anabranch.cli.terminal import Terminal
    >>> list(changes("", "7f3a9c2k", Terminal()))
    ['code: the same as in run 7f3a9c2k']
    """
    lines = diff.splitlines()
    if not diff.strip():
        yield f"code: the same as in run {run}"
        return
    files = changed_files(diff)
    added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    removed = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    yield f"code: {plural(len(files), 'file')} changed since run {run} (+{added:,} -{removed:,}): {names(files)}"
    if len(lines) <= MOST_LINES:
        yield from (f"  {_painted(line, out)}".rstrip() for line in lines)


def _painted(line: str, out: Terminal) -> str:
    if line.startswith(("+++", "---")):
        return out.paint(line, "bold")
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return out.paint(line, colour) if colour else line
