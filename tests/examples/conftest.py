"""Each example in a copy of its own, run by the command as its reader would."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

Anabranch = Callable[..., Any]


def copy(name: str, target: Path) -> Path:
    """Copy an example without what earlier runs left in it."""
    made = ["cleaned", "final", "_anabranch", ".anabranch", "__pycache__"]
    return Path(shutil.copytree(EXAMPLES / name, target / name, ignore=shutil.ignore_patterns(*made)))


def anabranch(project: Path, *arguments: str) -> Any:
    """Run a verb with --json and return its result."""
    done = subprocess.run(
        [sys.executable, "-m", "anabranch", *arguments, "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flights example after `anabranch run daily` and `run weekly`."""
    project = copy("flights", tmp_path_factory.mktemp("examples"))
    anabranch(project, "run", "daily")
    anabranch(project, "run", "weekly")
    return project


@pytest.fixture
def ingest(tmp_path: Path) -> Path:
    """The ingest example before any run."""
    return copy("ingest", tmp_path)
