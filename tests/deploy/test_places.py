"""Nothing is left at a place that an environment had before, and nothing of what its runs reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engines import gcs_fake

from anabranch.app import Project
from anabranch.data import reports
from anabranch.data.objects.store import objects
from anabranch.deploy.places import at, places_of
from anabranch.model.environment import Airflow, Aws, Environment
from anabranch.model.errors import ConflictError, InvalidProject
from anabranch.model.pipeline import StepId
from anabranch.store.files import LocalFiles

if TYPE_CHECKING:
    from anabranch.app.deploy import Deployment

SPEC = """
project: {project}
pipelines: [p.yaml]
environments:
  base: {{tags: {{team: data, tier: 1}}}}
  prod:
    airflow: {{dags: {folder}/{dags}}}
    storage: {folder}/{storage}
    artifacts: {folder}/{artifacts}
    tags: {{tier: 2}}
"""


def deployed(folder: Path, project: str = "shop", **places: str) -> Deployment:
    root = folder / project
    root.mkdir(exist_ok=True)
    given = {"dags": "dags", "storage": "lake", "artifacts": "artifacts"} | places
    (root / "anabranch.yaml").write_text(SPEC.format(project=project, folder=folder, **given))
    (root / "p.yaml").write_text("pipeline: p\nsteps:\n  s: {shell: [echo, hello]}\n")
    return Project.load(root).deployment("prod")


def listing(folder: Path, *places: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for place in places for path in (folder / place).rglob("*"))


@pytest.mark.parametrize("moved", [{"dags": "new"}, {"artifacts": "new"}, {"storage": "new"}])
def test_an_environment_that_moved_is_refused_until_destroy_has_emptied_the_old_place(
    tmp_path: Path, moved: dict[str, str]
) -> None:
    for each in ("lake", "dags", "artifacts"):
        (tmp_path / each).mkdir()
    deployed(tmp_path).apply(lambda _: None)
    new = deployed(tmp_path, **moved)
    for act in (new.plan, lambda: new.apply(lambda _: None)):
        with pytest.raises(ConflictError) as refused:
            act()
        assert refused.value.code == "environment-moved"
        (name,) = moved
        assert f"{name} {tmp_path}/" in refused.value.message
        assert "anabranch destroy -e prod" in refused.value.hint
    assert not new.destroy(lambda _: None).left
    assert listing(tmp_path, "dags/shop", "artifacts", "new") == []
    new.apply(lambda _: None)
    assert new.plan().changes == ()
    assert listing(tmp_path, "new") or "storage" in moved


def test_all_of_it_may_lie_in_google_s_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Composer has it: DAG files, payloads, data and state; a fake that keeps the conditions of a write."""
    with gcs_fake.serving() as given:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        root = tmp_path / "shop"
        deployed(tmp_path)
        spec = (root / "anabranch.yaml").read_text().replace(f"{tmp_path}/", "gs://lake/")
        (root / "anabranch.yaml").write_text(f"{spec}    state: gs://lake/state\n")
        deployment = Project.load(root).deployment("prod")
        assert len(deployment.apply(lambda _: None).acts) == 3
        assert deployment.plan().changes == ()
        assert "gs://lake/artifacts/" in (objects("gs://lake/dags").read("shop/shop.p.py") or b"").decode()
        assert not deployment.destroy(lambda _: None).left
        assert objects("gs://lake").list("") == {}


