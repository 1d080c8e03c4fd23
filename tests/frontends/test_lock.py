"""Requirements come to the same, later and elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anabranch.app import Project
from anabranch.frontends.lock import FILE, key_of, read_locks, unlocked, with_locks, write_locks
from anabranch.model.call import ShellCall
from anabranch.model.errors import ConflictError, InvalidProject
from anabranch.model.pipeline import Needs, Pipeline, Step, StepId

SPEC = """
pipeline: p
datasets: {a: {stage: raw, format: csv}, b: {stage: final, format: csv}}
steps:
  s:
    shell: "python -c 'import six; print(six.__version__)' && cp ${in.a} ${out.b}"
    reads: a
    writes: b
    requirements: [python-dateutil==2.9.0]
"""


def pipeline(*requirements: str) -> Pipeline:
    return Pipeline("p", (Step(StepId("s"), ShellCall(("true",)), needs=Needs(requirements=requirements)),))


def test_a_locked_step_requires_what_is_locked_and_is_not_asked_for_again(tmp_path: Path) -> None:
    write_locks(tmp_path, {key_of(["b", "a"]): ["a==1", "b==2", "c==3"]})
    locks = read_locks(tmp_path)
    locked = with_locks(pipeline("a", "b"), locks)
    assert locked.steps[0].needs.requirements == ("a==1", "b==2", "c==3")
    assert unlocked([locked, pipeline("b", "a")], locks) == {}
    assert unlocked([pipeline("b")], locks) == {"b": ("b",)}
    assert with_locks(pipeline(), locks) == pipeline()


@pytest.mark.parametrize(
    "body, error", [("{", InvalidProject), ('{"anabranch": 1}', InvalidProject), ("[]", InvalidProject)]
)
def test_a_lock_that_is_none_is_told_with_its_place(tmp_path: Path, body: str, error: type[Exception]) -> None:
    (tmp_path / FILE).write_text(body)
    with pytest.raises(error):
        read_locks(tmp_path)


def test_a_newer_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"anabranch": 99, "requirements": {}}))
    with pytest.raises(ConflictError):
        read_locks(tmp_path)


@pytest.mark.slow
def test_a_changed_lock_is_a_changed_step(tmp_path: Path) -> None:
    """A library that another one needs, in a newer version: nothing in the project's own files says so but the lock."""
    (tmp_path / "anabranch.yaml").write_text("project: locked\npipelines: [p.yaml]\n")
    (tmp_path / "p.yaml").write_text(SPEC)
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "a.csv").write_text("x\n1\n")
    first = Project.load(tmp_path).run()
    assert first.ok, [step.failure for step in first.run.steps]
    locks = read_locks(tmp_path)
    (found,) = locks.values()
    assert [each.partition("==")[0] for each in found] == ["python-dateutil", "six"]
    project = Project.load(tmp_path)
    assert project.branches.create("same").steps == ()
    write_locks(tmp_path, {key: ["python-dateutil==2.9.0", "six==1.16.0"] for key in locks})
    changed = Project.load(tmp_path).branches.create("other")
    assert [(reason.step, reason.why) for reason in changed.reasons] == [("s", ("requirements changed",))]
    done = Project.load(tmp_path).branches.run("other")
    assert done is not None
    assert done.ok
    log = Project.load(tmp_path).log_path(done.run.id, StepId("s"), 1)
    assert "1.16.0" in log.read_text()
    shutil.rmtree(tmp_path / ".anabranch")
