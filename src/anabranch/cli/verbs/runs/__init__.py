"""`anabranch runs ...`: what has run here, and what to do about it."""

from __future__ import annotations

from typing import ClassVar

import click

from anabranch.cli.root import LazyGroup


class RunsGroup(LazyGroup):
    """The verbs below `runs`; `v` is the command `v_command` in `runs/v.py`."""

    package = "anabranch.cli.verbs.runs"
    sections: ClassVar = {
        "Verbs": {
            "list": "List runs, newest first.",
            "show": "Show one run: its steps, and what went wrong.",
            "logs": "Print what steps wrote to stdout and stderr.",
            "retry": "Run again what a run did not finish; reuse the rest.",
            "cancel": "Stop a run that goes on.",
            "export": "Tell other systems of a run: its lineage, its trace.",
        }
    }


@click.group("runs", cls=RunsGroup, subcommand_metavar="VERB ...", options_metavar="")
def runs_command() -> None:
    """List, show, read, retry, cancel and export runs. A run is named by its id, a unique prefix of it, or `last`."""
