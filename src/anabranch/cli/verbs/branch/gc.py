"""`anabranch branch gc`: what nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.cli.table import Cell, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.app.branches.drop import Collected


@click.command("gc", short_help="Drop branches whose time is over, and what crashes left.")
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would be deleted.")
@ELSEWHERE
@verb("branch gc")
def gc_command(face: Face, dry: bool, environment: str | None) -> int:
    """Drop branches whose time is over, finish drops that were cut off, and delete roots without a record.

    One that cannot be dropped does not keep the others. Exit code 7 when something is left.
    """
    found = face.project(environment).branches.gc(dry=dry)
    face.result(
        {
            "dry_run": dry,
            "collected": [
                {"branch": each.name, "root": each.root, "why": each.why, "deleted": each.deleted, "left": each.left}
                for each in found
            ],
        },
        lambda: lines(face, found, dry=dry),
    )
    return 7 if any(each.left for each in found) else 0


def lines(face: Face, found: Sequence[Collected], *, dry: bool) -> Iterator[str]:
    """Yield a line for each thing that was looked at."""
    if not found:
        yield "nothing to collect"
        return
    done = "would go" if dry else "dropped"
    rows: list[list[str | Cell]] = [
        [
            Cell(each.name or face.near(each.root), ("bold",)),
            each.why,
            Cell(f"left: {each.left}", ("red",)) if each.left else Cell(f"{done}, {each.deleted:,} files and folders"),
        ]
        for each in found
    ]
    yield from table(("", "", ""), rows, terminal=face.out)
