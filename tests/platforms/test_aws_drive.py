"""Runs on an AWS that tells late: what was started is awaited, what was stopped is waited for."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.platforms.test_aws_tasks import compiled, native, pipeline, python

from anabranch.model import codec
from anabranch.model.environment import Aws
from anabranch.model.errors import NotFoundError
from anabranch.model.pipeline import StepId
from anabranch.model.resource import Owner
from anabranch.model.run import RunId
from anabranch.model.task import Done
from anabranch.platforms.aws import drive
from anabranch.platforms.aws.drive import AwsRuns
from anabranch.platforms.aws.names import Arns, execution_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from anabranch.model.pipeline import Pipeline

ARNS = Arns("123456789012", "eu-west-1")
MACHINE = "shop--prod--daily"
RUN = "20260101-abcd"
CLEAN = StepId("clean")


class Account:
    """An account that remembers, and tells of an execution only when it was asked some times.

    `refuses` has the answers that it leaves out, by execution.
    """

    def __init__(self, forms: dict[str, dict[str, Any]], late: int = 0) -> None:
        self.machines = {key[8:]: form["definition"] for key, form in forms.items() if key.startswith("machine/")}
        self.late, self.unseen = late, dict[str, int]()
        self.executions: dict[str, dict[str, Any]] = {}
        self.histories: dict[str, list[dict[str, Any]]] = {}
        self.jobs: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, _: str, operation: str, **told: Any) -> dict[str, Any]:
        self.asked.append((operation, told))
        answer: dict[str, Any] = getattr(self, operation)(**told)
        return answer

    def pages(self, service: str, operation: str, key: str, **told: Any) -> Iterator[dict[str, Any]]:
        yield from self.ask(service, operation, **told)[key]

    def beside(self, ask: Callable[[str], Any], those: Iterable[str]) -> list[Any]:
        return [ask(each) for each in those]

    def begin(self, name: str, status: str = "RUNNING", machine: str = MACHINE, **given: Any) -> str:
        arn = ARNS.execution(machine, name)
        told = {"executionArn": arn, "name": name, "status": status, "input": json.dumps(given)}
        self.executions[arn] = {**told, "startDate": datetime.now(UTC)}
        self.unseen[arn] = self.late
        return arn

    def start_execution(self, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, ARG002, N803 - as AWS calls it
        assert len(name) <= 80
        return {"executionArn": self.begin(name, **json.loads(input))}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        self.unseen[executionArn] = self.unseen.get(executionArn, 0) - 1
        if executionArn not in self.executions or self.unseen[executionArn] >= 0:
            raise NotFoundError("no such execution", code="not-on-aws")
        return self.executions[executionArn]

    def stop_execution(self, executionArn: str, error: str, cause: str) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        stopped = {"status": "ABORTED", "error": error, "cause": cause, "stopDate": datetime.now(UTC)}
        self.executions[executionArn] |= stopped
        return {}

    def list_executions(self, stateMachineArn: str) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        own = stateMachineArn.replace(":stateMachine:", ":execution:") + ":"
        return {"executions": [each for arn, each in self.executions.items() if arn.startswith(own)][::-1]}

    def describe_state_machine(self, stateMachineArn: str) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        return {"definition": self.machines[stateMachineArn.rpartition(":")[2]]}

    def get_execution_history(self, executionArn: str, maxResults: int) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        if executionArn not in self.executions:
            raise NotFoundError("no such execution", code="not-on-aws")
        return {"events": self.histories.get(executionArn, [])[:maxResults]}

    def get_job_runs(self, JobName: str, MaxResults: int) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        return {"JobRuns": self.jobs.get(JobName, [])[:MaxResults]}

    def batch_stop_job_run(self, JobName: str, JobRunIds: list[str]) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        for each in self.jobs[JobName]:
            if each["Id"] in JobRunIds:
                each["JobRunState"] = "STOPPING"
        return {}

    def filter_log_events(self, **_: Any) -> dict[str, Any]:
        return {"events": []}


def runs(account: Account, what: Pipeline, reports: dict[tuple[StepId, int], dict[str, Any]] | None = None) -> AwsRuns:
    return AwsRuns(account, ARNS, Owner("shop", "prod"), what, lambda _: reports or {}, {})  # type: ignore[arg-type]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stopped is seen at once, and nobody waits long."""
    monkeypatch.setattr(drive, "LAG", 0.0)
    monkeypatch.setattr(drive, "PAUSE", 0.001)


PIPELINE = pipeline(python())
ON_LAMBDA: dict[str, Any] = {"engines": ()}


@pytest.mark.usefixtures("at_once")
def test_a_run_that_was_just_started_is_awaited() -> None:
    account = Account(compiled(PIPELINE, **ON_LAMBDA), late=3)
    found = runs(account, PIPELINE)
    found.start(RunId(RUN), {}, None)
    assert found.events(RUN)
    with pytest.raises(NotFoundError, match="no run"):
        found.events("another")


@pytest.mark.usefixtures("at_once")
def test_a_retry_that_was_just_started_is_awaited_and_the_old_end_is_not_believed() -> None:
    account = Account(compiled(PIPELINE, **ON_LAMBDA))
    account.executions[account.begin(RUN)] |= {"status": "FAILED", "stopDate": datetime.now(UTC)}
    found = runs(account, PIPELINE)
    account.late = 3
    found.retry(RUN, [CLEAN])
    assert {type(each.event).__name__ for each in found.events(RUN)}.isdisjoint({"RunEnded"})


