"""What every verb shares: `--json`, `-C`, the project, the pipeline that is meant, and where the result goes."""

from __future__ import annotations

import functools
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import click

from anabranch.cli.terminal import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from anabranch.app import Project
    from anabranch.model.pipeline import Pipeline

P = ParamSpec("P")

VERSION = 1
"""Version of every object that `--json` writes. Keys may be added within a version; none changes its meaning."""

PROJECT_FILE = "anabranch.yaml"


@dataclass(slots=True)
class Face:
    """One call of one verb."""

    verb: str
    json: bool = False
    directory: Path = field(default_factory=Path)
    environment: str = ""

    @property
    def out(self) -> Terminal:
        """How stdout looks."""
        return terminal(sys.stdout)

    @property
    def err(self) -> Terminal:
        """How stderr looks."""
        return terminal(sys.stderr)

    def project(self, environment: str | None = None) -> Project:
        """Load the project of the working directory, or of `-C`; as it is in an environment, when one is named."""
        if not self.directory.is_dir():
            from anabranch.model.errors import NotFoundError

            raise NotFoundError(f"there is no folder {self.directory}", code="no-folder", hint="look at -C")
        from anabranch.app import Project

        project = Project.load(self.directory, defer=True)
        if not environment:
            return project
        self.environment = environment
        return project.at(environment)

    def result(self, data: Mapping[str, object], lines: Callable[[], Iterable[str]]) -> None:
        """Write the result to stdout: the object with `--json`, else the lines."""
        if self.json:
            write_json({"anabranch": VERSION, "verb": self.verb, **data})
            return
        write_lines(lines())

    def note(self, *lines: str) -> None:
        """Write lines of progress to stderr."""
        sys.stderr.writelines(f"{line}\n" for line in lines)
        sys.stderr.flush()

    def command(self, *words: str) -> str:
        """Return an anabranch command that works where the person stands, to be copied.

        >>> Face("run").command("runs", "retry", "7f3a9c2k")
        'anabranch runs retry 7f3a9c2k'
        """
        import shlex

        here = [] if self.directory == Path() else ["-C", str(self.directory)]
        there = ["-e", self.environment] if self.environment and words[:1] in {("run",), ("runs",), ("branch",)} else []
        return shlex.join(["anabranch", *here, *words, *there])

    def near(self, place: str) -> str:
        """Return a place of the project as seen from the working directory, so that terminals make it clickable."""
        return near(place, root_of(self.directory))


DECLINED = 130
"""The exit code of a verb whose question was answered with no, as of one that is interrupted."""


def confirm(question: str, *, yes: bool) -> None:
    """Ask on stderr before something is changed, unless `yes`.

    Raises:
        UsageError: `not-confirmed`, nobody is there to answer.
        click.exceptions.Exit: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        from anabranch.model.errors import UsageError

        raise UsageError(f"{question} Nobody is there to answer", code="not-confirmed", hint="--yes")
    if not click.confirm(question, err=True):
        sys.stderr.write("nothing was changed\n")
        raise click.exceptions.Exit(DECLINED)


def write_json(data: object) -> None:
    """Write one object on one line of stdout."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, separators=(", ", ": ")) + "\n")
    sys.stdout.flush()


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def root_of(directory: Path) -> Path:
    """Return the folder at or above `directory` that has an `anabranch.yaml`; without one, `directory`."""
    start = directory.absolute()
    return next((folder for folder in (start, *start.parents) if (folder / PROJECT_FILE).is_file()), start)


def near(place: str, root: Path) -> str:
    """Return `place`, below `root` or absolute, as seen from the working directory where that is shorter."""
    if "://" in place:
        return place
    path = os.path.normpath(root / place)
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return relative if len(relative) < len(path) else path


def pick(project: Project, name: str | None) -> Pipeline:
    """Return the pipeline of that name; without a name the project's only one.

    Raises:
        NotFoundError: `no-pipeline`, none has that name, or there is none at all.
        UsageError: `which-pipeline`, no name was given and there are several.
    """
    if not project.pipelines:
        from anabranch.model.errors import NotFoundError

        message = f"the project '{project.name}' has no pipeline"
        raise NotFoundError(message, code="no-pipeline", hint=f"list one under `pipelines` in {PROJECT_FILE}")
    return project.pipeline(name)


def verb(name: str) -> Callable[[Callable[Concatenate[Face, P], int | None]], Callable[P, int]]:
    """Make a function a verb: it gets a `Face` first, and the options `--json` and `-C`. It returns its exit code.

    Args:
        name: as `--json` names it, such as `runs list`.
    """

    def decorate(function: Callable[Concatenate[Face, P], int | None]) -> Callable[P, int]:
        @click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
        @click.option("-C", "--project", "here", metavar="DIR", help="Work as if started in DIR.")
        @click.pass_context
        @functools.wraps(function)
        def wrapped(context: click.Context, /, *args: P.args, **kwargs: P.kwargs) -> int:
            as_json, here = bool(kwargs.pop("as_json")), kwargs.pop("here")
            directory = here or context.find_root().obj
            face = Face(name, as_json, Path(str(directory)) if directory else Path())
            return function(face, *args, **kwargs) or 0

        return wrapped

    return decorate


PIPELINE = click.argument("pipeline", required=False)
"""A verb's optional PIPELINE."""

ELSEWHERE = click.option("-e", "--environment", metavar="ENV", help="In this environment, not on this machine.")
"""A verb's optional ENV."""

ENVIRONMENT = click.option("-e", "--environment", metavar="ENV", required=True, help="Of anabranch.yaml.")
"""A verb's ENV that cannot be left out."""
