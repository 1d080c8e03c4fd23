"""What a step costs: 1,000 steps that do nothing, with every event on disk."""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Row, once

COUNT = 1000
OURS = f"""
from anabranch import pipeline, step
def noop() -> None: pass
p = pipeline("p", [step(name=f"s{{i:04}}")(noop) for i in range({COUNT})])
"""
GO = """
import time
from anabranch import Project
class Lines:
    def report(self, recorded):
        print(recorded.seq, type(recorded.event).__name__, getattr(recorded.event, "step", ""))
project = Project.load(".")
began = time.perf_counter()
assert project.run("p", reporter=Lines()).ok
print(time.perf_counter() - began)
"""
KEDRO = f"""
import time
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner
p = pipeline([node(lambda: 1, None, f"d{{i}}", name=f"s{{i}}") for i in range({COUNT})])
catalog = DataCatalog({{f"d{{i}}": MemoryDataset() for i in range({COUNT})}})
began = time.perf_counter()
SequentialRunner().run(p, catalog)
print(time.perf_counter() - began)
"""
DAGSTER = f"""
import time
from dagster import graph, op, in_process_executor
ops = []
for i in range({COUNT}):
    @op(name=f"s{{i}}")
    def noop(): pass
    ops.append(noop)
@graph
def g():
    for each in ops: each()
job = g.to_job(executor_def=in_process_executor)
began = time.perf_counter()
assert job.execute_in_process().success
print(time.perf_counter() - began)
"""


def last_number(told: str) -> float:
    """Return the seconds that a script printed last, past whatever libraries print when they end."""
    return next(float(line) for line in reversed(told.splitlines()) if line.replace(".", "").isdigit())


def rows(bench: str, runs: int = 3) -> list[Row]:
    """Measure the loop alone, without the start of the interpreter: each with a line a step, as it does by default."""
    found: dict[str, list[float]] = {"ours": [], "kedro": [], "dagster": []}
    with tempfile.TemporaryDirectory(dir=Path(__file__).parents[2]) as name:
        folder = Path(name)
        (folder / "anabranch.yaml").write_text("project: p\npipelines: ['jobs:p']\n")
        (folder / "jobs.py").write_text(OURS)
        for script, text in (("go.py", GO), ("kedro_.py", KEDRO), ("dagster_.py", DAGSTER)):
            (folder / script).write_text(text)
        for _ in range(runs):
            found["ours"].append(last_number(once([sys.executable, "go.py"], folder).told))
            found["kedro"].append(last_number(once([bench, "kedro_.py"], folder).told))
            found["dagster"].append(last_number(once([bench, "dagster_.py"], folder).told))
        floor = two_appends(folder)
    ms = {name: statistics.median(each) / COUNT * 1000 for name, each in found.items()}
    return [
        Row(
            "1,000 no-op steps, each",
            f"{ms['ours']:.2f} ms",
            f"{floor:.2f} ms (two synced appends)",
            f"{ms['ours'] / floor:.1f}x the floor",
            "1 ms",
            ms["ours"] <= 1,
        ),
        Row(
            "",
            "",
            f"{ms['kedro']:.1f} ms (Kedro, in memory)",
            f"{ms['kedro'] / ms['ours']:.1f}x faster",
            "4x",
            ms["kedro"] / ms["ours"] >= 4,
        ),
        Row(
            "",
            "",
            f"{ms['dagster']:.1f} ms (Dagster, in process)",
            f"{ms['dagster'] / ms['ours']:.1f}x faster",
            "10x",
            ms["dagster"] / ms["ours"] >= 10,
        ),
    ]


def two_appends(folder: Path) -> float:
    """Return the milliseconds of two SQLite WAL appends, each synced to disk: the floor for a durable start and end."""
    db = sqlite3.connect(folder / "floor.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, body TEXT)")
    began = time.perf_counter()
    for _ in range(2 * COUNT):
        db.execute("INSERT INTO events (body) VALUES (?)", ("x" * 200,))
    spent = time.perf_counter() - began
    db.close()
    return spent / COUNT * 1000
