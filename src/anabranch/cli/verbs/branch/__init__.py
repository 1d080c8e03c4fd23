"""`anabranch branch ...`: try a change beside main, see what it does to the data, and leave nothing behind."""

from __future__ import annotations

from typing import ClassVar

import click

from anabranch.cli.root import LazyGroup


class BranchGroup(LazyGroup):
    """The verbs below `branch`; `v` is the command `v_command` in `branch/v.py`."""

    package = "anabranch.cli.verbs.branch"
    sections: ClassVar = {
        "Verbs": {
            "create": "Carve a branch at the steps that changed; nothing is copied.",
            "list": "List branches.",
            "show": "Show a branch: its steps and why, its inputs, how its code differs.",
            "run": "Run its steps, on the versions of main's data that it is pinned to.",
            "deltas": "Compare what it made with main, on the same inputs.",
            "promote": "Take its outputs into main, or take that back.",
            "drop": "Delete all that it owns, and prove it.",
            "gc": "Drop branches whose time is over, and what crashes left.",
        }
    }


@click.group("branch", cls=BranchGroup, subcommand_metavar="VERB ...", options_metavar="")
def branch_command() -> None:
    """Try a change to some steps beside main: only these and what is downstream run, and main's data is untouched."""
