"""`anabranch plan`: what apply would do."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anabranch.cli import changes
from anabranch.cli.face import ENVIRONMENT, VERSION, Face, verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.plan import Plan

TARGET = click.option("--target", multiple=True, metavar="ADDRESS", help="Only this, and what it depends on.")


@click.command("plan", short_help="Show what apply would change in an environment, and why.")
@ENVIRONMENT
@TARGET
@click.option("--out", "file", type=click.Path(path_type=Path), metavar="FILE", help="Keep it, for apply FILE.")
@click.option("--exit-code", is_flag=True, help="Exit with 6 when there is something to change.")
@verb("plan")
def plan_command(face: Face, environment: str, target: tuple[str, ...], file: Path | None, exit_code: bool) -> int:
    """Compare what the project says with what is deployed and with what the last apply left; change nothing.

    What somebody else changed since is shown as such. A plan that is kept is refused by apply once anything it was
    made from has changed, and once it has been applied.
    """
    made = face.project().deployment(environment).plan(target)
    told = changes.shape(made)
    if file is not None:
        kept = json.dumps({"anabranch plan": VERSION, "target": target, "plan": told})
        file.write_text(f"{kept}\n", encoding="utf-8")
    face.result({"plan": told}, lambda: _lines(face, made, file))
    return 6 if exit_code and made.changes else 0


def _lines(face: Face, made: Plan, file: Path | None) -> Iterator[str]:
    yield from changes.lines(made, face.out)
    if file is not None:
        yield f"{face.out.marks.ok} kept in {file}: anabranch apply {shlex.quote(str(file))}"
