from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from anabranch.cli import main
from anabranch.cli.root import LazyGroup, root

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = ("rich", "pydantic", "yaml", "polars", "duckdb", "pyarrow", "pandas", "sqlite3", "anabranch.app", "msgspec")


def verbs(group: click.Group = root, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb with its words, those of groups included."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from verbs(command, (*names, name))
        else:
            yield (*names, name), command


ALL = list(verbs())


def test_help_lists_every_verb_without_importing_any(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for section in LazyGroup.sections.values() for name in section)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["runs", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from anabranch.cli import main; main(sys.argv[2:]); "
        "sys.exit(','.join(n for n in sys.argv[1].split(',') if n in sys.modules))"
    )
    command = [sys.executable, "-c", code, ",".join(HEAVY), *arguments]
    # What measures coverage in child processes opens SQLite itself.
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    assert subprocess.run(command, check=False, capture_output=True, text=True, env=plain).stderr.strip() == ""


@pytest.mark.parametrize("words, command", ALL, ids=[" ".join(words) for words, _ in ALL])
def test_every_verb_takes_json_and_a_project_and_says_what_it_does(
    words: tuple[str, ...], command: click.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {name for param in command.params for name in param.opts}
    assert {"--json", "-C", "--project"} <= options
    assert main([*words, "--help"]) == 0
    assert len(capsys.readouterr().out) > 200


def test_an_unknown_verb_is_a_usage_error_that_names_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chek"]) == 2
    assert "did you mean 'check'?" in capsys.readouterr().err


def test_no_verb_shows_the_help_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "VERB" in capsys.readouterr().err
