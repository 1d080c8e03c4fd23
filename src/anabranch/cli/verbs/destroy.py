"""`anabranch destroy`: nothing left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli import changes
from anabranch.cli.face import ENVIRONMENT, Face, confirm, verb
from anabranch.model.errors import ConflictError
from anabranch.model.plan import Forget
from anabranch.show.human import plural

if TYPE_CHECKING:
    from anabranch.model.plan import Change


@click.command("destroy", short_help="Delete all that was deployed to an environment, and prove it.")
@ENVIRONMENT
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@verb("destroy")
def destroy_command(face: Face, environment: str, yes: bool) -> None:
    """Delete every object that apply made in ENV, and what runs there reported; then list what remains.

    The data stays. What was made at another place, before ENV was moved, is deleted there.

    Exit code 7 when anything could not be deleted.
    """
    deployment = face.project().deployment(environment)
    made = deployment.plan(destroy=True)
    if made.changes and not yes:
        for line in changes.lines(made, face.err):
            face.note(line)
        places = ", ".join(f"{what} {place}" for what, place in sorted(deployment.state.places().items()))
        confirm(f"delete all of this in {environment}{f' ({places})' if places else ''}?", yes=yes)
    done = deployment.destroy(lambda change: face.note(_line(change)))
    if done.left:
        message = f"{len(done.left)} objects remain in {environment}: {', '.join(done.left[:5])}"
        raise ConflictError(message, code="not-destroyed", hint="look at the rights, then destroy again")
    alone = [each.address for each in done.plan.changes if isinstance(each, Forget) and each.left]
    runs = f", and the reports of {plural(done.reports, 'run')}" if done.reports else ""
    text = f"{environment}: {plural(len(done.plan.acts), 'object')} deleted{runs}, none left; the data stays"
    if alone:
        text += f". Left alone, though apply had made it: {', '.join(alone)}"
    shape = {"plan": changes.shape(done.plan), "reports": done.reports, "left": list(done.left), "left_alone": alone}
    face.result(shape, lambda: [f"{face.out.marks.ok} {text}"])


def _line(change: Change) -> str:
    """Return what became of one object."""
    return f"= {change.address}: {change.why}" if isinstance(change, Forget) else f"- {change.address}"
