"""Deploying: a plan with nothing to change, a compile of 10,000 steps, and what Airflow takes to import 500 of them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.cases.large import spec
from benchmarks.measure import Row, in_turn, once

from tools import aws

ROOT = Path(__file__).parents[2]
AIRFLOW = ROOT / ".venv-airflow" / "bin" / "python"
US = [sys.executable, "-m", "anabranch"]
PROJECT = """
project: big
pipelines: [big.yaml]
environments:
  prod: {airflow: {dags: ../dags}, storage: ../lake}
  cloud:
    aws: {account: "000000000000", region: us-east-1}
    storage: s3://lake/big
    artifacts: s3://artifacts/big
"""

BY_HAND = """
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
with DAG("hand", schedule=None):
    t = [BashOperator(task_id=f"t{i}", bash_command="true") for i in range(1, 501)]
    for i in range(2, 501):
        t[i - 2] >> t[i - 1]
        if i // 2 not in (i - 1, 0):
            t[i // 2 - 1] >> t[i - 1]
"""
"""The smallest DAG of 500 tasks with the same edges."""

IMPORT = """
import runpy, sys, time
import airflow.sdk
from airflow.providers.standard.operators.bash import BashOperator
began = time.perf_counter()
runpy.run_path(sys.argv[1])
print(time.perf_counter() - began)
"""


def rows() -> list[Row]:
    """Measure; each command is a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        folder.mkdir()
        (folder / "anabranch.yaml").write_text(PROJECT)
        (folder / "big.yaml").write_text(spec(10_000))
        compiling = {env: [*US, "compile", "-e", env] for env in ("prod", "cloud")}
        in_turn({"packages": compiling["cloud"]}, folder, runs=1)  # they are built once, then kept
        compiled = in_turn(compiling, folder, runs=3)
        (folder / "big.yaml").write_text(spec(1_000))
        apply = [*US, "apply", "-e", "prod", "--yes"]
        planned = in_turn({"apply": apply, "plan": [*US, "plan", "-e", "prod", "--exit-code"]}, folder, runs=3)["plan"]
        found = [
            *(
                Row(f"`compile` of 10,000 steps for {name}", f"{told.seconds:.2f} s", "", "", "5 s", told.seconds <= 5)
                for name, told in zip(("Airflow", "AWS"), compiled.values(), strict=True)
            ),
            Row("`plan` of 1,000 steps, no change", f"{planned.seconds:.2f} s", "", "", "2 s", planned.seconds <= 2),
            *on_aws(folder),
        ]
        if not AIRFLOW.exists():
            return found
        (folder / "big.yaml").write_text(spec(500))
        in_turn({"apply": apply}, folder, runs=1)
        (folder / "hand.py").write_text(BY_HAND)
        files = {"ours": "../dags/big/big.big.py", "hand": "hand.py"}
        told = in_turn({key: [str(AIRFLOW), "-c", IMPORT, file] for key, file in files.items()}, folder, runs=5)
        ours, hand = (float(told[key].told.split()[-1]) for key in files)
        ratio = ours / hand
        shown = f"{hand * 1000:.0f} ms (the smallest by hand)"
        return [
            *found,
            Row("Airflow imports 500 steps", f"{ours * 1000:.0f} ms", shown, f"{ratio:.2f}x", "1.5x", ratio <= 1.5),
        ]


def on_aws(folder: Path) -> list[Row]:
    """Plan 1,000 functions that are as they should be; what AWS takes to answer is not ours, and is told beside it."""
    if not aws.COMMAND.exists():
        return []
    home = folder.parent / "aws"
    home.mkdir()
    with aws.serving(home, auth=False) as given:
        once([*US, "apply", "-e", "cloud", "--yes"], folder, given)
        plan = {"plan": [*US, "plan", "-e", "cloud", "--exit-code"]}  # a difference would fail it
        told = in_turn(plan, folder, runs=3, environment=given)["plan"]
    what = "`plan` of 1,000 steps on AWS, no change"
    return [
        Row(what, f"{told.cpu:.2f} s", f"{told.seconds:.2f} s with the emulator's answers", "", "2 s", told.cpu <= 2)
    ]
