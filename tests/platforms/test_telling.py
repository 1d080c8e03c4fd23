"""Jobs and containers tell nothing: their attempts are told by what the orchestrator knows."""

from __future__ import annotations

import pytest

from anabranch.model.call import Call, ContainerCall, NativeCall, PythonCall
from anabranch.model.pipeline import Pipeline, Retry, Step, StepId
from anabranch.model.run import AttemptFailed, RunId, RunStarted, RunState, StepFailed, StepStarted, StepSucceeded
from anabranch.platforms.airflow.runs import events as of_airflow
from anabranch.platforms.airflow.runs import silent
from anabranch.platforms.telling import RunTold, TaskState, TaskTold, events

JOB = StepId("job")


def pipeline(call: Call, timeout: float | None = None) -> Pipeline:
    return Pipeline("p", (Step(JOB, call, retry=Retry(3), timeout=timeout),))


def told(call: Call, task: TaskTold, timeout: float | None = None) -> list[tuple[float, object]]:
    run = RunTold(RunId("r"), 100.0, 200.0, RunState.FAILED)
    return [(each.at, each.event) for each in events(pipeline(call, timeout), "main", run, {JOB: task}, {})][1:-1]


def test_each_attempt_has_the_times_that_the_orchestrator_knows() -> None:
    task = TaskTold(TaskState.SUCCEEDED, 3, 150.0, 160.0, earlier=((101.0, 110.0), (120.0, 140.0)))
    found = told(NativeCall("glue", "nightly"), task)
    assert [(at, type(event)) for at, event in found] == [
        (101.0, StepStarted),
        (110.0, AttemptFailed),
        (120.0, StepStarted),
        (140.0, AttemptFailed),
        (150.0, StepStarted),
        (160.0, StepSucceeded),
    ]
    assert [event.seconds for _, event in found if isinstance(event, AttemptFailed | StepSucceeded)] == [9, 20, 10]


def test_an_attempt_whose_times_are_lost_is_told_where_it_must_have_been() -> None:
    task = TaskTold(TaskState.SUCCEEDED, 2, 150.0, 160.0, earlier=((None, None),))
    assert [at for at, _ in told(NativeCall("glue", "nightly"), task)] == [100.0, 100.0, 150.0, 160.0]


@pytest.mark.parametrize(
    "call, code, message",
    [
        (NativeCall("glue", "nightly"), "step-failed", "the job nightly failed on glue"),
        (ContainerCall("tool:1"), "step-failed", "the container tool:1 failed"),
        (PythonCall("a:b"), "killed", "it ended without a report: see its log"),
    ],
)
def test_a_failure_says_what_failed(call: Call, code: str, message: str) -> None:
    (_, (_, failed)) = told(call, TaskTold(TaskState.FAILED, 1, 110.0, 120.0))
    assert isinstance(failed, StepFailed)
    assert (failed.failure.code, failed.failure.message) == (code, message)


def test_a_job_that_took_too_long_is_told_as_such() -> None:
    (_, (_, failed)) = told(NativeCall("glue", "x"), TaskTold(TaskState.FAILED, 1, 110.0, 120.5), timeout=10)
    assert isinstance(failed, StepFailed)
    assert failed.failure.code == "timeout"


def test_airflow_is_asked_for_attempts_only_of_what_is_silent_and_was_tried_again() -> None:
    tasks = [{"task_id": "job", "try_number": 2}]
    assert silent(pipeline(NativeCall("glue", "x")), tasks) == ["job"]
    assert not silent(pipeline(PythonCall("a:b")), tasks)
    assert not silent(pipeline(NativeCall("glue", "x")), [{"task_id": "job", "try_number": 1}])


def test_an_attempt_that_airflow_has_queued_has_not_begun() -> None:
    """Its task still has the times of the attempt before: what is told once is told right."""
    waiting = {"task_id": "job", "state": "queued", "try_number": 2, "start_date": "2020-01-01T00:00:10Z"}
    tries = [{"try_number": 1, "start_date": "2020-01-01T00:00:10Z", "end_date": "2020-01-01T00:00:20Z"}]
    run = {"dag_run_id": "r", "start_date": "2020-01-01T00:00:00Z"}
    found = of_airflow(pipeline(NativeCall("glue", "x")), "main", run, [waiting], {}, {"job": tries})
    assert [type(each.event) for each in found] == [RunStarted, StepStarted, AttemptFailed]


def test_a_step_whose_time_was_over_is_told_so_though_it_began_to_speak_late() -> None:
    """Its process takes a moment to start: by its own words it had less time than the orchestrator gave it."""
    run = RunTold(RunId("r"), 100.0, 200.0, RunState.FAILED)
    task = TaskTold(TaskState.FAILED, 1, 110.0, 112.1)
    happened = events(pipeline(PythonCall("jobs:x"), 2), "main", run, {JOB: task}, {(JOB, 1): {"began": 110.8}})
    failed = happened[-2].event
    assert isinstance(failed, StepFailed)
    assert failed.failure.code == "timeout"
