"""How long a person waits for help, for a list of steps, and for three small steps."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Row, in_turn

ROOT = Path(__file__).parents[2]
US = [sys.executable, "-m", "anabranch"]
THREE = """
from anabranch import pipeline, step
@step
def one() -> int: return 1
@step
def two(x: int) -> int: return x + 1
@step
def three(x: int) -> int: return x + 1
p = pipeline("p", one >> two >> three)
"""
KEDRO = """
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner
p = pipeline([node(lambda: 1, None, "a", name="one"), node(lambda x: x + 1, "a", "b", name="two"), node(lambda x: x + 1, "b", "c", name="three")])
SequentialRunner().run(p, DataCatalog({name: MemoryDataset() for name in "abc"}))
"""
DAGSTER = """
from dagster import job, op
@op
def one(): return 1
@op
def two(x): return x + 1
@op
def three(x): return x + 1
@job
def p(): three(two(one()))
assert p.execute_in_process().success
"""


def rows(bench: str) -> list[Row]:
    """Measure starts of whole processes beside the peers'."""
    flights = ROOT / "examples" / "flights"
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "three"
        small.mkdir()
        (small / "anabranch.yaml").write_text("project: p\npipelines: ['jobs:p']\n")
        (small / "jobs.py").write_text(THREE)
        peers = Path(folder)
        (peers / "kedro3.py").write_text(KEDRO)
        (peers / "dagster3.py").write_text(DAGSTER)
        run = [*US, "-C", str(small), "run"]
        told = in_turn(
            {
                "python": [sys.executable, "-c", "pass"],
                "help": [*US, "--help"],
                "steps": [*US, "-C", str(flights), "steps", "daily"],
                "three": run,
                "kedro help": [str(Path(bench).parent / "kedro"), "--help"],
                "dagster help": [str(Path(bench).parent / "dagster"), "--help"],
                "kedro three": [bench, "kedro3.py"],
                "dagster three": [bench, "dagster3.py"],
            },
            peers,
        )
        shutil.rmtree(small)
    seconds = {name: each.seconds for name, each in told.items()}

    def against(name: str, other: str) -> tuple[str, str]:
        return f"{seconds[other]:.2f} s ({other.partition(' ')[0]})", f"{seconds[other] / seconds[name]:.1f}x faster"

    return [
        Row("bare `python -c pass`", f"{seconds['python']:.3f} s", ""),
        Row(
            "`anabranch --help`",
            f"{seconds['help']:.2f} s",
            *against("help", "kedro help"),
            "0.12 s",
            seconds["help"] <= 0.12,
        ),
        Row("`anabranch steps`, flights", f"{seconds['steps']:.2f} s", "", "", "0.35 s", seconds["steps"] <= 0.35),
        Row(
            "3 Python steps, from the shell",
            f"{seconds['three']:.2f} s",
            *against("three", "kedro three"),
            "0.5 s",
            seconds["three"] <= 0.5,
        ),
        Row("", "", *against("three", "dagster three")),
        Row("", "", *against("help", "dagster help")),
    ]
