"""Branches whose processes are killed at any moment, and two that promote at once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.invariants.branches import graph, inventory, left_of_branches, ran, rows, write

from anabranch.app import Project
from anabranch.data import disk
from anabranch.model.errors import AnabranchError, ConflictError, StepError
from anabranch.model.run import RunState

EDGES = graph(3)


def killed(root: Path, after: float, *arguments: str) -> int | None:
    """Start a verb and kill it, and all that it started, after some seconds; return its exit code, None if killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "anabranch", *arguments],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def changed(root: Path) -> Project:
    """Return a project whose main has run, and whose code has changed since."""
    write(root, EDGES, {})
    ran(root)
    write(root, EDGES, {"s0": 5})
    return Project.load(root)


def test_main_is_untouched_whenever_a_run_of_a_branch_or_its_drop_is_killed(tmp_path: Path) -> None:
    """And the next run works, and the next drop leaves nothing."""
    project = changed(tmp_path)
    before = inventory(tmp_path / "data")
    draw = random.Random(1)
    project.branches.create("b")
    for _ in range(8):
        killed(tmp_path, draw.uniform(0.2, 1.5), "branch", "run", "b")
        assert inventory(tmp_path / "data") == before
    done = project.branches.run("b")
    assert done is not None
    assert done.run.state is RunState.SUCCEEDED
    for _ in range(4):
        killed(tmp_path, draw.uniform(0.15, 0.5), "branch", "drop", "b", "--yes")
        assert inventory(tmp_path / "data") == before
    if any(branch.name == "b" for branch in project.branches.all()):
        project.branches.drop("b")
    assert left_of_branches(tmp_path) == []
    assert inventory(tmp_path / "data") == before


def test_a_drop_that_was_cut_off_is_finished_by_gc(tmp_path: Path) -> None:
    """And a root without a record is collected, one of another checkout is left alone."""
    project = changed(tmp_path)
    project.branches.create("b")
    project.branches.run("b")
    branch = project.branches.find("b")
    project.branches.store.delete("b")  # as if the record had been lost
    found = project.branches.gc(dry=True)
    assert [(each.name, each.why) for each in found] == [("b", "its record is gone")]
    assert Path(branch.root).exists()
    project.branches.gc()
    assert not Path(branch.root).exists()
    other = tmp_path / "data" / "_branches" / "strange"
    other.mkdir(parents=True)
    (left,) = project.branches.gc()
    assert left.left
    assert other.exists()


