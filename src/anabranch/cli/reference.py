"""The page of the docs that lists every verb, written from the verbs themselves. A test compares it with the docs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from anabranch.cli.root import SECTIONS, root
from anabranch.show import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# Command line

Written from the code; `UPDATE_GOLDEN=1 pytest tests/cli/test_reference.py` writes it anew.

The result goes to stdout, progress and errors to stderr. Off a terminal nothing is coloured or wrapped; `NO_COLOR` is
honoured on one. A run is named by its id, a unique prefix of it, or `last`. `ANABRANCH_DEBUG=1` shows the traceback of
any error.

| exit code | meaning |
|---|---|
| 0 | ok |
| 1 | an error of anabranch itself, or of the machine |
| 2 | a wrong option, argument or selection |
| 3 | the project, a spec or a pipeline is invalid |
| 4 | a step failed, or a platform or storage could not be reached |
| 5 | a step's output breaks its dataset's contract, or a test's expectation |
| 6 | there are differences: only with `--exit-code` |
| 7 | a lock or a state stands in the way, or credentials do |
| 8 | nothing of that name |
| 130 | interrupted, or cancelled |
"""


def reference() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for title, verbs in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in verbs:
            parts += _verb(root, name, ("anabranch",))
    parts += ["## JSON\n", inspect.cleandoc(shapes.__doc__ or "") + "\n"]
    return "\n".join(parts)


def _verb(group: click.Group, name: str, words: tuple[str, ...]) -> Iterator[str]:
    command = group.get_command(click.Context(group), name)
    if command is None:
        return
    words = (*words, name)
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            yield from _verb(command, inner, words)
        return
    context = click.Context(command, info_name=" ".join(words))
    usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
    yield f"### {' '.join(words[1:])}\n"
    yield f"```console\n$ {' '.join((*words, usage)).strip()}\n```\n"
    yield inspect.cleandoc(command.help or "").replace("\f", "") + "\n"
    yield "| option | |\n|---|---|"
    for param in command.params:
        record = param.get_help_record(context)
        if record is not None and record[1]:
            yield f"| `{_escaped(record[0])}` | {_escaped(record[1])} |"
    yield ""


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
