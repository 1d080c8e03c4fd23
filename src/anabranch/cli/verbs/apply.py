"""`anabranch apply`: make it so."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anabranch.cli import changes
from anabranch.cli.face import ELSEWHERE, VERSION, Face, confirm, verb
from anabranch.cli.verbs.plan import TARGET
from anabranch.deploy.plan import Saved
from anabranch.model.errors import AnabranchError, UsageError
from anabranch.model.plan import Update
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app.deploy import Deployment
    from anabranch.model.plan import Change, Plan


@click.command("apply", short_help="Make an environment what the project says.")
@click.argument("planfile", required=False, type=click.Path(path_type=Path))
@ELSEWHERE
@TARGET
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@verb("apply")
def apply_command(
    face: Face, planfile: Path | None, environment: str | None, target: tuple[str, ...], yes: bool
) -> None:
    """Plan, show the plan, and make its changes; or make those of PLANFILE, if nothing has changed since.

    Cut off at any moment, the next apply goes on from there. A second apply changes nothing. What anabranch has not
    made is never changed.
    """
    saved = None
    if planfile is not None:
        saved, environment, target = _kept(planfile, environment)
        yes = True
    if not environment:
        raise UsageError("apply needs an environment", code="which-environment", hint="-e ENV, or a plan file")
    apply(face, face.project().deployment(environment), yes=yes, saved=saved, target=target)


def apply(face: Face, deployment: Deployment, *, yes: bool, saved: Saved | None = None, **settings: object) -> Plan:
    """Plan, ask, and change; tell each change as it was made."""
    todo: list[Change] = []
    done: list[Change] = []

    def agreed(made: Plan) -> bool:
        if not yes:
            face.note(*changes.lines(made, face.err), *meanwhile(deployment, made))
            confirm(f"change {made.environment}?", yes=yes)
        todo.extend(made.changes)
        return True

    def told(change: Change) -> None:
        done.append(change)
        if not face.json:
            sign, _, colour = changes.LOOKS[type(change)]
            face.note(f"{face.err.paint(sign, colour)} {change.address}: {change.why}")

    try:
        made = deployment.apply(told, agreed, saved, **settings)
    except (AnabranchError, KeyboardInterrupt):
        if todo:
            face.note(f"made {len(done)} of {plural(len(todo), 'change')}; the next apply goes on from there")
        raise
    summary = changes.summary(made, done=True) if made.changes else "nothing to change"
    face.result(
        {"plan": changes.shape(made), "applied": True},
        lambda: [f"{face.out.marks.ok} {made.environment} is as the project says ({summary})"],
    )
    return made


def meanwhile(deployment: Deployment, made: Plan) -> Iterator[str]:
    """Yield the runs that would go on in other code; whoever cannot be asked is no reason not to change it."""
    with suppress(AnabranchError):
        if any(isinstance(change, Update) for change in made.changes):
            for run in deployment.going_on():
                yield f"run {run.id} of {run.pipeline} goes on: its next steps would be of the new code"


def _kept(file: Path, environment: str | None) -> tuple[Saved, str, tuple[str, ...]]:
    """Return what tells the plan of a file from others, its environment and its targets.

    Raises:
        UsageError: `bad-plan-file`.
    """
    try:
        told: Any = json.loads(file.read_text(encoding="utf-8"))
        if told["anabranch plan"] > VERSION:
            raise UsageError(f"{file} was written by a newer anabranch", code="bad-plan-file", hint="plan again")
        saved, name = Saved(str(told["plan"]["digest"]), int(told["plan"]["serial"])), str(told["plan"]["environment"])
        target = tuple(map(str, told["target"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{file} is not a plan: {error}"
        raise UsageError(message, code="bad-plan-file", hint="anabranch plan -e ENV --out FILE") from None
    if environment not in {None, name}:
        message = f"{file} is a plan for {name}, not for {environment}"
        raise UsageError(message, code="bad-plan-file", hint="leave -e out")
    return saved, name, target