def test_a_branch_whose_time_is_over_is_collected_and_one_that_fails_does_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is told."""
    project = changed(tmp_path)
    for name in ("a", "b", "c"):
        project.branches.create(name, days=1e-9)
        project.branches.run(name)
    bad = Path(project.branches.find("b").root)
    remove = disk.remove

    def stubborn(path: Path) -> None:
        if not path.is_relative_to(bad):
            remove(path)

    monkeypatch.setattr(disk, "remove", stubborn)
    found = {each.name: each for each in project.branches.gc()}
    assert (bool(found["a"].left), bool(found["b"].left), bool(found["c"].left)) == (False, True, False)
    assert [branch.name for branch in project.branches.all()] == ["b"]
    monkeypatch.undo()
    project.branches.gc()
    assert left_of_branches(tmp_path) == []


@pytest.mark.parametrize("seed", range(2))
def test_a_promotion_that_is_killed_has_happened_or_not(seed: int, tmp_path: Path) -> None:
    """For all datasets together, whoever looks next; then it can be promoted, or is already."""
    project = changed(tmp_path)
    names = [f"d{i}" for i in range(len(EDGES))]
    old = {name: rows(tmp_path, tmp_path / "data", name) for name in names}
    branch = project.branches.create("go")
    project.branches.run("go")
    project.branches.deltas("go")
    made = [port.dataset for reason in branch.reasons for port in project.pipeline("p").step_by_id[reason.step].outputs]
    new = old | {name: rows(tmp_path, Path(branch.root), name) for name in made}
    draw = random.Random(seed)
    for _ in range(8):
        killed(tmp_path, draw.uniform(0.3, 0.9), "branch", "promote", "go", "--yes")
        from anabranch.data.local import LocalData

        LocalData(tmp_path / "data").recover("p")  # what whoever comes next does first
        now = {name: rows(tmp_path, tmp_path / "data", name) for name in names}
        assert now in (old, new)
    try:
        project.branches.promote("go")
    except ConflictError as error:
        assert error.code == "promoted"  # noqa: PT017 - either is right
    assert {name: rows(tmp_path, tmp_path / "data", name) for name in names} == new
    project.branches.undo("go")
    assert {name: rows(tmp_path, tmp_path / "data", name) for name in names} == old


def test_of_two_promotions_at_once_exactly_one_wins(tmp_path: Path) -> None:
    """The other changes nothing."""
    project = changed(tmp_path)
    for name in ("one", "two"):
        project.branches.create(name)
        project.branches.run(name)
        project.branches.deltas(name)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "anabranch", "branch", "promote", name, "--yes"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for name in ("one", "two")
    ]
    told = [(process.communicate(timeout=60)[0].decode(), process.returncode) for process in started]
    assert sorted(code for _, code in told) == [0, 7], told
    (loser,) = (text for text, code in told if code)
    assert "promote-conflict" in loser or "already-running" in loser


def test_a_branch_in_use_is_not_dropped_unless_forced(tmp_path: Path) -> None:
    """`--force` stops its run first."""
    write(tmp_path, EDGES, {})
    ran(tmp_path)
    text = (tmp_path / "p.yaml").read_text()
    slow = "SELECT k, CAST(count(*) AS BIGINT) AS v FROM raw_a, range(40000) a, range(40000) b GROUP BY k"
    import yaml

    shape = yaml.safe_load(text)
    shape["steps"]["s0"] = {"sql": slow, "reads": ["raw_a"], "writes": ["d0"]}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(shape))
    project = Project.load(tmp_path)
    project.branches.create("b", at=["s0"])
    process = subprocess.Popen(
        [sys.executable, "-m", "anabranch", "branch", "run", "b"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not any(run.state is RunState.RUNNING for run in project.runs.runs("p", namespace="b")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(ConflictError, match="in use"):
        project.branches.drop("b")
    project.branches.drop("b", force=True)
    process.wait(timeout=30)
    assert left_of_branches(tmp_path) == []


def test_python_code_of_a_branch_cannot_write_to_mains_data(tmp_path: Path) -> None:
    """A step that opens, renames or deletes a file of main's fails, and says whose it is."""
    (tmp_path / "anabranch.yaml").write_text("project: guard\npipelines: [steps:p]\n")
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/raw.csv").write_text("k\n1\n")
    code = """
from pathlib import Path
import os
import polars as pl
from anabranch import Dataset, pipeline, step
raw = Dataset("raw", format="csv")
out = Dataset("out", stage="final")
HERE = Path(__file__).parent / "data"
@step(reads=raw, writes=out)
def copy(raw: pl.DataFrame) -> pl.DataFrame:
    {line}
    return raw
p = pipeline("p", [copy])
"""
    (tmp_path / "steps.py").write_text(code.format(line="pass"))
    subprocess.run([sys.executable, "-m", "anabranch", "run"], cwd=tmp_path, check=True, capture_output=True)
    before = inventory(tmp_path / "data")
    attacks = [
        "(HERE / 'final' / 'out.parquet').write_bytes(b'x')",
        "os.remove(HERE / 'raw' / 'raw.csv')",
        "os.rename(HERE / 'raw' / 'raw.csv', '/tmp/stolen.csv')",
        "(HERE / 'raw' / 'new').mkdir()",
        "os.chdir(HERE); open('raw/raw.csv', 'a').write('2')",
    ]
    for i, attack in enumerate(attacks):
        (tmp_path / "steps.py").write_text(code.format(line=attack))
        subprocess.run(
            [sys.executable, "-m", "anabranch", "branch", "create", f"b{i}", "--at", "copy"], cwd=tmp_path, check=True
        )
        done = subprocess.run(
            [sys.executable, "-m", "anabranch", "branch", "run", f"b{i}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 4, done.stdout + done.stderr
        assert "which is main's" in done.stderr
        assert inventory(tmp_path / "data") == before


def test_storage_that_vanishes_in_the_middle_of_a_comparison_is_told(tmp_path: Path) -> None:
    """And nothing of main's changes."""
    project = changed(tmp_path)
    branch = project.branches.create("b")
    project.branches.run("b")
    before = inventory(tmp_path / "data")
    made = next(Path(branch.root).rglob("d0.parquet"))
    made.write_bytes(made.read_bytes()[:100])
    with pytest.raises(StepError, match="cannot be read"):
        project.branches.deltas("b")
    import shutil

    shutil.rmtree(branch.root)
    try:
        report = project.branches.deltas("b")
        assert report.datasets == ()
    except AnabranchError as error:
        assert error.hint  # noqa: PT017 - told, in one way or the other
    assert inventory(tmp_path / "data") == before
