from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from anabranch.cli.failure import show
from anabranch.model.errors import (
    AnabranchError,
    ConflictError,
    ContractError,
    Diagnostic,
    InvalidProject,
    NotFoundError,
    Severity,
    StepError,
    UsageError,
)
from anabranch.model.place import Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "error, code",
    [
        (AnabranchError("x"), 1),
        (ValueError("x"), 1),
        (UsageError("x"), 2),
        (click.UsageError("x"), 2),
        (InvalidProject([Diagnostic("a", "x")]), 3),
        (StepError("x"), 4),
        (ContractError("x"), 5),
        (ConflictError("x"), 7),
        (NotFoundError("x"), 8),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_the_exit_code_of_its_class(error: BaseException, code: int) -> None:
    assert show(error, []) == code


def test_an_error_names_place_cause_and_one_thing_to_try(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = Place("pipelines/daily.yaml", 12)
    cause = "step `clean` reads `flihgts`, which no dataset is named"
    show(InvalidProject([Diagnostic("unknown-dataset", cause, "did you mean 'flights'?", place)]), [])
    assert capsys.readouterr().err == (
        "error[unknown-dataset] pipelines/daily.yaml:12: step `clean` reads `flihgts`, which no dataset is named\n"
        "  try: did you mean 'flights'?\n"
        "1 error\n"
    )


def test_a_place_is_told_as_seen_from_the_working_directory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "anabranch.yaml").touch()
    monkeypatch.chdir(tmp_path)
    show(UsageError("x", place=Place("a.py", 3)), ["-C", "inner", "run"])
    assert "inner/a.py:3" in capsys.readouterr().err


def test_all_diagnostics_are_shown_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    show(InvalidProject([Diagnostic("a", "x"), Diagnostic("b", "y", severity=Severity.WARNING)]), [])
    shown = capsys.readouterr().err
    assert "error[a]: x" in shown
    assert "warning[b]: y" in shown
    assert shown.endswith("1 error, 1 warning\n")


def test_with_json_an_error_is_one_object_on_stdout_too(capsys: pytest.CaptureFixture[str]) -> None:
    show(NotFoundError("no run `x`", code="no-run", hint="anabranch runs list"), ["runs", "show", "x", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["anabranch"], told["verb"], told["ok"], told["exit_code"]) == (1, "runs show", False, 8)
    assert told["diagnostics"][0]["code"] == "no-run"


def test_the_traceback_of_an_unknown_error_comes_only_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show(ZeroDivisionError("division by zero"), [])
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in shown
    assert "ANABRANCH_DEBUG=1" in shown
    assert "Traceback" not in shown
    monkeypatch.setenv("ANABRANCH_DEBUG", "1")
    show(ZeroDivisionError(), [])
    assert "ZeroDivisionError\n" in capsys.readouterr().err


def test_control_characters_of_a_message_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(UsageError("a\x1b[31mb"), [])
    assert "\x1b" not in capsys.readouterr().err


def test_a_reader_that_has_what_it_wanted_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "anabranch.yaml").write_text("project: p\n")
    command = f"{{ {sys.executable} -m anabranch doctor --json; echo code $? >&2; }} | :"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "code 0\n"
