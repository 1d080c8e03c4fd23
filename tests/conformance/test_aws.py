"""What is particular to Step Functions and Lambda."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from tests.conformance.both import OnAws, Told, in_order, logical
from tests.engines.account import client, listing
from tools.aws import ACCOUNT

from anabranch.model.errors import InvalidProject
from anabranch.model.pipeline import StepId
from anabranch.model.resource import Owner
from anabranch.platforms.aws.deploy import machine_name

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory, cloud: str) -> Generator[OnAws]:  # noqa: ARG001 - it is seen
    """The project in which no state machine may have more than two steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anabranch.platforms.aws.machine.LARGEST", 2)
        found = OnAws(tmp_path_factory.mktemp("parted"), project="parted")
        deployment = found.project.deployment("real")
        deployment.apply(lambda _: None)
        yield found
        deployment.apply(lambda _: None, destroy=True)
        assert not [name for name in listing("conformance/parted") if "parted" in name]


@pytest.mark.parametrize("name", ["diamond", "fan_out", "partial"])
def test_a_pipeline_that_became_many_machines_is_one_run(parted: OnAws, name: str) -> None:
    (here, _), (there, told) = parted.run(name)
    assert logical(there) == logical(here)
    in_order(parted.project, there, told)
    machines = [each for each in parted.deployed() if each.startswith(f"machine/parted--real--{name}")]
    assert len(machines) > 1
    assert parted.project.deployment("real").plan().changes == ()


def test_a_retry_reaches_into_the_machines_that_a_pipeline_became(parted: OnAws) -> None:
    steps = parted.folder / "project" / "steps.py"
    before = steps.read_text()
    failed = parted.project.remote("real").run(parted.project.pipeline("partial"), {}, None, Told())
    assert failed.state == "failed"
    steps.write_text(before.replace('raise ValueError("never")', 'return "mended"'))
    try:
        parted.project.deployment("real").apply(lambda _: None)
        again = parted.project.remote("real").retry(failed.id, (), Told())
        assert again.state == "succeeded"
        assert {step.step: step.value for step in again.steps}["further"] == "after after mended"
        assert {step.step: step.attempts for step in again.steps}["fine"] == 1
    finally:
        steps.write_text(before)


def test_a_function_that_cannot_even_begin_is_told_with_what_lambda_says(on_aws: OnAws) -> None:
    """Its packages are gone: nothing of ours can report."""
    name = "conformance--real--breach--twice"
    function = client().ask("lambda", "get_function_configuration", FunctionName=name)
    variables = function["Environment"]["Variables"]
    broken = {**variables, "ANABRANCH_PACKAGES": f"{variables['ANABRANCH_PACKAGES']}.gone"}
    client().ask("lambda", "update_function_configuration", FunctionName=name, Environment={"Variables": broken})
    try:
        run = on_aws.project.remote("real").run(on_aws.project.pipeline("breach"), {}, None, Told())
        failure = run.step_by_id["twice"].failure
        assert failure is not None
        assert failure.code == "killed"
        assert "403" in failure.message or "404" in failure.message or "Access" in failure.message, failure
    finally:
        on_aws.project.deployment("real").apply(lambda _: None)


def test_a_second_run_waits_for_its_turn(on_aws: OnAws) -> None:
    remote, pipeline = on_aws.project.remote("real"), on_aws.project.pipeline("flaky")
    first = remote.run(pipeline, {"marker": str(on_aws.folder / "turn")}, None, Told(), wait=False)
    said: list[str] = []
    second = remote.run(pipeline, {"marker": str(on_aws.folder / "turn")}, None, Told(), said=said.append)
    assert said == [f"run {first.id} goes on: this one waits for its turn"]
    ended = {run.id: run for run in remote.newest("flaky", 5)}
    assert ended[first.id].state == "succeeded"
    begun = min(step.started_at or 0.0 for step in second.steps)
    assert begun >= ended[first.id].started_at + (ended[first.id].seconds or 0.0) - 0.1


@pytest.mark.parametrize(
    "more, said",
    [
        ("timeout: 1000s", "a Lambda function 900 s"),
        ("resources: {memory: 99999}", "128 to 10240 MB"),
        ("resources: {cpu: 4}", "asks for cpu"),
    ],
)
def test_what_aws_cannot_do_is_refused_by_name(tmp_path: Path, more: str, said: str) -> None:
    found = OnAws(tmp_path, project="refused", data=False)
    (tmp_path / "project" / "pipelines" / "odd.yaml").write_text(
        f"pipeline: odd\nsteps:\n  one: {{python: 'steps:fine', {more}}}\n"
    )
    with pytest.raises(InvalidProject, match=said):
        found.project.deployment("real").resources()


def test_a_schedule_starts_its_pipeline(tmp_path: Path, cloud: str) -> None:  # noqa: ARG001 - it is there
    """EventBridge's schedule, its role, and what it gives: a run that nobody started by hand."""
    found = OnAws(tmp_path, project="timed", data=False)
    for each in (tmp_path / "project" / "pipelines").iterdir():
        each.unlink()
    (tmp_path / "project" / "pipelines" / "timed.yaml").write_text(
        "pipeline: timed\nschedule: '* * * * *'\nparams: {count: {type: int, default: 3}}\n"
        "steps:\n  fine: {python: 'steps:fine'}\n"
    )
    deployment = found.project.deployment("real")
    deployment.apply(lambda _: None)
    try:
        deadline = time.monotonic() + 100
        remote = found.project.remote("real")
        while not (runs := [run for run in remote.newest("timed", 5) if run.state != "running"]):
            assert time.monotonic() < deadline, "the schedule did not fire"
            time.sleep(1)
        assert runs[-1].trigger == "schedule"
        assert runs[-1].state == "succeeded"
        assert runs[-1].step_by_id[StepId("fine")].value == "fine"
    finally:
        deployment.apply(lambda _: None, destroy=True)
    assert not [name for name in listing("conformance/timed") if "timed" in name]


def test_a_part_whose_machine_ends_badly_ends_no_other(parted: OnAws) -> None:
    arn = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:{machine_name(Owner('parted', 'real'), 'fan_out', 1)}"
    states = {"limit": {"Type": "Fail", "Error": "States.Runtime", "Cause": "a limit"}}
    told = json.loads(client().ask("stepfunctions", "describe_state_machine", stateMachineArn=arn)["definition"])
    broken = {**told, "StartAt": "limit", "States": states}
    client().ask("stepfunctions", "update_state_machine", stateMachineArn=arn, definition=json.dumps(broken))
    try:
        run = parted.project.remote("real").run(parted.project.pipeline("fan_out"), {}, None, Told())
        lost = [step for step in run.steps if step.failure and "a limit" in step.failure.message]
        assert run.state == "failed"
        assert 1 <= len(lost) <= 2
        assert [step.step for step in run.steps if step.state == "succeeded"]
        assert {step.state for step in run.steps} <= {"failed", "succeeded", "skipped"}
    finally:
        parted.project.deployment("real").apply(lambda _: None)
