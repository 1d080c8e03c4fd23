"""`anabranch test`: a pipeline on small given inputs, and what should come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import Face, verb
from anabranch.cli.progress.summary import exit_code
from anabranch.model.errors import ContractError, StepError
from anabranch.show import shapes
from anabranch.show.human import plural, seconds
from anabranch.show.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.app import Project, TestResult


@click.command("test", short_help="Run a pipeline's tests on small given inputs.")
@click.argument("words", nargs=-1, metavar="[PIPELINE] [NAME]...")
@verb("test")
def test_command(face: Face, words: tuple[str, ...]) -> int:
    """Run the tests NAME... of PIPELINE; without names all of them, without PIPELINE those of every pipeline.

    Each test runs in a storage of its own; no dataset of the project is touched. Exit code 4 when a step failed, 5 when
    an output is not what the test expects.
    """
    project = face.project()
    pipeline, names = meant(project, words)
    results = project.test(pipeline, names)
    face.result(
        {"ok": all(result.ok for result in results), "tests": [_shape(result) for result in results]},
        lambda: lines(face, results),
    )
    return verdict(results)


def meant(project: Project, words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Return the pipeline and the tests that are named: the first word is a test when no pipeline has that name."""
    if not words:
        return None, ()
    first, *rest = words
    tests = {case.name for pipeline in project.pipelines.values() for case in pipeline.tests}
    if first in project.pipelines or first not in tests:
        return project.pipeline(first).name, tuple(rest)
    return None, tuple(words)


def verdict(results: Sequence[TestResult]) -> int:
    """Return the exit code: that of a failed step before that of a wrong output."""
    if all(result.ok for result in results):
        return 0
    codes = {exit_code(result.run) for result in results if result.run is not None}
    return StepError.exit_code if StepError.exit_code in codes else ContractError.exit_code


def lines(face: Face, results: Sequence[TestResult]) -> Iterator[str]:
    """Yield a line for each test, and below it what differs."""
    out = face.out
    for result in results:
        mark, colour = (out.marks.ok, "green") if result.ok else (out.marks.failed, "red")
        yield f"{out.paint(mark, colour)} {result.pipeline} {result.case.name}  {seconds(result.seconds)}"
        for difference in result.differences:
            yield from (f"    {printable(line)}" for line in difference.splitlines())
        if not result.ok and result.case.place:
            yield f"    at {face.near(str(result.case.place))}"
    failed = sum(not result.ok for result in results)
    if not results:
        yield "no tests yet: add some under `tests:` in the pipeline's spec"
    else:
        told = f"{plural(len(results) - failed, 'test')} passed" + (f", {failed} failed" if failed else "")
        yield out.paint(told, "bold", "red" if failed else "green")


def _shape(result: TestResult) -> shapes.Shape:
    return {
        "pipeline": result.pipeline,
        "name": result.case.name,
        "ok": result.ok,
        "differences": list(result.differences),
        "seconds": result.seconds,
        "run": shapes.run(result.run) if result.run is not None else None,
        **shapes.place(result.case.place),
    }
