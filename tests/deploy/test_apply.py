"""Apply is cut off after each single call, by each way that a process ends: the next one converges."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.projects import anabranch

from anabranch.app import Project
from anabranch.app.deploy import Deployment
from anabranch.deploy.plan import Saved
from anabranch.model.errors import AnabranchError, ConflictError, InvalidProject
from anabranch.model.plan import Create, Delete, Plan, Record, Update
from anabranch.model.resource import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.model.resource import Live, Resource

SPEC = """
project: {project}
pipelines: ["*.yaml"]
environments:
  prod: {{airflow: {{dags: ../dags}}, storage: ../storage}}
"""
PIPELINE = """
pipeline: {name}
steps:
  {step}: {{shell: [echo, hello]}}
"""


def project(
    folder: Path, name: str = "shop", step: str = "say", pipelines: tuple[str, ...] = ("one", "two")
) -> Project:
    root = folder / name
    root.mkdir(exist_ok=True)
    for old in root.glob("*.yaml"):
        old.unlink()
    (root / "anabranch.yaml").write_text(SPEC.format(project=name).replace('"*.yaml"', '"p_*.yaml"'))
    for each in pipelines:
        (root / f"p_{each}.yaml").write_text(PIPELINE.format(name=each, step=step))
    return Project.load(root)


def deployed(folder: Path, **settings: object) -> Deployment:
    return project(folder, **settings).deployment("prod")  # type: ignore[arg-type]


def silently(deployment: Deployment, **settings: object) -> Plan:
    return deployment.apply(lambda _: None, **settings)


def files(folder: Path) -> dict[str, bytes]:
    found = [path for side in ("dags", "storage") for path in (folder / side).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(found)}


class CutError(Exception):
    pass


class Cut:
    """A platform that is cut off before or after a call."""

    def __init__(self, inner: object, at: int, *, after: bool) -> None:
        self.inner, self.left, self.after = inner, at, after

    def _call(self, act: Callable[[], None]) -> None:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise CutError
        act()
        if self.left < 0:
            raise CutError

    def live(self, resources: object, known: object = ()) -> dict[Address, Live]:
        return self.inner.live(resources, known)  # type: ignore[attr-defined, no-any-return]

    def create(self, resource: Resource) -> None:
        self._call(lambda: self.inner.create(resource))  # type: ignore[attr-defined]

    def update(self, resource: Resource, live: Live) -> None:
        self._call(lambda: self.inner.update(resource, live))  # type: ignore[attr-defined]

    def delete(self, live: Live) -> None:
        self._call(lambda: self.inner.delete(live))  # type: ignore[attr-defined]


@pytest.mark.parametrize("after", [False, True])
def test_cut_off_at_each_call_the_next_apply_converges(tmp_path: Path, after: bool) -> None:
    """From nothing to two pipelines, to one other, to nothing: each call of each apply is cut off in turn."""
    whole = tmp_path / "whole"
    whole.mkdir()
    wanted: list[dict[str, bytes]] = []
    states: list[dict[str, object]] = [
        {"step": "say"},
        {"step": "tell", "pipelines": ("one", "three")},
        {"step": "tell", "pipelines": ("three",)},
    ]
    calls: list[int] = []
    for state in states:
        calls.append(len(silently(deployed(whole, **state)).acts))
        wanted.append(files(whole))
    assert sum(calls) >= 9
    for turn in range(sum(calls)):
        folder = tmp_path / f"cut{turn}"
        folder.mkdir()
        left = turn
        for i, state in enumerate(states):
            deployment = deployed(folder, **state)
            if 0 <= left < calls[i]:
                inner = deployment.platform
                deployment.platform = Cut(inner, left, after=after)  # type: ignore[assignment]
                with pytest.raises(CutError):
                    silently(deployment)
                deployment = deployed(folder, **state)
            left -= calls[i]
            silently(deployment)
            assert set(files(folder)) == set(wanted[i])
            assert deployment.plan().changes == ()
        silently(deployment, destroy=True)
        assert files(folder) == {}
        assert deployment.state.applied() == {}
        shutil.rmtree(folder)


KILLED = """
import os, signal, sys
from pathlib import Path
from anabranch.app import Project
deployment = Project.load(sys.argv[1]).deployment("prod")
left = int(sys.argv[2])
def told(change):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
deployment.apply(told)
"""


@pytest.mark.parametrize("turn", range(4))
def test_killed_by_the_kernel_its_lock_and_its_changes_do_no_harm(tmp_path: Path, turn: int) -> None:
    deployment = deployed(tmp_path)
    root = str(tmp_path / "shop")
    ended = subprocess.run([sys.executable, "-c", KILLED, root, str(turn)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    done = {address for address, each in deployment.state.applied().items() if each.digest}
    assert len(done) == turn + 1
    assert not done & {change.address for change in silently(deployment).acts}  # what is recorded is not made again
    assert deployment.plan().changes == ()


WRITING = """
import os, signal, sys
from pathlib import Path
from anabranch.app import Project
deployment = Project.load(sys.argv[1]).deployment("prod")
replace, left = Path.replace, int(sys.argv[2])
def cut(self, target):
    global left
    left -= Path(target).suffix in {".py", ".pyz"}
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = cut
deployment.apply(lambda change: None)
"""


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("destroy", [False, True])
def test_killed_while_a_file_is_written_nothing_is_left_of_it(tmp_path: Path, turn: int, destroy: bool) -> None:
    deployment = deployed(tmp_path)
    ended = subprocess.run([sys.executable, "-c", WRITING, str(tmp_path / "shop"), str(turn)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert [name for name in files(tmp_path) if "/." in name]
    silently(deployment)
    assert deployment.plan().changes == ()
    assert not [name for name in files(tmp_path) if "/." in name]
    if destroy:
        silently(deployment, destroy=True)
        assert files(tmp_path) == {}


def test_killed_while_a_payload_is_written_destroy_leaves_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITING, str(tmp_path / "shop"), "0"], check=False, timeout=60)
    deployment = deployed(tmp_path)
    subprocess.run([sys.executable, "-c", WRITING, str(tmp_path / "shop"), "0"], check=False, timeout=60)
    assert [name for name in files(tmp_path) if "/." in name]
    assert not deployment.destroy(lambda _: None).left
    assert files(tmp_path) == {}


def test_a_second_apply_and_a_lost_state_change_nothing(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    assert [type(change) for change in silently(deployment).changes] == [Create] * 5
    before = files(tmp_path)
    assert silently(deployment).changes == ()
    shutil.rmtree(tmp_path / "shop" / ".anabranch")
    again = deployed(tmp_path)
    made = again.plan()
    assert {type(change) for change in made.changes} == {Record}
    assert made.acts == ()
    silently(again)
    assert again.plan().changes == ()
    assert files(tmp_path) == before


def test_a_payload_is_deleted_after_the_dags_that_run_it_whatever_the_state_knows(tmp_path: Path) -> None:
    silently(deployed(tmp_path))
    shutil.rmtree(tmp_path / "shop" / ".anabranch")
    made = silently(deployed(tmp_path), destroy=True)
    after = {change.address: change.after for change in made.changes if isinstance(change, Delete)}
    dags = ("dag/shop.one", "dag/shop.two")
    assert {name: after[name] for name in after if name not in dags} == {  # type: ignore[arg-type]
        name: dags for name in after if name.startswith("artifact/")
    }


def test_what_was_changed_or_deleted_by_hand_is_told_and_mended(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    silently(deployment)
    wanted = files(tmp_path)
    dag = tmp_path / "dags" / "shop" / "shop.one.py"
    dag.write_text(dag.read_text() + "# mine\n")
    (tmp_path / "dags" / "shop" / "shop.two.py").unlink()
    made = deployment.plan()
    assert {(type(change), change.address, change.why) for change in made.changes} == {
        (Update, "dag/shop.one", "it was changed by hand"),
        (Create, "dag/shop.two", "it was deleted by hand"),
    }
    assert [change.drifted for change in made.changes if isinstance(change, Update)] == [True]
    silently(deployment)
    assert files(tmp_path) == wanted


def test_what_is_not_ours_is_never_changed_without_import(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    mine = tmp_path / "dags" / "shop" / "shop.one.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("# written by hand\n")
    other = tmp_path / "dags" / "shop" / "by_hand.py"
    other.write_text("# another\n")
    with pytest.raises(InvalidProject, match="was not made by anabranch"):
        silently(deployment)
    assert mine.read_text() == "# written by hand\n"
    assert not (tmp_path / "storage").exists()
    silently(deployment, target=["dag/shop.one"], adopt=["dag/shop.one"])
    assert "anabranch" in mine.read_text()
    silently(deployment)
    silently(deployment, destroy=True)
    assert files(tmp_path) == {"dags/shop/by_hand.py": b"# another\n"}


def test_two_projects_in_one_airflow_leave_each_other_alone(tmp_path: Path) -> None:
    one, two = deployed(tmp_path, name="shop"), deployed(tmp_path, name="shop.one", pipelines=("one",))
    silently(one)
    first = files(tmp_path)
    silently(two)
    assert {name: body for name, body in files(tmp_path).items() if name in first} == first
    silently(one, destroy=True)
    assert files(tmp_path)
    assert two.plan().changes == ()
    silently(two, destroy=True)
    assert files(tmp_path) == {}


def test_a_saved_plan_is_refused_once_it_is_stale_or_was_applied(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    made = deployment.plan()
    silently(deployment, saved=Saved(made.digest, made.serial))
    with pytest.raises(ConflictError, match="applied to since, and there is nothing left") as replayed:
        silently(deployment, saved=Saved(made.digest, made.serial))
    assert replayed.value.code == "stale-plan"
    other = deployed(tmp_path, step="tell")
    made = other.plan()
    dag = tmp_path / "dags" / "shop" / "shop.one.py"
    dag.write_text(dag.read_text() + "# mine\n")
    before = files(tmp_path)
    with pytest.raises(ConflictError, match="has changed since"):
        silently(other, saved=Saved(made.digest, made.serial))
    assert files(tmp_path) == before


def test_what_we_write_into_a_project_is_none_of_its_code(tmp_path: Path) -> None:
    """A plan that is kept, and what compile writes: else each would make the next plan another."""
    deployed(tmp_path)
    root = tmp_path / "shop"
    plan = ("plan", "-e", "prod", "--out", "next.json", "--exit-code")
    assert "kept in next.json: anabranch apply next.json" in anabranch(root, *plan, code=6)
    anabranch(root, "apply", "next.json")
    anabranch(root, *plan)
    anabranch(root, "compile", "-e", "prod", "--out", "compiled")
    anabranch(root, *plan)


def test_whoever_deploys_deploys_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed on the machine that asks says nothing of the workers' own."""
    silently(deployed(tmp_path))
    monkeypatch.setattr("anabranch.store.code.installed", lambda: "python==3.99\npolars==0.0.1\n")
    assert deployed(tmp_path).plan().changes == ()


