"""`anabranch runs logs`: what steps wrote to stdout and stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, VERSION, Face, verb, write_json
from anabranch.cli.follow import follow
from anabranch.cli.followfar import follow_elsewhere
from anabranch.cli.logfile import copy, last_lines, start_of_last
from anabranch.model.errors import NotFoundError, UsageError, closest
from anabranch.model.run import StepState
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from anabranch.app.elsewhere import Elsewhere
    from anabranch.model.pipeline import StepId
    from anabranch.model.run import Run, StepRun

JSON_LINES = 1000


@click.command("logs", short_help="Print what steps wrote to stdout and stderr.")
@click.argument("run", default="last")
@click.argument("step", required=False)
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Of a retried step; by default its last.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on as the log grows, until the run ends.")
@ELSEWHERE
@verb("runs logs")
def logs_command(  # noqa: PLR0917 - one parameter for each option
    face: Face,
    run: str,
    step: str | None,
    attempt: int | None,
    tail: int | None,
    following: bool,
    environment: str | None,
) -> None:
    """Print the log of STEP in RUN. Without STEP: of the failed steps, or of all when none failed.

    RUN is an id, a unique prefix of one, or `last`, which is also the default. `--json` has the last lines only: 1,000,
    or as many as `--tail` says.
    """
    project = face.project()
    if environment:
        face.environment = environment
        there = project.at(environment)
        if following:
            runs, found = there.find(run)
            only = {each.step for each in chosen(found, step)} if step else None
            _grown(face, follow_elsewhere(runs, found, only, tail))
        else:
            _elsewhere(face, there, run, step, attempt, tail)
        return
    told = project.runs.run(project.runs.resolve(run))
    steps = chosen(told, step)
    if following:
        _grown(face, follow(project, told, {each.step for each in steps} if step else None, tail))
        return
    if attempt is not None and len(steps) != 1:
        raise UsageError(
            "--attempt needs a STEP", code="which-step", hint=face.command("runs", "logs", told.id, "STEP")
        )
    files = [(each, number, project.log_path(told.id, each.step, number)) for each, number in _attempts(steps, attempt)]
    if face.json:
        logs = [_as_json(face, each, number, path, tail) for each, number, path in files]
        face.result({"run": told.id, "logs": logs}, list)
        return
    _print(face, files, tail)


def _grown(face: Face, growing: Iterable[tuple[StepId, int, bytes]]) -> None:
    """Print whole lines of logs as they come."""
    for name, number, text in growing:
        if face.json:
            for line in text.decode(errors="replace").splitlines():
                write_json({"anabranch": VERSION, "verb": "runs logs", "step": name, "attempt": number, "line": line})
        else:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()


def _elsewhere(
    face: Face, project: Elsewhere, run: str, step: str | None, attempt: int | None, tail: int | None
) -> None:
    """Print logs that lie in an environment."""
    runs, told = project.find(run)
    logs: list[dict[str, object]] = []
    for each, number in _attempts(chosen(told, step), attempt):
        lines = runs.log(told.id, each.step, number).splitlines() if each.attempts else []
        shown = lines[len(lines) - tail :] if tail is not None and tail < len(lines) else lines
        cut = len(shown) < len(lines)
        logs.append({"step": each.step, "attempt": number, "file": None, "bytes": None, "lines": shown, "cut": cut})

    def printed() -> Iterator[str]:
        for log in logs:
            if len(logs) > 1:
                face.note(face.err.paint(f"==> {log['step']}, attempt {log['attempt']}", "bold"))
            yield from log["lines"]  # type: ignore[misc]

    face.result({"run": told.id, "logs": logs}, printed)


def chosen(run: Run, step: str | None) -> list[StepRun]:
    """Return the steps that are meant: the one named, else those that failed, else all that ran.

    Raises:
        NotFoundError: `unknown-step`.
    """
    if step is not None:
        found = next((each for each in run.steps if each.step == step), None)
        if found is None:
            hint = closest(step, [each.step for each in run.steps])
            raise NotFoundError(f"no step `{step}` in run {run.id}", code="unknown-step", hint=hint)
        return [found]
    failed = [each for each in run.steps if each.state is StepState.FAILED]
    return failed or [each for each in run.steps if each.attempts]


def _attempts(steps: Sequence[StepRun], attempt: int | None) -> list[tuple[StepRun, int]]:
    for each in steps:
        if attempt is not None and attempt > each.attempts:
            message = f"step `{each.step}` had {plural(each.attempts, 'attempt')}, not {attempt}"
            raise NotFoundError(message, code="unknown-attempt", hint="leave --attempt out for the last one")
    return [(each, attempt or max(each.attempts, 1)) for each in steps]


def _print(face: Face, files: Sequence[tuple[StepRun, int, Path]], tail: int | None) -> None:
    """Write logs to stdout, each below a title when there are several, without loading them."""
    sys.stdout.flush()
    for each, number, path in files:
        title = f"==> {each.step}, attempt {number}: {face.near(str(path))}"
        if len(files) > 1:
            face.note(face.err.paint(title, "bold"))
        if not path.is_file() or not path.stat().st_size:
            if len(files) == 1:
                face.note(_empty(face, each))
            continue
        copy(path, sys.stdout.buffer, start_of_last(path, tail) if tail is not None else 0)
        sys.stdout.buffer.flush()


def _empty(face: Face, step: StepRun) -> str:
    if step.of is not None:
        return f"reused: see {face.command('runs', 'logs', step.of, step.step)}"
    if not step.attempts:
        return f"step `{step.step}` did not run: it is {step.state}"
    return f"step `{step.step}` printed nothing"


def _as_json(face: Face, step: StepRun, number: int, path: Path, tail: int | None) -> dict[str, object]:
    most = JSON_LINES if tail is None else tail
    lines, cut = last_lines(path, most) if path.is_file() else ([], False)
    size = path.stat().st_size if path.is_file() else 0
    head = {"step": step.step, "attempt": number, "file": face.near(str(path)), "bytes": size}
    return {**head, "lines": lines, "cut": cut}
