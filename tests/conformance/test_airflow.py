"""What is particular to a real Airflow."""

from __future__ import annotations

import shutil

import pytest
import yaml
from tests.conformance.both import OnAirflow, Told, logical

from anabranch.app import Project
from anabranch.app.deploy import Deployment
from anabranch.data.objects.store import objects
from anabranch.model.errors import StepError
from anabranch.platforms.airflow.dagfile import version_of
from anabranch.platforms.airflow.orchestration import AirflowOrchestration

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def test_airflow_has_no_import_error_and_imports_no_code_of_ours(on_airflow: OnAirflow) -> None:
    api = orchestration(on_airflow.project.deployment("real")).api
    assert list(api.pages("/importErrors", "import_errors")) == []
    dags = {dag["dag_id"] for dag in api.pages("/dags", "dags")}
    assert dags == {f"conformance.{name}" for name in on_airflow.project.pipelines}
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


def orchestration(deployment: Deployment) -> AirflowOrchestration:
    """What the environments of these tests have."""
    found = deployment.orchestration
    assert isinstance(found, AirflowOrchestration)
    return found
