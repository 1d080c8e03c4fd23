"""Jobs that exist already, started by a real Airflow: Glue and Lambda in an AWS that runs code, and another DAG."""

from __future__ import annotations

import io
import json
import sys
import textwrap
import time
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.conformance.both import Told
from tests.engines.account import client
from tests.platforms.mwaa import Mwaa

from anabranch.app import Project
from anabranch.data.objects.store import objects
from anabranch.model.errors import InvalidProject
from anabranch.model.pipeline import StepId
from anabranch.model.run import AttemptFailed, StepFailed, StepStarted, StepSucceeded
from anabranch.platforms.airflow import orchestration
from anabranch.platforms.airflow.mwaa import MwaaApi

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from tests.conformance.both import OnAirflow

    from anabranch.model.run import Run

pytestmark = [pytest.mark.engine, pytest.mark.slow]

LAKE = "s3://lake/native"
ROLE = "arn:aws:iam::000000000000:role/job"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:checks"

PIPELINE = """
pipeline: jobs
params: {day: {type: date, default: "2013-01-05"}}
datasets:
  flights: {stage: raw, format: csv, primary_key: [id]}
  legs: {stage: cleaned, format: csv, primary_key: [id]}
  total: {stage: final, format: csv}
steps:
  load:
    native:
      platform: glue
      job: nightly
      arguments: {source: "${in.flights}", target: "${out.legs}", day: "${params.day}"}
    reads: [flights]
    writes: [legs]
    retry: {attempts: 2, delay: 1}
    timeout: 120
  tally: {sql: "SELECT count(*) AS n, min(day) AS day FROM legs", reads: [legs], writes: [total]}
  mail:
    native: {platform: lambda, job: mail, arguments: {at: "${in.total}", day: "${params.day}"}}
    reads: [total]
  next: {native: {platform: airflow, job: native.target, arguments: {day: "${params.day}"}}, after: [mail]}
  machine:
    native: {platform: step-functions, job: "MACHINE", arguments: {at: "${in.total}", day: "${params.day}"}}
    reads: [total]
"""
TARGET = """
pipeline: target
params: {day: {type: date, default: "2000-01-01"}}
steps:
  say: {shell: "echo it was ${params.day}"}
"""
BROKEN = """
pipeline: broken
steps:
  job: {native: {platform: lambda, job: mail, arguments: {fail: "yes"}}}
  after: {shell: "echo never", after: [job]}
  beside: {shell: "echo always"}
  machine: {native: {platform: step-functions, job: "MACHINE", arguments: {at: nowhere}}}
"""

GLUE = """
import os, sys
sys.path[:0] = PATH
import boto3
keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], **keys)
bucket, key = os.environ["target"].removeprefix("s3://").split("/", 1)
first = f"{key}.tried"
if not s3.list_objects_v2(Bucket=bucket, Prefix=first).get("Contents"):
    s3.put_object(Bucket=bucket, Key=first, Body=b"")
    sys.exit("the first time it fails")
at, name = os.environ["source"].removeprefix("s3://").split("/", 1)
head, *rows = s3.get_object(Bucket=at, Key=name)["Body"].read().decode().splitlines()
body = "".join(f"{row},{os.environ['day']}\\n" for row in rows)
s3.delete_object(Bucket=bucket, Key=first)
s3.put_object(Bucket=bucket, Key=key, Body=f"{head},day\\n{body}".encode())
"""
"""A Python-shell job. The emulator hands it its arguments by the environment, and AWS by its command line."""

STATES = {
    "StartAt": "Look",
    "States": {
        "Look": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.at", "StringMatches": "s3://lake/native/*", "Next": "Wait"}],
            "Default": "Fail",
        },
        "Wait": {"Type": "Wait", "Seconds": 2, "End": True},
        "Fail": {"Type": "Fail", "Error": "Elsewhere", "Cause": "it is not of ours"},
    },
}
"""A state machine that takes a while, and fails where it is handed something else."""

LAMBDA = """
def handler(event, context):
    if event.get("fail"):
        raise RuntimeError("asked to")
    print("handed", event)
    return {"asked": event}
"""


