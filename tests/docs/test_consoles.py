"""What the pages show of a terminal is what the commands print.

Each ```console block is run, line by line after `$ `, page by page in a folder of its own; a page that begins with
`<!-- console: examples/flights -->` starts in a copy of that folder. `UPDATE_GOLDEN=1` writes the output anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
START = re.compile(r"<!-- console: (\S+) -->")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md"), ROOT / "README.md"]
    if START.search(path.read_text(encoding="utf-8"))
)
MADE = shutil.ignore_patterns("cleaned", "final", "_anabranch", ".anabranch", "__pycache__")

RUN_ID = re.compile(r"(?:\brun |\bretry |\bretries |/runs/)([2-9a-z]{8})\b")
PATTERNS = (
    (r"\b[0-9a-f]{11,12}\b", "digest"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,? +(now|\d+ s ago|\()", "moment"),
    (r"\b\d+(\.\d+)? s\b", "time"),
    (r"\b\d+(\.\d+)? ([kM]?B)\b", "size"),
    (r" {2,}", "  "),
)
"""What differs from run to run, and how columns follow it."""


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    start = START.search(text)
    assert start is not None
    folder = tmp_path / "project"
    if start[1] == "empty":
        folder.mkdir()
    else:
        shutil.copytree(ROOT / start[1], folder, ignore=MADE)
    shell = Shell(folder, tmp_path)
    told = BLOCK.sub(lambda block: shell.replay(block[1]), text)
    assert page == "docs/tour.md" or "✗" not in told, "only the tour shows failures"
    if os.environ.get("UPDATE_GOLDEN"):
        (ROOT / page).write_text(told, encoding="utf-8")
        return
    assert normalised(told) == normalised(text)


def normalised(text: str) -> list[list[str]]:
    """Return each block's lines without what differs, sorted: steps that run side by side end in any order."""
    text = re.sub("|".join(sorted(set(RUN_ID.findall(text)))) or "$^", "run-id", text)
    for pattern, instead in PATTERNS:
        text = re.sub(pattern, instead, text)
    return [sorted(line.rstrip() for line in block.splitlines()) for block in BLOCK.findall(text)]


class Shell:
    """Runs the lines of a page, and remembers where `cd` has led."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder = folder
        commands = scratch / "bin"
        commands.mkdir()
        for name, arguments in (("anabranch", "-m anabranch"), ("python", "")):
            (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', encoding="utf-8")
            (commands / name).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name.startswith("COV")}
        self.environment = kept | {
            "PATH": f"{commands}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(scratch),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "110",
        }

    def replay(self, block: str) -> str:
        """Return the block with what its commands print now."""
        return "".join(f"$ {line[2:]}\n{self.run(line[2:])}" for line in block.splitlines() if line.startswith("$ "))

    def run(self, line: str) -> str:
        if line.startswith("cd "):
            self.folder /= line[3:]
            return ""
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return done.stdout.decode("utf-8")
