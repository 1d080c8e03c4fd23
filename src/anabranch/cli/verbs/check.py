"""`anabranch check`: every mistake at once, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import PIPELINE, Face, pick, root_of, verb
from anabranch.model.errors import Diagnostic, InvalidProject, Severity
from anabranch.show import shapes
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app import Project


@click.command("check", short_help="Find every mistake before anything runs.")
@PIPELINE
@click.option("-e", "--environment", metavar="ENV", help="Look too at what this environment cannot do.")
@verb("check")
def check_command(face: Face, pipeline: str | None, environment: str | None) -> int:
    """Find every mistake of PIPELINE, or of the whole project, before anything runs.

    Cycles, unknown names, two writers of one dataset, mismatched types, missing columns, bad cron expressions: all at
    once, each with its place and one thing to try. Exit code 3 when there is an error; warnings alone are fine. With
    -e, what ENV cannot do is found too, and ENV is asked whether all is there that the project needs of it.
    """
    project: Project | None = None
    try:
        project = face.project()
        if pipeline is not None:
            pick(project, pipeline)
        found = project.deployment(environment).preflight(pipeline) if environment else project.check(pipeline)
    except InvalidProject as error:
        found = error.diagnostics
    return tell(face, found, project, pipeline)


def tell(face: Face, found: tuple[Diagnostic, ...], project: Project | None, pipeline: str | None) -> int:
    """Write the findings, and return the exit code that they mean."""
    ok = not any(item.severity is Severity.ERROR for item in found)
    names = [pipeline] if pipeline else sorted(project.pipelines) if project else []
    datasets = len(project.datasets) if project else 0

    def lines() -> Iterator[str]:
        from anabranch.cli import failure

        yield from failure.lines(found, face.out, root_of(face.directory))
        if found:
            yield failure.counted(found)
        if ok:
            size = f"{plural(_steps(project, names), 'step')}, {plural(datasets, 'dataset')}"
            said = f"{', '.join(names)}: no mistakes ({size})"
            yield face.out.paint(f"{face.out.marks.ok} {said}", "green")

    face.result({"ok": ok, **shapes.findings(found), "pipelines": names, "datasets": datasets}, lines)
    return 0 if ok else InvalidProject.exit_code


def _steps(project: Project | None, names: list[str]) -> int:
    return sum(len(project.pipelines[name].steps) for name in names) if project else 0
