"""`anabranch init`: a project that runs at once."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import Face, verb
from anabranch.model.errors import AnabranchError, ConflictError, UsageError
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = Path(__file__).parent.parent / "templates" / "project"
NAME = "PROJECT_NAME"
"""What stands for the project's name in the template's files."""

DOT = "dot_"
"""Begins the names of files that begin with a dot once they are copied: packaging tools leave out dot files."""


@click.command("init", short_help="Make a project that runs at once.")
@click.argument("folder", metavar="[DIR]", default=".")
@verb("init")
def init_command(face: Face, folder: str) -> None:
    """Make a project in DIR, by default here: a small pipeline with data and a test, which runs at once.

    Files that exist already are never overwritten: then nothing is made, and exit code 7 says so.
    """
    target = face.directory / folder
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file", code="not-a-folder", hint="name a folder, or one that is not there yet")
    wanted = dict(files(TEMPLATE))
    if not wanted:
        raise AnabranchError("this installation has no template", code="no-template", hint="install anabranch again")
    taken = sorted(name for name in wanted if os.path.lexists(target / name))
    if taken:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        hint = "name another folder: anabranch init my_project"
        raise ConflictError(f"{target / taken[0]} exists{more}; nothing was made", code="file-exists", hint=hint)
    name = project_name(target)
    for relative, source in wanted.items():
        place = target / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(source.read_bytes().replace(NAME.encode(), name.encode()))
        place.chmod(source.stat().st_mode & 0o777 | 0o200)
    go = [] if target.resolve() == Path.cwd() else [f"cd {target}"]
    following = [*go, "anabranch check", "anabranch run", "anabranch runs show", "anabranch test"]
    face.result(
        {"folder": str(target), "files": sorted(wanted), "next": following},
        lambda: _lines(face, target, sorted(wanted), following),
    )


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the template's files: the name that each gets, and where it lies."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts:
            yield "/".join("." + part.removeprefix(DOT) if part.startswith(DOT) else part for part in parts), path


def project_name(folder: Path) -> str:
    """Return a project's name after its folder's: letters, digits, `_` and `-`.

    >>> project_name(Path("/home/me/My data!"))
    'my_data'
    """
    return re.sub(r"[^a-z0-9_-]+", "_", folder.resolve().name.lower()).strip("_-") or "project"


def _lines(face: Face, target: Path, made: list[str], following: list[str]) -> Iterator[str]:
    yield face.out.paint(f"{face.out.marks.ok} {plural(len(made), 'file')} in {target}", "green")
    yield from (f"  {name}" for name in made)
    yield "next:"
    yield from (f"  {face.out.paint(command, 'bold')}" for command in following)
