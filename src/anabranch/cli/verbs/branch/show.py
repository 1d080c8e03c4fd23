"""`anabranch branch show`: what a branch is made of, and how its code differs from main's."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.table import Cell, table
from anabranch.cli.verbs.branch.words import left, reason_rows, short, until
from anabranch.cli.verbs.runs.retry import changes
from anabranch.model.errors import UsageError
from anabranch.show import shapes
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app.branches.look import Look


@click.command("show", short_help="Show a branch: its steps and why, its inputs, how its code differs.")
@click.argument("name")
@click.option("--policy", is_flag=True, help="Only the policy that keeps each call of the branch below its root.")
@ELSEWHERE
@verb("branch show")
def show_command(face: Face, name: str, environment: str | None, policy: bool) -> None:
    """Show the branch NAME. Inputs of main's that have moved since it pinned them are STALE."""
    project = face.project(environment)
    if policy:
        branch = project.branches.look(name).branch
        text = project.policy(branch)
        if not text:
            message = f"no policy narrows the calls of branch `{name}`: a guard in the worker keeps its Python steps"
            hint = "policies are for environments on AWS: add -e ENV"
            raise UsageError(message, code="no-policy", hint=hint)
        told = json.loads(text)
        face.result({"branch": name, "policy": told}, lambda: json.dumps(told, indent=2).splitlines())
        return
    look = project.branches.look(name)
    face.result(
        {"branch": shapes.branch(look.branch), "stale": list(look.stale), "code_diff": look.diff},
        lambda: lines(face, look, project.shown(look.branch.root)),
    )


def lines(face: Face, look: Look, root: str) -> Iterator[str]:
    """Yield the branch."""
    out, branch = face.out, look.branch
    yield f"{out.paint(branch.name, 'bold')}  {branch.kind.value} branch of {branch.pipeline}"
    facts = [
        ("root", face.near(root) + "/"),
        ("base", f"main's run {branch.base}" if branch.base else "main never ran"),
        ("last run", f"{branch.run}, {look.state}" if branch.run else "never"),
        ("params", ", ".join(f"{key}={value}" for key, value in branch.params)),
        ("sample", str(branch.sample or "")),
        ("git", branch.git),
        ("lives until", f"{until(branch)}, {left(branch, time.time())}"),
    ]
    yield from table(("", ""), [(Cell(label, ("dim",)), text) for label, text in facts if text])
    yield ""
    yield f"{plural(len(branch.steps), 'step')} of {look.total:,}:"
    yield from table(("", "", ""), reason_rows(branch), terminal=out, indent="  ")
    if branch.pins:
        yield ""
        yield "reads of main:"
        how = {each.dataset: each.how for each in branch.sampled}
        rows = [
            [
                Cell(pin.dataset, ("bold",)),
                Cell(short(pin.version) or "floating", ("dim",)),
                "goes on from it" if pin.base else how.get(pin.dataset, ""),
                Cell("STALE: main has moved on", ("yellow",)) if pin.dataset in look.stale else "",
            ]
            for pin in branch.pins
        ]
        yield from table(("", "", "", ""), rows, terminal=out, indent="  ")
        if look.stale:
            yield f"run on what main has now: {face.command('branch', 'run', branch.name, '--rebase')}"
    if branch.base:
        yield ""
        yield from changes(look.diff, branch.base, out)
