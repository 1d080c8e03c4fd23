"""Executions of one pipeline take turns on Step Functions, whoever started them."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from tests.conformance.test_aws_more import inbox, only, until
from tests.engines.account import REGION, client
from tools.aws import ACCOUNT

from anabranch.platforms.aws import turns
from anabranch.platforms.aws.names import Arns

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.slow]

__all__ = ["inbox"]

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:turns"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def turning(cloud: str, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:  # noqa: ARG001 - it is seen
    """A machine that takes its turn, works for a second, and looks at pages of two."""
    monkeypatch.setattr(turns, "LEAST", 1)
    monkeypatch.setattr(turns, "PAGE", 2)
    begin = {"Type": "Pass", "Assign": {"turn": turns.BEFORE}, "Output": {"bad": {"kept": ""}}, "Next": turns.LIST}
    work = {"Type": "Wait", "Seconds": 1, "End": True}
    states = {"begin": begin, **turns.turn_states(Arns(ACCOUNT, REGION), MACHINE, "work"), "work": work}
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "begin", "States": states})
    role = client().ask("iam", "create_role", RoleName="turns", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    client().ask("stepfunctions", "create_state_machine", name="turns", definition=definition, roleArn=role["Arn"])
    yield
    client().ask("stepfunctions", "delete_state_machine", stateMachineArn=MACHINE)
    client().ask("iam", "delete_role", RoleName="turns")


@pytest.mark.usefixtures("turning")
def test_executions_that_start_at_once_work_one_after_the_other_in_their_order() -> None:
    started = [
        client().ask("stepfunctions", "start_execution", stateMachineArn=MACHINE, name=f"{name}")["executionArn"]
        for name in ("d", "a", "c", "b", "e")
    ]
    ended = [awaited(arn) for arn in started]
    assert {each["status"] for each in ended} == {"SUCCEEDED"}, ended
    assert [json.loads(each["output"]) for each in ended] == [{"bad": {"kept": ""}}] * 5
    worked = [when(arn) for arn in started]
    order = sorted(zip(ended, worked, strict=True), key=lambda each: (each[0]["startDate"], each[0]["name"]))
    for (_, (_, before)), (_, (after, _)) in pairwise(order):
        assert before <= after, worked


def awaited(arn: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while (told := client().ask("stepfunctions", "describe_execution", executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return told


def when(arn: str) -> tuple[float, float]:
    """Return when the work of an execution began and ended."""
    events = list(client().pages("stepfunctions", "get_execution_history", "events", executionArn=arn))
    times = {
        kind: each["timestamp"].timestamp()
        for each in events
        for kind in ("stateEnteredEventDetails", "stateExitedEventDetails")
        if each.get(kind, {}).get("name") == "work"
    }
    return times["stateEnteredEventDetails"], times["stateExitedEventDetails"]


NAP = """
pipeline: nap
trigger: {s3: {bucket: inbox, prefix: in/}}
steps:
  nap: {shell: 'sleep 1', takes: {event: []}}
  more: {shell: 'sleep 1', after: nap}
"""


@pytest.mark.usefixtures("inbox")
def test_objects_that_are_created_at_once_start_runs_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LEAST", 1)
    found = only(tmp_path, NAP)
    deployment = found.project.deployment("real")
    deployment.apply(lambda _: None)
    try:
        for key in ("in/a", "in/b", "in/c"):
            client().ask("s3", "put_object", Bucket="inbox", Key=key, Body=b"{}")
        runs = until(found, "nap", 3)
        assert [run.state for run in runs] == ["succeeded"] * 3
        times = [
            (step.started_at or 0.0, (step.started_at or 0.0) + (step.seconds or 0.0))
            for run in reversed(runs)
            for step in run.steps
        ]
        for (_, before), (after, _) in pairwise(sorted(times)):
            assert before <= after + 0.05, times
    finally:
        deployment.apply(lambda _: None, destroy=True)
