"""The public API, type-checked as users write it, by both checkers that they use."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"
COMMANDS = {
    "mypy": ["-m", "mypy", "--strict", "--no-error-summary", "--config-file=", "--cache-dir=.mypy_cache/public"],
    "pyright": ["-m", "basedpyright", "--level", "error", "--pythonpath", sys.executable, "-p", str(CASES)],
}


def errors(checker: str, case: str) -> set[int]:
    """Return the lines of a case in which the checker finds an error."""
    file = CASES / f"{case}.py"
    command = [sys.executable, *COMMANDS[checker], *([str(file)] if checker == "mypy" else [])]
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CASES.parents[2])
    assert "error" in told.stdout or told.returncode == 0, told.stdout + told.stderr
    return {int(line) for line in re.findall(rf"{case}\.py:(\d+)(?::\d+)?(?::| -) error", told.stdout)}


@pytest.mark.parametrize("checker", COMMANDS)
def test_good_code_is_accepted(checker: str) -> None:
    """No error in what the documentation shows."""
    assert errors(checker, "good") == set()


@pytest.mark.parametrize("checker", COMMANDS)
def test_mismatched_steps_are_rejected(checker: str) -> None:
    """Each marked line, and no other."""
    lines = (CASES / "bad.py").read_text().splitlines()
    assert errors(checker, "bad") == {i for i, line in enumerate(lines, 1) if line.endswith("# error")}
