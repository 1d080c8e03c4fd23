"""What is particular to a real Airflow."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.conformance.both import OnAirflow, Told, logical

from anabranch.app import Project
from anabranch.app.deploy import Deployment
from anabranch.data.objects.store import objects
from anabranch.model.errors import ConflictError, StepError
from anabranch.platforms.airflow.dagfile import version_of
from anabranch.platforms.airflow.orchestration import AirflowOrchestration

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.platforms.airflow.api import AirflowApi

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_airflow_has_no_import_error_and_imports_no_code_of_ours(on_airflow: OnAirflow) -> None:
    api = orchestration(on_airflow.project.deployment("real")).api
    assert list(api.pages("/importErrors", "import_errors")) == []
    wanted = {f"conformance.{name}" for name in on_airflow.project.pipelines}
    deadline = time.monotonic() + 60
    while not wanted <= (dags := {dag["dag_id"] for dag in api.pages("/dags", "dags")}):
        assert time.monotonic() < deadline, wanted - dags
        time.sleep(0.5)
    assert list(api.pages("/importErrors", "import_errors")) == []
    text = (on_airflow.folder / "dags" / "conformance" / "conformance.diamond.py").read_text()
    assert "import anabranch" not in text


def test_a_dag_file_that_airflow_cannot_import_is_told_with_its_words(on_airflow: OnAirflow) -> None:
    project = on_airflow.project
    file = on_airflow.folder / "dags" / "conformance" / "conformance.empty.py"
    good = file.read_text()
    version = version_of(good)
    file.write_text(good.replace(version, "version-000000000000") + "\nraise RuntimeError('spoilt')\n")
    try:
        with pytest.raises(StepError, match="spoilt") as caught:
            project.remote("real").run(project.pipeline("empty"), {}, None, Told())
        assert caught.value.code == "dag-import-error"
        assert [change.why for change in project.deployment("real").plan().changes] == ["it was changed by hand"]
    finally:
        project.deployment("real").apply(lambda _: None)
    assert file.read_text() == good
    assert project.remote("real").run(project.pipeline("empty"), {}, None, Told()).state == "succeeded"


def test_delivered_by_buckets_as_a_managed_airflow_has_them(on_airflow: OnAirflow, cloud: str) -> None:
    """DAG files, payloads, data and state in S3. What MWAA does, bringing DAG files to its folder, the test does."""
    file = on_airflow.folder / "project" / "anabranch.yaml"
    said = yaml.safe_load(file.read_text())
    orchestrator = {**said["environments"]["real"]["airflow"], "dags": f"{cloud}/dags"}
    places = {name: f"{cloud}/{name}" for name in ("storage", "artifacts", "state")}
    said["project"] = "managed"
    said["environments"] = {"managed": {"airflow": orchestrator, **places}}
    root = on_airflow.folder / "managed"
    shutil.copytree(on_airflow.folder / "project", root, ignore=shutil.ignore_patterns(".anabranch"))
    (root / "anabranch.yaml").write_text(yaml.safe_dump(said))
    project = Project.load(root)
    objects(places["storage"]).put(
        "raw/numbers.csv", (on_airflow.folder / "there" / "raw" / "numbers.csv").read_bytes()
    )
    deployment = project.deployment("managed")
    deployment.apply(lambda _: None)
    assert deployment.plan().changes == ()
    delivered = orchestration(deployment).dag_file(project.pipeline("diamond"))
    assert delivered is not None
    target = on_airflow.folder / "dags" / "managed" / "managed.diamond.py"
    target.parent.mkdir()
    target.write_text(delivered)
    (here, _), _ = on_airflow.run("diamond")
    there = project.remote("managed").run(project.pipeline("diamond"), {}, None, Told())
    assert logical(there) == logical(here)
    assert objects(places["storage"]).read("final/joined.jsonl")
    target.unlink()
    deployment.apply(lambda _: None, destroy=True)
    assert not objects(f"{cloud}/dags").list("")
    assert not objects(places["artifacts"]).list("")


CONSUMER = """
from airflow.sdk import DAG, Asset
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("consumer", schedule=[Asset({uri!r})], is_paused_upon_creation=False):
    EmptyOperator(task_id="consume")
