"""How a function's handler runs a step in a process of its own: here any command stands for the step."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from anabranch.platforms.aws import boot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, bool]]:
    """Run lines of shell as a step; return its exit code, and whether its time was over."""

    def run(lines: str, limit: float = 20.0) -> tuple[int, bool]:
        script = tmp_path / "step.sh"
        script.write_text(f"#!/bin/sh\ncd {tmp_path}\n{lines}\n")
        script.chmod(0o755)
        monkeypatch.setenv("ANABRANCH_PYTHON", str(script))
        return boot.run(["step"], dict(os.environ), limit)

    return run


def gone(pid: int) -> bool:
    """Whether a process ends soon."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_a_step_may_print_bytes_that_are_no_text(
    step: Callable[..., tuple[int, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert step(r"printf 'caf\351\n'; exit 3") == (3, False)
    assert capsys.readouterr().out == "caf\N{REPLACEMENT CHARACTER}\n"


def test_nothing_that_a_step_has_started_outlives_it(
    step: Callable[..., tuple[int, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert step("sleep 60 > /dev/null 2>&1 & echo $!") == (0, False)
    assert gone(int(capsys.readouterr().out))


def test_a_step_whose_time_is_over_is_ended(step: Callable[..., tuple[int, bool]]) -> None:
    assert step("sleep 60", 0.2) == (-9, True)


def test_a_step_does_not_go_on_where_what_it_prints_cannot_be_written(
    step: Callable[..., tuple[int, bool]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "closed").open("w") as log:
        pass
    monkeypatch.setattr(sys, "stdout", log)
    with pytest.raises(ValueError, match="closed file"):
        step("echo $$ > pid; echo line; exec sleep 60")
    assert gone(int((tmp_path / "pid").read_text()))
