"""Promises 8 and 9: a run killed at any moment leaves no half data, loses no event, and a retry ends it as in peace."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.projects import anabranch, write

from anabranch.model.run import RunState
from anabranch.store.runs import SqliteRunStore

MOMENTS = 50

FILES = {
    "anabranch.yaml": "project: k\npipelines: ['jobs:p']\n",
    "data/raw/events.csv": "n,k\n" + "".join(f"{n},{n % 7}\n" for n in range(2000)),
    "jobs.py": """
        from __future__ import annotations
        from pathlib import Path
        from anabranch import Dataset, pipeline, shell, sql, step
        events = Dataset("events", format="csv", columns={"n": "int64", "k": "int64"},
                         ingestion="incremental", incremental_field="n")
        log = Dataset("log", stage="cleaned", format="csv", columns={"n": "int64", "k": "int64"})
        upper = Dataset("upper", stage="cleaned", format="csv", columns={"n": "int64"}, primary_key=["n"])
        tally = Dataset("tally", stage="final", format="csv", primary_key=["k"])
        lines = Dataset("lines", stage="final", format="csv")
        parts = Dataset("parts", stage="final", format="parquet", partition_by=["k"])
        ingest = sql("ingest", "select * from events", reads=events, writes=log)
        high = sql("high", "select n from log where n > 1000 order by n", reads=log, writes=upper)
        count = sql("count", "select k, count(*) c from log group by k order by k", reads=log, writes=tally)
        text = shell("text", "sort -n ${in.upper} > ${out.lines}", reads=upper, writes=lines)
        split = sql("split", "select n, k from log order by n", reads=log, writes=parts)
        @step
        def total() -> int:
            return 5
        @step
        def twice(x: int) -> int:
            return 2 * x
        p = pipeline("p", [ingest, high, count, text, split, total >> twice])
        """,
}


def outputs(root: Path) -> dict[str, str]:
    """Every published file below the storage, by content."""
    data = root / "data"
    return {
        path.relative_to(data).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(data.rglob("*"))
        if path.is_file() and "_anabranch" not in path.parts
    }


@pytest.mark.slow
def test_killed_at_random_moments_a_retry_gives_the_same_bytes(tmp_path: Path) -> None:
    """50 moments: kill -9 of the runner, then retries until done; outputs equal those of a run in peace."""
    peaceful = write(tmp_path / "peaceful", FILES)
    began = time.monotonic()
    anabranch(peaceful, "run")
    length = time.monotonic() - began
    wanted = outputs(peaceful)
    assert len(wanted) > 8
    draw = random.Random(20131231)
    dead = 0
    for moment in range(MOMENTS):
        root = write(tmp_path / str(moment), FILES)
        child = subprocess.Popen(
            [sys.executable, "-m", "anabranch", "run"], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            child.wait(timeout=length * (0.2 + 0.8 * draw.random()))
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        assert_whole(outputs(root), wanted)
        store = SqliteRunStore(root / ".anabranch")
        runs = store.runs() if store.path.exists() else ()
        # A worker that was being started when the runner died holds its lock until it has begun.
        deadline = time.monotonic() + 5
        while runs and runs[0].state is RunState.RUNNING and time.monotonic() < deadline:
            runs = store.runs()
        store.close()
        if not runs:
            anabranch(root, "run")
        elif runs[0].state is RunState.DEAD:
            dead += 1
            told = anabranch(root, "runs", "retry", "last", code=None)
            if "nothing-to-retry" not in told:
                assert "succeeded" in told, told
        else:
            assert runs[0].state is RunState.SUCCEEDED
        assert outputs(root) == wanted, f"killed at moment {moment}"
        assert not list((root / "data" / "_anabranch").glob("journal/*/*.json"))
    assert dead > MOMENTS // 5, f"only {dead} runs were killed in the middle"


def assert_whole(found: dict[str, str], wanted: dict[str, str]) -> None:
    """Whatever lies there is complete: no file that a run in peace would not have, byte for byte."""
    for name, digest in found.items():
        assert wanted.get(name) == digest, name


def test_a_step_that_is_killed_leaves_the_old_output(tmp_path: Path) -> None:
    """Its half-written file is never seen, and goes with the attempt."""
    root = write(
        tmp_path,
        {
            "anabranch.yaml": "project: k\npipelines: [p.yaml]\n",
            "data/final/out.csv": "n\n1\n",
            "p.yaml": """
                pipeline: p
                datasets: {out: {stage: final, format: csv}}
                steps:
                  s: {shell: "echo n > ${out.out}; echo 2 >> ${out.out}; kill -9 $PPID", writes: out}
                """,
        },
    )
    told = anabranch(root, "run", code=4)
    assert "killed by SIGKILL" in told
    assert (root / "data/final/out.csv").read_text() == "n\n1\n"


def test_ctrl_c_stops_children_and_says_how_to_go_on(tmp_path: Path) -> None:
    """Exit 130; nothing that the step started is still there."""
    root = write(
        tmp_path,
        {
            "anabranch.yaml": "project: k\npipelines: [p.yaml]\n",
            "p.yaml": """
                pipeline: p
                steps:
                  s: {shell: "sleep 1234 & echo $! > child.pid; wait"}
                  t: {shell: "true", after: [s]}
                """,
        },
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not (root / "child.pid").exists() or not (root / "child.pid").read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    told, _ = child.communicate(timeout=30)
    assert child.returncode == 130, told
    assert "anabranch runs retry" in told
    pid = int((root / "child.pid").read_text())
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < deadline + 30, "the child is still there"
        time.sleep(0.05)


def test_a_second_run_of_one_pipeline_is_refused_or_waits(tmp_path: Path) -> None:
    """Exit 7 naming the other run; with --wait it runs after it."""
    root = write(
        tmp_path,
        {
            "anabranch.yaml": "project: k\npipelines: [p.yaml]\n",
            "p.yaml": "pipeline: p\nsteps:\n  s: {shell: 'touch started; while [ ! -e go ]; do sleep 0.1; done'}\n",
        },
    )
    first = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run"], cwd=root, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not (root / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "already-running" in anabranch(root, "run", code=7)
    second = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "run", "--wait", "60"],
        cwd=root,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    (root / "go").touch()
    assert first.wait(timeout=30) == 0
    assert second.wait(timeout=60) == 0