"""


def test_dags_of_others_are_scheduled_by_our_assets(on_airflow: OnAirflow) -> None:
    project = on_airflow.project
    api = orchestration(project.deployment("real")).api
    consumer = on_airflow.folder / "dags" / "consumer.py"
    consumer.write_text(CONSUMER.format(uri=f"file://{on_airflow.storage}/final/joined.jsonl"))
    try:
        until(lambda: seen(api, "consumer"))
        assert project.remote("real").run(project.pipeline("diamond"), {}, None, Told()).state == "succeeded"
        until(lambda: api.get("/dags/consumer/dagRuns")["total_entries"] == 1)
        (run,) = api.get("/dags/consumer/dagRuns")["dag_runs"]
        assert run["run_type"] == "asset_triggered"
    finally:
        consumer.unlink()


ODD = """
pipeline: odd
datasets: {legs: {stage: cleaned, format: csv}}
steps:
  super: {shell: [sh, -c, "echo id > $ANABRANCH_OUT_LEGS"], writes: [legs]}
  a.b: {shell: [cat, "${in.legs}"], reads: [legs]}
"""
KILLED = """
pipeline: killed
steps:
  oom: {shell: [sh, -c, "kill -9 $PPID"]}
"""


def test_what_people_and_the_kernel_do_there_is_told_and_destroy_leaves_nothing(on_airflow: OnAirflow) -> None:
    """A run with an id of its own, started by others; a worker that is killed; a DAG that is paused; then nothing."""
    root = on_airflow.folder / "told"
    root.mkdir()
    orchestrator = yaml.safe_load((on_airflow.folder / "project" / "anabranch.yaml").read_text())["environments"][
        "real"
    ]
    orchestrator["storage"] = str(on_airflow.folder / "lake #1")
    said = {"project": "told", "pipelines": ["odd.yaml", "killed.yaml"], "environments": {"real": orchestrator}}
    (root / "anabranch.yaml").write_text(yaml.safe_dump(said))
    (root / "odd.yaml").write_text(ODD)
    (root / "killed.yaml").write_text(KILLED)
    project = Project.load(root)
    deployment = project.deployment("real")
    api = orchestration(deployment).api
    deployment.apply(lambda _: None)
    killed = project.remote("real").run(project.pipeline("killed"), {}, None, Told())
    failure = killed.steps[0].failure
    assert failure is not None
    assert (failure.kind, "SIGKILL" in failure.message) == ("killed", True), failure
    assert not [each for each in deployment.preflight() if each.severity == "error"]
    until(lambda: seen(api, "told.odd"))
    name = "we+ird:~id.x"
    api.ask("POST", "/dags/told.odd/dagRuns", {"dag_run_id": name, "logical_date": None, "conf": {}})
    assert project.remote("real").follow(project.pipeline("odd"), name, Told()).state == "succeeded"
    found = project.remote("real").find(name)[1]
    assert [(step.step, step.state) for step in found.steps] == [("super", "succeeded"), ("a.b", "succeeded")]
    api.ask("PATCH", "/dags/told.odd", {"is_paused": True})
    with pytest.raises(ConflictError) as paused:
        project.remote("real").run(project.pipeline("odd"), {}, None, Told())
    assert paused.value.code == "dag-paused"
    assert not deployment.destroy(lambda _: None).left
    assert not [dag for dag in api.pages("/dags", "dags", exclude_stale="false") if dag["dag_id"].startswith("told.")]


def seen(api: AirflowApi, dag: str) -> bool:
    """Tell whether Airflow has read a DAG."""
    return any(each["dag_id"] == dag for each in api.pages("/dags", "dags"))


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def orchestration(deployment: Deployment) -> AirflowOrchestration:
    """What the environments of these tests have."""
    found = deployment.orchestration
    assert isinstance(found, AirflowOrchestration)
    return found
