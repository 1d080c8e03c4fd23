"""`anabranch compile`: what would be deployed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import ENVIRONMENT, Face, verb
from anabranch.cli.table import Cell, table
from anabranch.show.human import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.model.resource import Resource

TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# What `anabranch compile` wrote.\n"
"""Source: https://bford.info/cachedir/"""


@click.command("compile", short_help="Write what would be deployed, without asking anybody.")
@ENVIRONMENT
@click.option("--out", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write the files there.")
@click.option("--show", metavar="ADDRESS", help="Print one of them.")
@verb("compile")
def compile_command(face: Face, environment: str, folder: Path | None, show: str | None) -> None:
    """List what apply would put into ENV, or write it to DIR, for people who deploy by other means."""
    found = face.project().deployment(environment).resources()
    if show is not None:
        from anabranch.model.errors import NotFoundError, closest

        chosen = next((each for each in found if each.address == show), None)
        if chosen is None:
            known = [each.address for each in found]
            raise NotFoundError(f"there is no `{show}`", code="no-resource", hint=closest(show, known))
        text = chosen.content.decode(errors="replace")
        face.result({"address": show, "text": text}, text.splitlines)
        return
    if folder is not None:
        _write(found, folder)
    told = [
        {"address": each.address, "name": each.name, "digest": each.digest, "bytes": len(each.content)}
        for each in found
    ]
    face.result({"environment": environment, "resources": told}, lambda: lines(face, found, folder))


def _write(found: Sequence[Resource], folder: Path) -> None:
    for each in found:
        path = folder / each.kind / each.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(each.content)
    (folder / "CACHEDIR.TAG").write_text(TAG)  # it may lie in the project, and is none of its code


def lines(face: Face, found: Sequence[Resource], folder: Path | None) -> Iterator[str]:
    """Yield a line for each resource."""
    rows: list[list[str | Cell]] = [
        [Cell(each.address, ("bold",)), size(len(each.content)), Cell(each.note, ("dim",))] for each in found
    ]
    yield from table([""] * 3, rows, right=[1], terminal=face.out)
    if folder is not None:
        yield f"{face.out.marks.ok} written to {folder}"