@pytest.fixture(scope="module")
def project(on_airflow: OnAirflow, cloud: str) -> Generator[Project]:  # noqa: ARG001 - it is seen
    """The project of these tests, deployed, with the jobs that it starts."""
    make_jobs()
    lake = objects(LAKE)
    lake.put("raw/flights.csv", b"id,carrier\n1,AA\n2,UA\n3,AA\n")
    root = on_airflow.folder / "native"
    root.mkdir()
    for name, text in (("jobs", PIPELINE), ("target", TARGET), ("broken", BROKEN)):
        (root / f"{name}.yaml").write_text(text.replace("MACHINE", MACHINE))
    airflow = yaml.safe_load((on_airflow.folder / "project" / "anabranch.yaml").read_text())["environments"]["real"]
    write(root, {"real": {"airflow": airflow["airflow"]}})
    found = Project.load(root)
    found.deployment("real").apply(lambda _: None)
    yield found
    found.deployment("real").apply(lambda _: None, destroy=True)


def write(root: Path, environments: Mapping[str, Mapping[str, Any]]) -> None:
    places = {"storage": LAKE, "artifacts": str(root / "artifacts")}
    said = {
        "project": "native",
        "pipelines": ["jobs.yaml", "target.yaml", "broken.yaml"],
        "environments": {name: {**each, **places} for name, each in environments.items()},
    }
    (root / "anabranch.yaml").write_text(yaml.safe_dump(said))


def make_jobs() -> None:
    """Make what others have made before us."""
    aws, code = client(), io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("mail.py", LAMBDA)
    trust = {"Version": "2012-10-17", "Statement": []}
    aws.ask("iam", "create_role", RoleName="job", AssumeRolePolicyDocument=json.dumps(trust))
    aws.ask(
        "lambda",
        "create_function",
        FunctionName="mail",
        Runtime=f"python3.{sys.version_info.minor}",
        Role=ROLE,
        Handler="mail.handler",
        Code={"ZipFile": code.getvalue()},
    )
    aws.ask(
        "stepfunctions",
        "create_state_machine",
        name="checks",
        roleArn=ROLE,
        definition=json.dumps(STATES),
        type="STANDARD",
    )
    script = textwrap.dedent(GLUE).replace("PATH", repr(sys.path))
    objects("s3://artifacts").put("native/nightly.py", script.encode())
    command = {"Name": "pythonshell", "ScriptLocation": "s3://artifacts/native/nightly.py", "PythonVersion": "3.9"}
    aws.ask("glue", "create_job", Name="nightly", Role=ROLE, Command=command)


@pytest.fixture(scope="module")
def ran(project: Project) -> tuple[Run, Told]:
    told = Told()
    return project.remote("real").run(project.pipeline("jobs"), {"day": "2013-02-03"}, None, told), told


def test_jobs_run_and_what_follows_them_runs_as_usual(ran: tuple[Run, Told]) -> None:
    run, _ = ran
    assert {step.step: step.state for step in run.steps} == dict.fromkeys(
        ("load", "tally", "mail", "machine", "next"), "succeeded"
    ), run
    lake = objects(LAKE)
    assert lake.read("cleaned/legs.csv") == b"id,carrier,day\n1,AA,2013-02-03\n2,UA,2013-02-03\n3,AA,2013-02-03\n"
    assert (lake.read("final/total.csv") or b"").splitlines()[1].startswith(b"3,2013-02-03")


def test_a_job_that_failed_first_is_told_with_both_attempts_and_their_times(ran: tuple[Run, Told]) -> None:
    run, told = ran
    load = next(step for step in run.steps if step.step == "load")
    assert load.attempts == 2
    mine = [each for each in told.events if getattr(each.event, "step", "") == "load"]
    kinds = [type(each.event) for each in mine]
    assert kinds == [StepStarted, AttemptFailed, StepStarted, StepSucceeded]
    assert [each.at for each in mine] == sorted(each.at for each in mine)
    failed, done = mine[1].event, mine[3].event
    assert isinstance(failed, AttemptFailed)
    assert failed.failure.message == "the job nightly failed on glue"
    assert failed.seconds > 0.1
    assert isinstance(done, StepSucceeded)
    assert done.seconds > 0.1


