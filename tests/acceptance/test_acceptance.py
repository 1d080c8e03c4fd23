"""Each folder here is a case: a `script` of commands, a project if it needs one, and the `output.txt` that it gives.

Each line of a script is run by `sh` in a copy of the folder. `UPDATE_GOLDEN=1` writes `output.txt` anew; read its diff.
What differs from run to run (ids, times, durations, digests) is written as if it never did. In a script, `anabranch` is
this source tree's, and `pretty` indents a JSON object.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = sorted(folder.parent.name for folder in HERE.glob("*/script"))
OURS = ("script", "output.txt")
PRETTY = "import json, sys; print(json.dumps(json.load(sys.stdin), indent=2, ensure_ascii=False))"
TIMEOUT = 120

PATTERNS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "2000-01-01T00:00:00.000Z"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(,?\s+)(now|\d+ s ago|\d+ min ago)", r"2000-01-01 00:00:00\1now"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( \()", r"2000-01-01 00:00:00\1"),
    (r"\b\d+\.\d+ s\b", "0.00 s"),
    (r'("(?:seconds|wait)": )[\d.e-]+', r"\g<1>0.0"),
    (r"^ +in library .*\n", ""),
    (r'"id": "(?!run\d{5}")[a-z0-9]{8}"', '"id": "run00000"'),
    (r"sha256:[0-9a-f]{8,}", "sha256:0"),
    (r"\b[0-9a-f]{64}\b", "0" * 64),
    (r"^(code +)[0-9a-f]{12}\b", r"\g<1>000000000000"),
    (r"\b(python|Python) 3\.\d+\.\d+", r"\1 3.x"),
)
"""What differs from run to run, and what is written instead."""


@pytest.mark.parametrize("case", CASES)
def test_case(case: str, tmp_path: Path) -> None:
    """The commands of the script print what `output.txt` says."""
    place = tmp_path / "project"
    shutil.copytree(HERE / case, place, ignore=shutil.ignore_patterns(*OURS, "__pycache__"))
    told = run((HERE / case / "script").read_text(encoding="utf-8"), place, environment(tmp_path))
    golden = HERE / case / "output.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def environment(tmp_path: Path) -> dict[str, str]:
    """A small environment that is the same everywhere, with the commands that scripts may use."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, arguments in (("anabranch", "-m anabranch"), ("pretty", f"-c '{PRETTY}'"), ("python", "")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', encoding="utf-8")
        (commands / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("COV", "PYTHONPATH", "PYTHONWARN"))}
    return kept | {
        "PATH": f"{commands}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "100",
    }


def run(script: str, place: Path, environment: dict[str, str]) -> str:
    """Run a script's lines; return each with what it printed, stdout and stderr as they came, and its exit code."""
    told: list[str] = []
    ids: dict[str, None] = {}
    for line in script.splitlines():
        if not line.strip() or line.startswith("#"):
            told.append(line + "\n")
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
        ids |= dict.fromkeys(run_ids(place))  # a run may be gone at the end
        shown = done.stdout.decode("utf-8", errors="replace")
        ending = "" if not shown or shown.endswith("\n") else "\n[no newline]\n"
        told.append(f"$ {line}\n{shown}{ending}" + (f"[exit {done.returncode}]\n" if done.returncode else ""))
    return normalised("".join(told), place, list(ids))


def normalised(text: str, place: Path, ids: list[str]) -> str:
    """Return the output with what differs from run to run replaced, ids by `run00001` and so on in their order."""
    text = text.replace(str(place), "/project").replace(str(place.parent), "/tmp")
    for number, run_id in enumerate(ids, 1):
        text = re.sub(rf"\b{run_id}\b", f"run{number:05}", text)
    for pattern, instead in PATTERNS:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    # Columns after a time are as wide as the time was.
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if "2000-01-01 00:00:00" in line or line.startswith("run  "):
            lines[i] = re.sub(r"\s{2,}", "  ", line)
    return "\n".join(lines)


def run_ids(place: Path) -> list[str]:
    """Return the ids of the runs that were made, oldest first."""
    folders = [folder for folder in place.glob("**/.anabranch/runs/*") if folder.is_dir()]
    return [folder.name for folder in sorted(folders, key=lambda folder: folder.stat().st_ctime_ns)]
