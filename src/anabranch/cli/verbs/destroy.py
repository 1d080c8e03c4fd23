"""`anabranch destroy`: nothing left."""

from __future__ import annotations

import click

from anabranch.cli import changes
from anabranch.cli.face import ENVIRONMENT, Face, confirm, verb
from anabranch.model.errors import ConflictError


@click.command("destroy", short_help="Delete all that was deployed to an environment, and prove it.")
@ENVIRONMENT
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@verb("destroy")
def destroy_command(face: Face, environment: str, yes: bool) -> None:
    """Delete every object that apply made in ENV; then list what remains. The data stays.

    Exit code 7 when anything could not be deleted.
    """
    deployment = face.project().deployment(environment)
    made = deployment.plan(destroy=True)
    if made.changes and not yes:
        for line in changes.lines(made, face.err):
            face.note(line)
        confirm(f"delete all of this in {environment}?", yes=yes)
    made = deployment.apply(lambda change: face.note(f"- {change.address}"), destroy=True)
    left = [each.address for each in deployment.platform.live([]).values() if each.owner == deployment.owner]
    if left:
        message = f"{len(left)} objects remain in {environment}: {', '.join(left[:5])}"
        raise ConflictError(message, code="not-destroyed", hint="look at the rights, then destroy again")
    done = f"{face.out.marks.ok} {environment}: {len(made.acts)} objects deleted, none left; the data stays"
    face.result({"plan": changes.shape(made), "left": left}, lambda: [done])
