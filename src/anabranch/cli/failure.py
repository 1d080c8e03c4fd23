"""How errors are shown: place, cause and one thing to try; with `--json` one object on stdout."""

from __future__ import annotations

import os
import re
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import near, root_of, write_json
from anabranch.cli.terminal import Terminal, terminal
from anabranch.model.errors import AnabranchError, Diagnostic, InvalidProject, Severity
from anabranch.show.human import plural
from anabranch.show.shapes import error as error_shape
from anabranch.show.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anabranch.model.place import Place

INTERNAL, USAGE, INTERRUPTED = 1, 2, 130


def show(error: BaseException, argv: Sequence[str]) -> int:
    """Show what a verb raised, and return the exit code for it.

    Args:
        error: anything.
        argv: the command line, to know whether it asked for JSON and where it works.
    """
    if os.environ.get("ANABRANCH_DEBUG"):
        traceback.print_exception(error)
    diagnostics, code = explain(error)
    diagnostics = tuple(replace(each, hint=_there(each.hint, argv)) for each in diagnostics)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        sys.stderr.write("interrupted\n")
    elif isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return code
    else:
        root = root_of(_directory(argv))
        for line in lines(diagnostics, terminal(sys.stderr), root):
            sys.stderr.write(line + "\n")
        if isinstance(error, InvalidProject):
            sys.stderr.write(counted(diagnostics) + "\n")
        if isinstance(error, click.UsageError) and error.ctx is not None:
            sys.stderr.write(f"see: {error.ctx.command_path} --help\n")
    sys.stderr.flush()
    if "--json" in argv:
        write_json({"anabranch": 1, "verb": _verb(argv), **error_shape(diagnostics, code)})
    return code


def explain(error: BaseException) -> tuple[tuple[Diagnostic, ...], int]:
    """Return an error as diagnostics, with its exit code."""
    if isinstance(error, InvalidProject):
        return error.diagnostics, error.exit_code
    if isinstance(error, AnabranchError):
        return (Diagnostic(error.code, error.message, error.hint, error.place),), error.exit_code
    if isinstance(error, click.ClickException):
        return (Diagnostic("usage", error.format_message().rstrip(".")),), error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return (Diagnostic("interrupted", "interrupted"),), INTERRUPTED
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = "set ANABRANCH_DEBUG=1 to see the traceback, and please report it"
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.strerror}: {error.filename}"
        hint = "set ANABRANCH_DEBUG=1 to see where"
    return (Diagnostic("internal", message, hint),), INTERNAL


def lines(diagnostics: Iterable[Diagnostic], out: Terminal, root: Path) -> Iterator[str]:
    """Yield diagnostics as compilers show them."""
    for item in diagnostics:
        colour = "red" if item.severity is Severity.ERROR else "yellow"
        head = out.paint(f"{item.severity}[{item.code}]", "bold", colour)
        where = f" {_where(item.place, root)}" if item.place else ""
        first, *rest = item.message.splitlines() or [""]
        yield f"{head}{where}: {printable(first)}"
        yield from (f"  {printable(line)}" for line in rest)
        if item.hint:
            first, *rest = item.hint.splitlines()
            yield f"  {out.paint('try:', 'cyan')} {printable(first)}"
            yield from (f"       {printable(line)}" for line in rest)


def counted(diagnostics: Sequence[Diagnostic]) -> str:
    """Return how many diagnostics there are.

    >>> counted([Diagnostic("a", "x"), Diagnostic("b", "y", severity=Severity.WARNING)])
    '1 error, 1 warning'
    """
    errors = sum(item.severity is Severity.ERROR for item in diagnostics)
    warnings = len(diagnostics) - errors
    return ", ".join(plural(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number)


def _there(hint: str, argv: Sequence[str]) -> str:
    """Return a hint whose commands are for the environment that the command line names.

    >>> _there("anabranch runs show abc", ["runs", "cancel", "abc", "-e", "prod"])
    'anabranch runs show -e prod abc'
    """
    named = next((argv[i + 1] for i, word in enumerate(argv[:-1]) if word in {"-e", "--environment"}), "")
    return _COMMAND.sub(lambda found: f"{found[0]} -e {named}", hint) if named else hint


_COMMAND = re.compile(r"anabranch (?:plan|apply|import|destroy|compile|run|runs \w+|branch \w+)\b(?!.* -e\b)")
"""A command that knows environments, and names none."""


def _where(place: Place, root: Path) -> str:
    return near(str(place), root)


def _directory(argv: Sequence[str]) -> Path:
    """Return the argument of the last `-C`, without parsing: the command line itself may be what is wrong."""
    found = Path()
    for i, word in enumerate(argv):
        if word in {"-C", "--project"} and i + 1 < len(argv):
            found = Path(argv[i + 1])
        elif word.startswith("--project="):
            found = Path(word.partition("=")[2])
        elif word.startswith("-C") and not word.startswith("--"):
            found = Path(word[2:])
    return found


def _verb(argv: Sequence[str]) -> str:
    """Return the verb that was meant, as far as the command line tells."""
    from anabranch.cli.root import root

    words = [word for word in argv if not word.startswith("-")]
    known = set(root.list_commands(click.Context(root)))
    start = next((i for i, word in enumerate(words) if word in known), None)
    if start is None:
        return ""
    nested = words[start] in {"runs", "datasets"} and start + 1 < len(words)
    return " ".join(words[start : start + 2]) if nested else words[start]
