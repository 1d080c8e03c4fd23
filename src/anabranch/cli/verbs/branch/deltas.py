"""`anabranch branch deltas`: what the branch changed in the data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.progress.drive import reporter_for
from anabranch.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.app import Project
    from anabranch.model.delta import Report
    from anabranch.model.run import Recorded
    from anabranch.ports import Reporter

DIFFERENCES = 6
"""The exit code when `--exit-code` finds differences, or a rule fails."""


@click.command("deltas", short_help="Compare what it made with main, on the same inputs.")
@click.argument("name")
@click.option("--html", metavar="FILE", help="Write one page that needs nothing else.")
@click.option("--markdown", metavar="FILE", help="Write Markdown, for a pull request; `-` is stdout.")
@click.option("--no-rows", is_flag=True, help="Leave values of the data out of the Markdown.")
@click.option("--exit-code", "strict", is_flag=True, help="Exit with 6 when anything differs.")
@click.option("--fail-on", "rules", multiple=True, metavar="RULE", help="Exit with 6 when 'rows_removed > 0' or such.")
@click.option(
    "--control",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Run main's code on the branch's inputs: where it is needed; twice, to see noise; or never.",
)
@click.option("--tolerance", multiple=True, metavar="COLUMN=N", help="How far numbers of a column may differ.")
@click.option("--set", "sets", multiple=True, metavar="COLUMN", help="A list column whose order means nothing.")
@click.option("--samples", type=click.IntRange(0, 100), default=5, show_default=True, help="Examples of each kind.")
@click.option("--profile", is_flag=True, help="Look at every column, however large the table.")
@ELSEWHERE
@verb("branch deltas")
def deltas_command(  # noqa: PLR0917 - one parameter for each option
    face: Face,
    name: str,
    html: str | None,
    markdown: str | None,
    no_rows: bool,
    strict: bool,
    rules: tuple[str, ...],
    control: str,
    tolerance: tuple[str, ...],
    sets: tuple[str, ...],
    samples: int,
    profile: bool,
    environment: str | None,
) -> int:
    """Compare every dataset that the branch NAME wrote with main's, of the same inputs.

    Where main's output is of other inputs, main's code runs on the branch's first, below the branch's root. What
    differs between two runs of main's code is told as noise. Exit code 6 with --exit-code or --fail-on.
    """
    from anabranch.app.branches.deltas import Asked
    from anabranch.deltas.rules import failed, validate

    validate(rules)  # what is wrong is told before anything runs
    project = face.project(environment)
    asked = Asked(control, _tolerances(tolerance), sets, samples, profile)
    branch = project.branches.find(name)
    reporter = None if face.json else _Controls(face, reporter_for(face, project.pipeline(branch.pipeline)))
    try:
        report = project.branches.deltas(name, asked, reporter=reporter)
    finally:
        if reporter is not None:
            reporter.close()
    broken = failed(rules, report.datasets)
    written = list(_write(face, project, report, html, markdown, rows=not no_rows))
    if markdown != "-":
        data = {"report": {**asdict(report), "differs": report.differs}, "failed_rules": list(broken)}
        face.result(data, lambda: _lines(face, report, broken, written))
    return DIFFERENCES if broken or (strict and report.differs) else 0


def _lines(face: Face, report: Report, broken: Sequence[str], written: Sequence[str]) -> Iterator[str]:
    from anabranch.cli.deltas import lines

    yield from lines(report, face.out)
    yield from ([""] if broken or written else [])
    for rule in broken:
        yield face.out.paint(f"fails on: {rule}", "red")
    yield from written


def _write(
    face: Face, project: Project, report: Report, html: str | None, markdown: str | None, *, rows: bool
) -> Iterator[str]:
    """Write the files that are asked for; yield where."""
    if html is not None:
        from anabranch.show.report.page import page

        _save(html, page(report, project.pipeline(report.pipeline)))
        yield f"written: {face.near(str(Path(html).absolute()))}"
    if markdown is not None:
        from anabranch.show.report.markdown import markdown as as_markdown

        text = as_markdown(report, rows=rows)
        if markdown == "-":
            click.echo(text, nl=False)
        else:
            _save(markdown, text)
            yield f"written: {face.near(str(Path(markdown).absolute()))}"


def _save(name: str, text: str) -> None:
    path = Path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {error.strerror}", code="bad-file", hint="another name") from error


def _tolerances(words: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for word in words:
        name, _, number = word.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if not name or not 0 <= found[name] < float("inf"):
            hint = "--tolerance amount=0.01, or --tolerance sales.amount=0.01"
            raise UsageError(f"--tolerance {word}: not a column and a number", code="bad-tolerance", hint=hint)
    return found


class _Controls:
    """Says that a control runs, before its steps are shown."""

    def __init__(self, face: Face, inner: Reporter) -> None:
        self._face, self._inner = face, inner
        self._runs: set[str] = set()

    def report(self, recorded: Recorded) -> None:
        if recorded.run not in self._runs:
            self._runs.add(recorded.run)
            self._face.note("control: main's code on the branch's inputs")
        self._inner.report(recorded)

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()
