"""Runs of an environment are shown as they were last told here, and nobody is asked for them while a page is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.projects import anabranch
from tests.web.servers import data, get, serving, shop

from anabranch import Project
from anabranch.model.pipeline import StepId
from anabranch.model.run import Failure, RunEnded, RunId, RunStarted, RunState, StepFailed, StepStarted
from anabranch.store.runs import SqliteRunStore

if TYPE_CHECKING:
    from pathlib import Path


def test_an_environment_has_runs_of_its_own(tmp_path: Path) -> None:
    root = shop(tmp_path)
    (root / "anabranch.yaml").write_text(
        (root / "anabranch.yaml").read_text()
        + "environments: {prod: {airflow: {dags: dags, url: 'http://127.0.0.1:1'}, storage: lake}}\n"
    )
    anabranch(root, "run", "daily")
    project = Project.load(root, defer=True)
    store = SqliteRunStore(root / ".anabranch" / "environments" / "prod")
    run, clean = RunId("prodrun2"), StepId("clean")
    steps = tuple(step.id for step in project.pipelines["daily"].steps)
    store.begin(run, project.pipelines["daily"], RunStarted("daily", steps))
    store.append(run, [StepStarted(clean), StepFailed(clean, 1, Failure("error", "no lake", place="shop.py:19"))])
    store.append(run, [RunEnded(RunState.FAILED, 2.0)])
    store.close()
    with serving(root) as base:
        assert data(f"{base}/api/v1/home")["failing"] == []
        told = data(f"{base}/api/v1/home?environment=prod")
        assert told["environments"] == ["prod"]
        assert [(each["run"], each["step"], each["message"]) for each in told["failing"]] == [(run, "clean", "no lake")]
        assert [each["id"] for each in data(f"{base}/api/v1/runs?environment=prod")["runs"]] == [run]
        _, text, _ = get(f"{base}/runs/{run}?environment=prod")
        assert "shop.py:19" in text
        assert "Retry" not in text, "what runs elsewhere is retried where it is deployed"
        _, text, _ = get(f"{base}/pipelines/daily?environment=prod")
        assert f"/runs/{run}?environment=prod" in text
        status, text, _ = get(f"{base}/api/v1/runs/{run}")
        assert (status, json.loads(text)["diagnostics"][0]["code"]) == (404, "no-run")
