"""`anabranch runs cancel`: stop a run that goes on, from another terminal."""

from __future__ import annotations

import time

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.progress.drive import retrying
from anabranch.model.errors import ConflictError
from anabranch.model.run import RunState

PATIENCE, PAUSE = 10.0, 0.1


@click.command("cancel", short_help="Stop a run that goes on.")
@click.argument("run", default="last")
@ELSEWHERE
@verb("runs cancel")
def cancel_command(face: Face, run: str, environment: str | None) -> None:
    """Ask the process that drives RUN to stop it, and wait a little until it has.

    Exit code 7 when the run has ended already. What it finished is kept: `runs retry` goes on from there.
    """
    project = face.project()
    if environment:
        face.environment = environment
        runs, going = project.at(environment).find(run)
        runs.cancel(going.id)
        told = f"run {going.id}: cancelled"
        if runs.lingers(going.id):
            told += "; a step of it may write until it ends, and the next run waits for that"
        again = "go on: " + retrying(face, going)
        face.result({"run": going.id, "state": "cancelled"}, lambda: [told, again])
        return
    found = project.runs.resolve(run)
    state = project.runs.run(found).state
    if state is not RunState.RUNNING:
        hint = face.command("runs", "retry" if state is not RunState.SUCCEEDED else "show", found)
        raise ConflictError(f"run {found} has ended: {state}", code="not-running", hint=hint)
    project.runs.cancel(found)
    deadline = time.monotonic() + PATIENCE
    while state is RunState.RUNNING and time.monotonic() < deadline:
        time.sleep(PAUSE)
        state = project.runs.run(found).state
    told = f"run {found} was asked to stop, and will" if state is RunState.RUNNING else f"run {found}: {state}"
    face.result({"run": found, "state": state.value}, lambda: [told, "go on: " + face.command("runs", "retry", found)])