def test_applies_at_once_are_safe(tmp_path: Path) -> None:
    deployed(tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "shop"), "1000"]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [(process.communicate(timeout=60)[1], process.returncode) for process in started]
    assert [code for _, code in told].count(0) >= 1
    assert all("state-locked" in text or "has been changing" in text for text, code in told if code)
    assert deployed(tmp_path).plan().changes == ()


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_recorded(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    (tmp_path / "dags").write_text("a file where the folder should be")
    with pytest.raises(AnabranchError):
        silently(deployment)
    assert not any(each.digest for each in deployment.state.applied().values() if each.address.startswith("dag/"))
    (tmp_path / "dags").unlink()
    silently(deployment)
    assert deployment.plan().changes == ()


def test_what_was_cut_off_is_not_laid_at_somebodys_door(tmp_path: Path) -> None:
    """An update of several calls that ended in the middle looks like a change by hand; the state knows better."""
    silently(deployed(tmp_path))
    state = deployed(tmp_path).state
    with state.lock():
        state.intend(Address("dag/shop.one"))
    dag = tmp_path / "dags" / "shop" / "shop.one.py"
    dag.write_text(dag.read_text() + "# half\n")
    (change,) = deployed(tmp_path).plan().changes
    assert isinstance(change, Update)
    assert (change.drifted, "cut off" in change.why) == (False, True)


def test_targets_are_applied_with_what_they_need_and_nothing_else(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    made = silently(deployment, target=["dag/shop.one"])
    assert sorted(change.address.partition("-")[0] for change in made.changes) == [
        "artifact/one",
        "artifact/payload",
        "dag/shop.one",
    ]
    assert isinstance(made.changes[-1], Create)
    with pytest.raises(AnabranchError, match="there is no resource"):
        deployment.plan(target=["dag/nope"])
    (payload,) = (tmp_path / "storage").rglob("payload-*")
    payload.unlink()
    assert [each.address for each in deployment.plan(target=["dag/shop.one"]).changes] == [f"artifact/{payload.name}"]


def test_a_pipeline_that_is_gone_is_deleted_and_its_payload_stays_until_destroy(tmp_path: Path) -> None:
    silently(deployed(tmp_path))
    fewer = deployed(tmp_path, pipelines=("two",))
    made = silently(fewer)
    assert [change.address for change in made.changes if isinstance(change, Delete)] == ["dag/shop.one"]
    assert any("payload" in name for name in files(tmp_path))
    silently(fewer, destroy=True)
    assert files(tmp_path) == {}
