"""A spec of 10,000 steps: checked, and its last step run."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Row, in_turn

COUNT = 10_000
US = [sys.executable, "-m", "anabranch"]


def spec() -> str:
    """Return 10,000 shell steps in diamonds, each with its dataset."""
    lines = ["pipeline: big", "datasets:", "  d0: {stage: raw, format: csv}"]
    lines += [f"  d{i}: {{stage: cleaned, format: csv}}" for i in range(1, COUNT + 1)]
    lines.append("steps:")
    for i in range(1, COUNT + 1):
        reads = [f"d{i - 1}"] + ([f"d{i // 2}"] if i // 2 != i - 1 else [])
        lines.append(f"  s{i}:")
        lines.append(f"    shell: [cp, '${{in.{reads[0]}}}', '${{out.d{i}}}']")
        lines.append(f"    reads: [{', '.join(reads)}]")
        lines.append(f"    writes: [d{i}]")
    return "\n".join(lines) + "\n"


def rows() -> list[Row]:
    """Measure check, and what a run of the last step adds to it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "anabranch.yaml").write_text("project: big\npipelines: [big.yaml]\n")
        (folder / "big.yaml").write_text(spec())
        for i in (COUNT - 1, COUNT // 2):
            path = folder / "data" / "cleaned" / f"d{i}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a\n1\n")
        told = in_turn({"check": [*US, "check"], "run": [*US, "run", "--from", f"s{COUNT}"]}, folder, runs=3)
    check, run = told["check"], told["run"]
    added = run.seconds - check.seconds
    return [
        Row("`check` of 10,000 steps", f"{check.seconds:.2f} s", "", "", "2 s", check.seconds <= 2),
        Row("its peak memory", f"{check.megabytes:.0f} MB", "", "", "300 MB", check.megabytes <= 300),
        Row("`run --from` the last of them, added", f"{added:.2f} s", "", "", "0.5 s", added <= 0.5),
    ]