@pytest.mark.usefixtures("at_once")
def test_what_was_never_seen_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "SEEN_WITHIN", 0.01)
    account = Account(compiled(PIPELINE, **ON_LAMBDA), late=10**9)
    found = runs(account, PIPELINE)
    found.start(RunId(RUN), {}, None)
    with pytest.raises(NotFoundError, match="no run"):
        found.events(RUN)


@pytest.mark.parametrize("run", [RUN, f"{'0' * 36}_{'1' * 36}", "x" * 80])
def test_a_run_is_retried_and_found_however_long_its_name_is(run: str) -> None:
    """EventBridge gives executions names of 73 characters."""
    account = Account(compiled(PIPELINE, **ON_LAMBDA))
    account.executions[account.begin(run)] |= {"status": "FAILED", "stopDate": datetime.now(UTC)}
    found = runs(account, PIPELINE)
    for again in range(1, 12):
        found.retry(run, [CLEAN])
        account.executions[ARNS.execution(MACHINE, execution_of(run, again))] |= {
            "status": "FAILED",
            "stopDate": datetime.now(UTC),
        }
    assert [events[0].run for events in found.newest(5)] == [run]


@pytest.mark.usefixtures("at_once")
def test_a_function_lingers_until_it_reports_its_end_or_its_time_is_over() -> None:
    account = Account(compiled(pipeline(python(timeout=60)), **ON_LAMBDA))
    account.begin(RUN)
    reports: dict[tuple[StepId, int], dict[str, Any]] = {(CLEAN, 1): {"began": time.time()}}
    found = runs(account, PIPELINE, reports)
    found.cancel(RUN)
    assert found.lingers(RUN)
    reports[CLEAN, 1]["began"] = time.time() - 80  # its own 60 seconds, and what it has to tell that they are over
    assert found.lingers(RUN)
    reports[CLEAN, 1]["began"] = time.time() - 95
    assert not found.lingers(RUN)
    reports[CLEAN, 1] |= {"began": time.time(), "outcome": codec.encode(Done(1.0))}
    assert not found.lingers(RUN)


@pytest.mark.usefixtures("at_once")
def test_a_function_that_was_called_and_has_not_reported_yet_lingers() -> None:
    account = Account(compiled(PIPELINE, **ON_LAMBDA))
    arn = account.begin(RUN)
    call = {"FunctionName": "f", "Payload": {"step": "clean", "attempt": 1, "given": {}}}
    scheduled = {"resourceType": "lambda", "resource": "invoke", "parameters": json.dumps(call)}
    account.histories[arn] = [{"timestamp": datetime.now(UTC), "taskScheduledEventDetails": scheduled}]
    reports: dict[tuple[StepId, int], dict[str, Any]] = {}
    found = runs(account, PIPELINE, reports)
    found.cancel(RUN)
    assert found.lingers(RUN)
    reports[CLEAN, 1] = {"began": 0.0, "outcome": codec.encode(Done(1.0))}
    assert not found.lingers(RUN)


def test_just_after_a_run_was_stopped_nothing_is_sure() -> None:
    account = Account(compiled(PIPELINE, **ON_LAMBDA))
    account.begin(RUN)
    found = runs(account, PIPELINE)
    found.cancel(RUN)
    assert found.lingers(RUN)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("poll", [0, 5])
def test_jobs_of_parts_and_jobs_of_others_are_stopped_with_a_run(poll: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.platforms.aws.machine.LARGEST", 1)
    what = pipeline(python("a"), python("b"), native())
    account = Account(compiled(what, Aws("123456789012", "eu-west-1", "python3.11", poll=poll)))
    account.begin(RUN)
    parts = [account.begin(execution_of(RUN, 0, part), machine=f"{MACHINE}----{part}") for part in (1, 2, 3)]
    ours, another = ({"--anabranch_event": json.dumps({"given": {"run": run}})} for run in (RUN, "another"))
    for name in ("a", "b"):
        account.jobs[f"{MACHINE}--{name}"] = [
            {"Id": "1", "JobRunState": "RUNNING", "Arguments": ours},
            {"Id": "2", "JobRunState": "RUNNING", "Arguments": another},
        ]
    account.jobs["theirs"] = [
        {"Id": "jr_ours", "JobRunState": "RUNNING", "Arguments": {"--day": "1"}},
        {"Id": "jr_theirs", "JobRunState": "RUNNING"},
    ]
    kind = "taskSucceededEventDetails" if poll else "taskSubmittedEventDetails"
    started = {"resourceType": "glue", "resource": "startJobRun", "output": json.dumps({"JobRunId": "jr_ours"})}
    account.histories[parts[2]] = [{"timestamp": datetime.now(UTC), kind: started}]
    found = runs(account, what)
    found.cancel(RUN)
    assert {each["status"] for each in account.executions.values()} == {"ABORTED"}
    states = {job: [each["JobRunState"] for each in those] for job, those in account.jobs.items()}
    assert states == {job: ["STOPPING", "RUNNING"] for job in account.jobs}
    assert found.lingers(RUN)
    for those in account.jobs.values():
        those[0]["JobRunState"] = "STOPPED"
    assert not found.lingers(RUN)


def test_a_log_is_looked_for_from_the_moment_at_which_its_run_began() -> None:
    account = Account(compiled(PIPELINE, **ON_LAMBDA))
    began = account.executions[account.begin(RUN)]["startDate"].timestamp()
    runs(account, PIPELINE).log(RUN, CLEAN, 1)
    (asked,) = [told for operation, told in account.asked if operation == "filter_log_events"]
    assert 0 < began - asked["startTime"] / 1000 < 120