def test_the_log_of_a_job_is_what_its_operator_says(project: Project, ran: tuple[Run, Told]) -> None:
    run, _ = ran
    runs = project.remote("real").of(project.pipeline("jobs"))
    told = runs.log(run.id, StepId("mail"), 1)
    assert "s3://lake/native/final/total.csv" in told


def test_another_dag_was_started_with_the_params(project: Project, ran: tuple[Run, Told]) -> None:
    assert ran[0].state == "succeeded"
    (run,) = project.remote("real").newest("target", 5)
    assert run.state == "succeeded"
    assert dict(run.params) == {"day": "2013-02-03"}


def test_a_job_that_fails_skips_what_depends_on_it(project: Project) -> None:
    told = Told()
    run = project.remote("real").run(project.pipeline("broken"), {}, None, told)
    assert {step.step: step.state for step in run.steps} == {
        "job": "failed",
        "after": "skipped",
        "beside": "succeeded",
        "machine": "failed",
    }
    failed = [each.event.failure for each in told.events if isinstance(each.event, StepFailed)]
    assert [each.kind for each in failed] == ["error"] * 2
    machine, mail = sorted(each.message for each in failed)
    assert machine.startswith(f"the job {MACHINE} failed on step-functions: ")
    assert "it is not of ours" in machine  # what the operator says of it
    assert mail.startswith("the job mail failed on lambda: ")
    runs = project.remote("real").of(project.pipeline("broken"))
    assert "Elsewhere: it is not of ours" in runs.log(run.id, StepId("machine"), 1)


def test_a_branch_runs_jobs_on_its_own_locations_and_refuses_what_names_none(
    project: Project, ran: tuple[Run, Told]
) -> None:
    """Main's job, handed the branch's locations; what starts another DAG cannot be kept off main, and is refused."""
    assert ran[0].state == "succeeded"
    lake = objects(LAKE)
    there = project.at("real")
    with pytest.raises(InvalidProject, match="on no dataset"):
        there.branches.create("all", "jobs", at=["load"])
    before = {key: lake.read(key) for key in lake.list("") if not key.startswith("_")}
    branch = there.branches.create("some", "jobs", at=["load"], skip=["next"])
    assert "s3:::lake/native/_branches/" in there.policy(branch)
    done = there.branches.run("some", params={"day": "2014-01-01"})
    assert done is not None
    assert done.run.state == "succeeded", done.run
    assert {key: lake.read(key) for key in before} == before
    root = objects(project.shown(branch.root.rstrip("/")))
    assert (root.read("cleaned/legs.csv") or b"").splitlines()[1] == b"1,AA,2014-01-01", lake.list("")
    assert (root.read("final/total.csv") or b"").splitlines()[1].startswith(b"3,2014-01-01")
    there.branches.drop("some")
    assert not lake.list("_branches")


def test_the_same_airflow_behind_mwaa_s_door(
    project: Project, on_airflow: OnAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs, logs and a retry by tokens that MWAA gives; its sessions end, and nobody notices."""
    said = yaml.safe_load((on_airflow.folder / "project" / "anabranch.yaml").read_text())
    airflow = dict(said["environments"]["real"]["airflow"])
    door = Mwaa("managed", airflow.pop("url"))
    for name, value in door.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(orchestration, "MwaaApi", partial(MwaaApi, scheme="http"))
    root = project.root
    write(root, {"real": {"airflow": {**airflow, "mwaa": "managed", "region": "us-east-1"}}})
    try:
        managed = Project.load(root)
        managed.deployment("real").apply(lambda _: None)
        target = managed.pipeline("target")
        run = managed.remote("real").run(target, {"day": "2001-02-03"}, None, Told())
        assert run.state == "succeeded"
        door.sessions.clear()
        runs = managed.remote("real").of(target)
        assert runs.log(run.id, target.steps[0].id, 1) == "it was 2001-02-03\n"
        runs.retry(run.id, [target.steps[0].id])
        deadline = time.monotonic() + 60
        while managed.remote("real").find(run.id)[1].state != "succeeded":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert managed.remote("real").find(run.id)[1].steps[0].attempts == 2
        assert any(path.startswith("POST /webtoken/managed") for path in door.asked)
    finally:
        door.close()
