"""`anabranch plan`: what apply would do."""

from __future__ import annotations

import json
from pathlib import Path

import click

from anabranch.cli import changes
from anabranch.cli.face import ENVIRONMENT, VERSION, Face, verb

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
    made = face.project().deployment(environment, file).plan(target)
    told = changes.shape(made)
    if file is not None:
        file.write_text(json.dumps({"anabranch": VERSION, "target": target, "plan": told}, indent=2) + "\n")
    face.result({"plan": told}, lambda: changes.lines(made, face.out))
    return 6 if exit_code and made.changes else 0
