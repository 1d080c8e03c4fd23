"""A spec of 10,000 steps: checked, its last step run, and a branch of it made."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Row, in_turn, once

COUNT = 10_000
US = [sys.executable, "-m", "anabranch"]


RAN = """
from anabranch.app import Project
from anabranch.model.run import PortStats, RunEnded, RunId, RunStarted, RunState, StepSucceeded
project, run = Project.load("."), RunId("aaaaaaaa")
pipeline = project.pipelines["big"]
stats = lambda ports: tuple(PortStats(port.name, port.dataset, 1, 1, "sha256:" + "0" * 64) for port in ports)
project.runs.begin(run, pipeline, RunStarted("big", tuple(pipeline.step_by_id), code=project.code.snapshot()))
ended = [StepSucceeded(step.id, 1, 0.1, stats(step.reads), stats(step.outputs)) for step in pipeline.steps]
project.runs.append(run, [*ended, RunEnded(RunState.SUCCEEDED)])
"""
"""Records that main ran: running 10,000 processes would take minutes, and all that a branch needs is the record."""


def spec(count: int = COUNT) -> str:
    """Return shell steps in diamonds, each with its dataset."""
    lines = ["pipeline: big", "datasets:", "  d0: {stage: raw, format: csv}"]
    lines += [f"  d{i}: {{stage: cleaned, format: csv}}" for i in range(1, count + 1)]
    lines.append("steps:")
    for i in range(1, count + 1):
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
        once([sys.executable, "-c", RAN], folder)
        mended = (folder / "big.yaml").read_text().replace("[cp, '${in.d9000}'", "[cp, '-f', '${in.d9000}'")
        (folder / "big.yaml").write_text(mended)
        create = ["sh", "-c", f"exec {' '.join(US)} branch create b$$"]  # another name each time
        branch = in_turn({"check": [*US, "check"], "create": create}, folder, runs=3)
        copied = sum(path.stat().st_size for path in (folder / "data" / "_branches").rglob("*") if path.is_file())
    check, run = told["check"], told["run"]
    added = run.seconds - check.seconds
    created = branch["create"].seconds - branch["check"].seconds
    return [
        Row("`check` of 10,000 steps", f"{check.seconds:.2f} s", "", "", "2 s", check.seconds <= 2),
        Row("its peak memory", f"{check.megabytes:.0f} MB", "", "", "300 MB", check.megabytes <= 300),
        Row("`run --from` the last of them, added", f"{added:.2f} s", "", "", "0.5 s", added <= 0.5),
        Row("`branch create` on them, added", f"{created:.2f} s, {copied} bytes copied", "", "", "1 s", created <= 1),
    ]
