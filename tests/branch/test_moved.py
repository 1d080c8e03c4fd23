"""Commands that nothing touches are not looked at twice; those that something touches always are."""

from __future__ import annotations

from pathlib import Path

import pytest

from anabranch.app import Project

SPEC = """
pipeline: p
datasets: {a: {stage: raw, format: csv}, b: {stage: final, format: csv}, c: {stage: final, format: csv}}
steps:
  by_file: {shell: "sh scripts/copy.sh ${in.a} ${out.b}", reads: a, writes: b}
  alone: {shell: "cp ${in.a} ${out.c}", reads: a, writes: c}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "anabranch.yaml").write_text("project: moved\npipelines: [p.yaml]\n")
    (tmp_path / "p.yaml").write_text(SPEC)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "copy.sh").write_text('cat "$1" > "$2"\n')
    (tmp_path / "notes.txt").write_text("one\n")
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "a.csv").write_text("x\n1\n")
    assert Project.load(tmp_path).run().ok
    return tmp_path


def steps(root: Path, name: str) -> set[str]:
    return set(Project.load(root).branches.create(name).steps)


def test_a_script_that_changes_in_place_changes_its_step_alone(root: Path) -> None:
    (root / "scripts" / "copy.sh").write_text('sort "$1" > "$2"\n')
    assert steps(root, "b") == {"by_file"}


def test_a_file_that_no_command_names_changes_no_step(root: Path) -> None:
    (root / "notes.txt").write_text("two\n")
    assert steps(root, "b") == set()


def test_a_script_that_is_gone_or_new_is_seen(root: Path) -> None:
    (root / "scripts" / "copy.sh").rename(root / "scripts" / "other.sh")
    assert steps(root, "b") == {"by_file"}
    (root / "p.yaml").write_text(SPEC.replace("scripts/copy.sh", "scripts/other.sh"))
    assert steps(root, "c") == {"by_file"}
