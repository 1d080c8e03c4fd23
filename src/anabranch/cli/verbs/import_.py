"""`anabranch import`: take over what is there."""

from __future__ import annotations

import click

from anabranch.cli.face import ENVIRONMENT, Face, verb
from anabranch.cli.verbs.apply import apply


@click.command("import", short_help="Take over an object that is there and not ours.")
@click.argument("address", nargs=-1, required=True)
@ENVIRONMENT
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@verb("import")
def import_command(face: Face, address: tuple[str, ...], environment: str, yes: bool) -> None:
    """Make the objects at ADDRESS ours, and what the project says. `plan` names them when they stand in the way."""
    apply(face, face.project().deployment(environment), yes=yes, target=address, adopt=address)
