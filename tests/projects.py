"""Small projects for tests: files in a folder, and their pipelines run in a process of their own or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder; texts may be indented."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
    return root


def anabranch(root: Path, *arguments: str, code: int | None = 0, **environment: str) -> str:
    """Run the command in a folder; return what it prints on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "anabranch", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    told = done.stdout + done.stderr
    assert code is None or done.returncode == code, told
    return told


def result(root: Path, *arguments: str, code: int = 0) -> Any:
    """Run a verb with --json; return the object of its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "anabranch", *arguments, "--json"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])
