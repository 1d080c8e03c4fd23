"""What is told of runs on AWS, from what Step Functions says of executions and what attempts reported."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from anabranch.model import codec
from anabranch.model.call import Call, NativeCall, PythonCall
from anabranch.model.pipeline import Pipeline, Retry, Step, StepId
from anabranch.model.report import Reports
from anabranch.model.run import Event, Failure, Run, StepStarted, fold
from anabranch.model.task import Broken, Done
from anabranch.platforms import telling
from anabranch.platforms.aws.told import Execution, run_of, tasks_of

ONE, TWO = StepId("one"), StepId("two")
BROKEN = codec.encode(Broken(1.0, Failure("error", "no")))
DONE = codec.encode(Done(1.0))


def pipeline(call: Call = PythonCall("a:b"), attempts: int = 1) -> Pipeline:  # noqa: B008 - it is frozen
    return Pipeline("p", tuple(Step(each, call, retry=Retry(attempts)) for each in (ONE, TWO)))


def execution(status: str, at: int = 100, cause: Any = None, error: str = "StepsFailed", **given: Any) -> Execution:
    told: dict[str, Any] = {"status": status, "startDate": datetime.fromtimestamp(at, UTC), "input": json.dumps(given)}
    if status != "RUNNING":
        told["stopDate"] = datetime.fromtimestamp(at + 50, UTC)
    if status == "FAILED":
        told |= {"error": error, "cause": cause if isinstance(cause, str) else json.dumps(cause or {})}
    return Execution(told)


def report(at: int, outcome: Any = None) -> dict[str, Any]:
    return {"began": float(at), **({"ended": at + 1.0, "outcome": outcome} if outcome else {})}


def told(what: Pipeline, executions: list[Execution], reports: Reports) -> tuple[Run, list[Event]]:
    run, tasks = run_of("r", what, executions), tasks_of(what, executions, reports)
    happened = telling.events(what, "main", run, tasks, reports)
    found = fold(happened)
    assert found is not None
    return found, [each.event for each in happened]


def starts(events: list[Event], step: StepId = ONE) -> list[int]:
    return [each.attempt for each in events if isinstance(each, StepStarted) and each.step == step]


def test_what_aws_did_not_start_was_no_attempt() -> None:
    """Step Functions asked twice before the function was started: it counts that, and nothing has failed."""
    run, events = told(pipeline(), [execution("SUCCEEDED")], {(ONE, 3): report(110, DONE), (TWO, 1): report(120, DONE)})
    assert starts(events) == [3]
    assert (run.step_by_id[ONE].state, run.step_by_id[ONE].failure) == ("succeeded", None)


def test_a_step_has_all_its_attempts_besides() -> None:
    reports = {(ONE, 2): report(110, BROKEN)}
    run, _ = told(pipeline(attempts=2), [execution("RUNNING")], reports)
    assert run.step_by_id[ONE].state == "retrying"
    run, events = told(pipeline(attempts=2), [execution("RUNNING")], {**reports, (ONE, 3): report(120, BROKEN)})
    assert run.step_by_id[ONE].state == "failed"
    assert starts(events) == [2, 3]


def test_a_retry_tells_of_what_was_before_as_it_was_told_then() -> None:
    """Of the first execution nothing could report; of the second its first attempt was not started."""
    executions = [execution("FAILED", cause={ONE: "no such package"}), execution("SUCCEEDED", 200, tried={ONE: 1})]
    _, events = told(pipeline(), executions, {(ONE, 3): report(210, DONE), (TWO, 1): report(120, DONE)})
    assert starts(events) == [1, 3]


def test_what_was_in_a_part_that_broke_has_failed_with_what_aws_says_of_it() -> None:
    ended = execution("FAILED", cause={"(part 1)": "States.TaskFailed: 25,000 events"})
    run, _ = told(pipeline(), [ended], {(ONE, 1): report(110, DONE)})
    assert run.step_by_id[ONE].state == "succeeded"
    failure = run.step_by_id[TWO].failure
    assert failure is not None
    assert failure.message == "(part 1): States.TaskFailed: 25,000 events"


def test_what_a_machine_says_that_broke_itself_is_told() -> None:
    ended = execution("FAILED", cause="it has 25,000 events", error="States.Runtime")
    run, _ = told(pipeline(), [ended], {(ONE, 1): report(110, DONE)})
    assert [step.state for step in run.steps] == ["succeeded", "failed"]
    failure = run.step_by_id[TWO].failure
    assert failure is not None
    assert failure.message == "States.Runtime: it has 25,000 events"


@pytest.mark.parametrize(
    "ended, state",
    [
        (execution("SUCCEEDED"), "succeeded"),
        (execution("FAILED", cause={}), "succeeded"),
        (execution("FAILED", cause="{'one': 'cut o"), "failed"),
        (execution("FAILED", cause="it has 25,000 events", error="States.Runtime"), "failed"),
        (execution("TIMED_OUT"), "failed"),
    ],
)
def test_a_job_that_reports_nothing_has_ended_well_only_where_all_that_did_not_is_known(
    ended: Execution, state: str
) -> None:
    run, _ = told(pipeline(NativeCall("glue", "theirs")), [ended], {})
    assert {step.state for step in run.steps} == {state}
