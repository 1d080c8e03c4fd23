"""Lineage: whatever happens in a run, what is told of it is OpenLineage, and says what happened."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from tests.histories import BEGAN, BREACH, FAILURE, History, histories, pipeline
from tests.platforms.openlineage_spec import demand_valid

from anabranch.model.dataset import Bound
from anabranch.model.export import Origin, Repository
from anabranch.model.pipeline import Pipeline, StepId
from anabranch.model.place import Place
from anabranch.model.run import (
    Event,
    PortStats,
    Recorded,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from anabranch.platforms.openlineage.story import Story

S0, S1 = StepId("s0"), StepId("s1")
ENDS = {"COMPLETE", "FAIL", "ABORT"}


def told(history: History, storage: str = "/data") -> list[dict[str, Any]]:
    story = Story(Origin("flights", history.pipeline, storage))
    found = [event for each in history.events for event in story.tell(each)]
    return found if history.ended else [*found, *story.abandon()]


def lineage(
    events: list[Event], of: Pipeline | None = None, origin: Origin | None = None, run: str = "7f3a9c2k"
) -> list[dict[str, Any]]:
    story = Story(origin or Origin("flights", of or pipeline(2), "/data"))
    records = [Recorded(RunId(run), i, BEGAN + i, event) for i, event in enumerate(events)]
    return [event for each in records for event in story.tell(each)]


def started(namespace: str = "main") -> RunStarted:
    return RunStarted("daily", (S0, S1), namespace)


@given(histories())
def test_whatever_happens_every_event_is_valid(history: History) -> None:
    for event in told(history):
        demand_valid(json.loads(json.dumps(event)))


@given(histories())
def test_every_run_starts_once_and_ends_once(history: History) -> None:
    by_run: dict[str, list[str]] = {}
    for event in told(history):
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    for kinds in by_run.values():
        assert kinds[0] == "START"
        assert len(kinds) == 2
        assert kinds[1] in ENDS
    steps = {each.step for kind in (StepStarted, StepSucceeded) for each in history.of(kind)}
    assert len(by_run) == 1 + len(steps)  # steps that never began are no runs


@given(histories())
def test_the_pipelines_run_is_around_those_of_its_steps_and_time_never_goes_back(history: History) -> None:
    events = told(history)
    whole = events[0]["run"]["runId"]
    assert events[-1]["run"]["runId"] == whole
    for event in events[1:-1]:
        parent = event["run"]["facets"]["parent"]
        assert parent["run"]["runId"] == whole
        assert parent["job"] == {"namespace": events[0]["job"]["namespace"], "name": "daily"}
    times = [event["eventTime"] for event in events]
    assert times == sorted(times)


@given(histories())
def test_telling_it_again_tells_the_same(history: History) -> None:
    assert told(history) == told(history)


@given(histories())
def test_no_value_input_or_free_param_is_told(history: History) -> None:
    text = json.dumps(told(history))
    assert "secret" not in text
    assert "free text" not in text


def test_what_was_read_and_written_is_told_where_it_lies() -> None:
    reads = (PortStats("in", "d0", 10, None, "sha256:aa"),)
    writes = (PortStats("out", "d1", 8, 512, "sha256:bb"),)
    events = [started(), StepStarted(S0), StepSucceeded(S0, 1, 1.0, reads, writes)]
    end = lineage(events, origin=Origin("flights", pipeline(2), "s3://lake/flights"))[-1]
    (source,), (target,) = end["inputs"], end["outputs"]
    assert (source["namespace"], source["name"]) == ("s3://lake", "flights/cleaned/d0.parquet")
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 10
    assert "size" not in source["inputFacets"]["inputStatistics"]
    assert (target["namespace"], target["name"]) == ("s3://lake", "flights/cleaned/d1.parquet")
    assert target["outputFacets"]["outputStatistics"]["rowCount"] == 8
    assert target["outputFacets"]["outputStatistics"]["size"] == 512
    assert target["facets"]["version"]["datasetVersion"] == "sha256:bb"
    fields = target["facets"]["schema"]["fields"]
    assert fields == [
        {"name": "id", "type": "int64"},
        {"name": "name", "type": "string", "description": "whose"},
    ]
    held = target["facets"]["dataQualityAssertions"]["assertions"]
    assert {"assertion": "unique", "success": True, "column": "id"} in held
    assert {"assertion": "not_null", "success": True, "column": "id"} in held
    assert all(each["success"] for each in held)
    sensitive = [tag["field"] for tag in target["facets"]["tags"]["tags"] if tag["key"] == "sensitive"]
    assert sensitive == ["name"]


def test_the_next_step_reads_what_the_one_before_wrote_by_the_same_name() -> None:
    events = lineage([started(), StepStarted(S0), StepStarted(S1)])
    assert events[1]["outputs"][0]["name"] == events[2]["inputs"][0]["name"] == "/data/cleaned/d1.parquet"
    assert events[1]["outputs"][0]["namespace"] == "file"


def test_a_broken_contract_says_what_did_not_hold_and_of_which_column() -> None:
    end = lineage([started(), StepStarted(S0), StepFailed(S0, 1, BREACH)])[-1]
    assert end["eventType"] == "FAIL"
    found = end["outputs"][0]["facets"]["dataQualityAssertions"]["assertions"]
    assert found == [{"assertion": "missing-column", "success": False, "column": "id"}]
    assert "outputStatistics" not in end["outputs"][0]["outputFacets"]  # nothing was published


def test_a_failure_is_told_with_its_trace_and_again_for_the_whole_run() -> None:
    events = [started(), StepStarted(S0), StepFailed(S0, 1, FAILURE), StepSkipped(S1, S0), RunEnded(RunState.FAILED)]
    *_, step, whole = lineage(events)
    assert step["run"]["facets"]["errorMessage"]["message"] == "boom"
    assert step["run"]["facets"]["errorMessage"]["stackTrace"].startswith("Traceback")
    assert whole["run"]["facets"]["errorMessage"]["message"] == "`s0` failed: boom"
    assert whole["eventType"] == "FAIL"


def test_a_branch_has_jobs_of_its_own_and_reads_main_where_it_did_not_write() -> None:
    base = pipeline(2)
    bound = tuple(replace(each, bound=Bound("/main", "v7")) if each.name == "d0" else each for each in base.datasets)
    origin = Origin("flights", replace(base, datasets=bound), "/main/_branches/fix")
    start = lineage([started("fix"), StepStarted(S0)], origin=origin)[-1]
    assert start["job"]["namespace"] == "flights@fix"
    assert start["inputs"][0]["name"] == "/main/cleaned/d0.parquet"
    assert start["inputs"][0]["facets"]["version"]["datasetVersion"] == "v7"
    assert start["outputs"][0]["name"] == "/main/_branches/fix/cleaned/d1.parquet"


def test_a_scheduled_run_says_for_when_it_was_meant() -> None:
    run = "scheduled__2013-01-05T06:00:00+00:00"
    start = lineage([started()], origin=Origin("flights", pipeline(2), "/data", "prod"), run=run)[0]
    demand_valid(start)
    assert start["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2013-01-05T06:00:00Z"
    assert start["job"]["namespace"] == "flights/prod"


def test_code_that_is_committed_is_told_with_its_line() -> None:
    base = pipeline(2)
    placed = replace(base, steps=tuple(replace(each, place=Place("jobs/my steps.py", 7)) for each in base.steps))
    origin = Origin("flights", placed, "/data", repository=Repository("https://host/team/repo", "abc123", "etl"))
    start = lineage([started(), StepStarted(S0)], origin=origin)[-1]
    demand_valid(start)
    assert start["job"]["facets"]["sourceCodeLocation"]["url"] == (
        "https://host/team/repo/blob/abc123/etl/jobs/my%20steps.py#L7"
    )


def test_runs_of_two_projects_or_environments_never_share_an_id() -> None:
    origins = [Origin(name, pipeline(2), "/data", where) for name in ("a", "b") for where in ("", "prod")]
    ids = {lineage([started()], origin=each)[0]["run"]["runId"] for each in origins}
    assert len(ids) == 4