def test_files_of_one_folder_are_written_and_deleted_at_once(tmp_path: Path) -> None:
    """Whoever deletes the last file of a folder deletes the folder, while others come."""
    place = LocalFiles(tmp_path)

    def turn(number: int) -> None:
        place.write(f"a/b/{number}", b"x")
        place.delete(f"a/b/{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(turn, range(1000)))
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_there_no_more_holds_nobody_up(tmp_path: Path) -> None:
    """A folder was renamed, and what lay in it with it: that is found again by its marks."""
    deployed(tmp_path).apply(lambda _: None)
    (tmp_path / "dags").rename(tmp_path / "renamed")
    moved = deployed(tmp_path, dags="renamed")
    assert not [each for each in moved.plan().acts if each.address.startswith("dag/")] or moved.plan().acts
    moved.apply(lambda _: None)
    assert moved.plan().changes == ()
    assert moved.state.places()["dags"] == f"{tmp_path}/renamed"


def test_destroy_finds_what_was_moved_by_hand(tmp_path: Path) -> None:
    deployed(tmp_path).apply(lambda _: None)
    (tmp_path / "dags").rename(tmp_path / "renamed")
    done = deployed(tmp_path, dags="renamed").destroy(lambda _: None)
    assert (done.left, len(done.plan.acts)) == ((), 3)
    assert listing(tmp_path, "renamed", "artifacts") == []


def test_places_are_told_and_taken_back() -> None:
    here = Environment("prod", Airflow("/dags", "http://x", token="secret://env/T"), "/lake", "/artifacts")
    there = Environment("prod", Aws("1" * 12, "eu-west-1"), "s3://lake", "s3://lake/a")
    assert at(here, places_of(here)) == here
    assert at(here, {}) == here
    for one, other in ((here, there), (there, here)):
        assert places_of(at(one, places_of(other))) == places_of(other)


def test_destroy_deletes_what_its_runs_reported_and_no_others(tmp_path: Path) -> None:
    mine, other = deployed(tmp_path), deployed(tmp_path, "other")
    for each in (mine, other):
        each.apply(lambda _: None)
        for run in ("r1", "r2"):
            _run(tmp_path, each, run)
    assert len(listing(tmp_path, "lake/_anabranch/reports/p")) == 8
    done = mine.destroy(lambda _: None)
    assert (done.reports, done.left) == (2, ())
    found = reports.read(tmp_path / "lake", "p", "other-r1")
    assert found[StepId("s"), 1]["deployment"] == "other/prod/main"
    assert [name for name in listing(tmp_path, "lake") if "shop-" in name] == []
    assert other.destroy(lambda _: None).reports == 2
    assert listing(tmp_path, "lake", "dags", "artifacts") == []
    assert mine.state.places() == {}


def _run(folder: Path, deployment: Deployment, run: str) -> None:
    """Run the step as an Airflow's worker would."""
    owner = deployment.owner
    artifacts = folder / "artifacts" / owner.project / owner.environment / owner.namespace
    (payload,), (definition,) = artifacts.glob("*.pyz"), artifacts.glob("*.json")
    command = [sys.executable, str(payload), "step", "s", "--definition", str(definition)]
    given = {**os.environ, "ANABRANCH_RUN": f"{owner.project}-{run}", "XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run([*command, "--storage", str(folder / "lake")], check=True, env=given, timeout=60)


def test_tags_are_layered_and_on_the_dag(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    assert deployment.environment.tags == (("team", "data"), ("tier", "2"))
    deployment.apply(lambda _: None)
    (file,) = (tmp_path / "dags").rglob("*.py")
    (line,) = [line for line in file.read_text().splitlines() if line.strip().startswith("tags=")]
    assert json.loads(line.strip().removeprefix("tags=").rstrip(","))[-2:] == ["team:data", "tier:2"]


@pytest.mark.parametrize("tag", ["anabranch:project: x", "aws:x: y", "team: 'a,b'", "'': x", f"team: {'x' * 200}"])
def test_a_tag_that_not_every_platform_takes_is_refused(tmp_path: Path, tag: str) -> None:
    key, _, value = tag.rpartition(": ")
    spec = SPEC.replace("{{tier: 2}}", "{{" + f'{json.dumps(key.strip(chr(39)))}: "{value.strip(chr(39))}"' + "}}")
    root = tmp_path / "shop"
    root.mkdir()
    (root / "p.yaml").write_text("pipeline: p\nsteps:\n  s: {shell: [echo, hello]}\n")
    (root / "anabranch.yaml").write_text(
        spec.format(project="shop", folder=tmp_path, dags="d", storage="l", artifacts="a")
    )
    with pytest.raises(InvalidProject) as refused:
        Project.load(root).deployment("prod")
    assert [each.code for each in refused.value.diagnostics] == ["bad-tag"]
