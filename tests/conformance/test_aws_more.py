"""What AWS has besides the steps of a project: objects that start a pipeline, and jobs that exist already."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.conformance.both import OnAws, Told
from tests.engines.account import client, listing
from tools.aws import ACCOUNT

from anabranch.data.objects.store import objects
from anabranch.model.errors import InvalidProject
from anabranch.model.run import RunState

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from anabranch.model.run import Run

pytestmark = [pytest.mark.engine, pytest.mark.slow]

TRIGGERED = """
pipeline: arrive
trigger: {s3: {bucket: inbox, prefix: in*/, suffix: .json}}
steps:
  name: {python: 'arrivals:key', takes: {event: []}, gives: string}
  after: {python: 'steps:after', takes: {word: name}, gives: string}
"""
NATIVE = """
pipeline: borrow
params: {word: {default: borrowed}}
datasets:
  lent: {stage: cleaned, format: csv}
  back: {stage: final, format: csv}
steps:
  lend: {shell: 'cp ${in.numbers} ${out.lent}', reads: [numbers], writes: [lent]}
  borrow:
    native: {platform: glue, job: theirs, arguments: {take: '${in.lent}', give: '${out.back}', word: '${params.word}'}}
    reads: [lent]
    writes: [back]
    retry: 2
  use: {shell: 'grep borrowed ${in.back}', reads: [back]}
"""
KEY = """
def key(event: dict[str, object]) -> str:
    return str(event['key'])
"""
THEIRS = """
import os, boto3
s3 = boto3.client("s3", region_name="us-east-1")
def place(name):
    bucket, _, key = os.environ[name].removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}
text = s3.get_object(**place("take"))["Body"].read().decode()
if "no" in os.environ["word"]:
    raise SystemExit("it does not want to")
s3.put_object(**place("give"), Body=(text + os.environ["word"] + ",0\\n").encode())
"""


def only(folder: Path, spec: str, **more: object) -> OnAws:
    """The project with one pipeline in place of its own."""
    found = OnAws(folder, "more", **more)  # type: ignore[arg-type]
    pipelines = folder / "project" / "pipelines"
    for each in pipelines.iterdir():
        each.unlink()
    (pipelines / "one.yaml").write_text(spec)
    # A module of its own: a process that has read another project's `steps` does not read it again.
    (folder / "project" / "arrivals.py").write_text(KEY)
    return found


def until(found: OnAws, pipeline: str, count: int) -> list[Run]:
    """Return the runs of a pipeline, once there are so many and they have ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runs = found.project.remote("real").newest(pipeline, 10)
        if len(runs) >= count and all(run.state is not RunState.RUNNING for run in runs):
            return runs
        time.sleep(0.2)
    raise AssertionError(runs)


@pytest.fixture
def inbox(cloud: str) -> Generator[None]:  # noqa: ARG001 - it is seen
    """A bucket that tells EventBridge of its objects."""
    client().ask("s3", "create_bucket", Bucket="inbox")
    told = {"EventBridgeConfiguration": {}}
    client().ask("s3", "put_bucket_notification_configuration", Bucket="inbox", NotificationConfiguration=told)
    yield
    for each in client().pages("s3", "list_objects_v2", "Contents", Bucket="inbox"):
        client().ask("s3", "delete_object", Bucket="inbox", Key=each["Key"])
    client().ask("s3", "delete_bucket", Bucket="inbox")


@pytest.mark.usefixtures("inbox")
def test_an_object_that_is_created_starts_the_pipeline_and_others_do_not(tmp_path: Path) -> None:
    found = only(tmp_path, TRIGGERED)
    deployment = found.project.deployment("real")
    deployment.apply(lambda _: None)
    try:
        assert deployment.plan().changes == ()
        for key in ("in*/a.txt", "other/a.json", "inside/a.json", 'in*/it "is".json'):
            client().ask("s3", "put_object", Bucket="inbox", Key=key, Body=b"{}")
        (run,) = until(found, "arrive", 1)
        assert run.state == "succeeded"
        assert {step.step: step.value for step in run.steps} == {
            "name": 'in*/it "is".json',
            "after": 'after in*/it "is".json',
        }
        assert run.trigger == "object"
        assert isinstance(run.input, dict)
        assert (run.input["bucket"], run.input["size"]) == ("inbox", 2)
        again = found.project.remote("real").retry(run.id, ["after"], Told())
        assert again.state == "succeeded"
        assert again.input == run.input
    finally:
        deployment.apply(lambda _: None, destroy=True)
    assert not [name for name in listing() if "more--real" in name]


@pytest.fixture
def theirs(cloud: str) -> Generator[None]:  # noqa: ARG001 - it is seen
    """A Glue job that somebody else made, which reads and writes what it is told."""
    root = client()
    trust = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [each]}) for each in (trust, may)]
    root.ask("iam", "create_role", RoleName="theirs", AssumeRolePolicyDocument=documents[0])
    root.ask("iam", "put_role_policy", RoleName="theirs", PolicyName="p", PolicyDocument=documents[1])
    root.ask("s3", "put_object", Bucket="artifacts", Key="theirs/script.py", Body=THEIRS.encode())
    command = {"Name": "pythonshell", "ScriptLocation": "s3://artifacts/theirs/script.py"}
    role = f"arn:aws:iam::{ACCOUNT}:role/theirs"
    root.ask("glue", "create_job", Name="theirs", Role=role, Command=command, Timeout=10)
    yield
    root.ask("glue", "delete_job", JobName="theirs")
    root.ask("iam", "delete_role_policy", RoleName="theirs", PolicyName="p")
    root.ask("iam", "delete_role", RoleName="theirs")


@pytest.mark.usefixtures("theirs")
def test_a_job_that_exists_is_started_with_what_it_is_told(tmp_path: Path) -> None:
    found = only(tmp_path, NATIVE, aws_more={"poll": 1})
    deployment = found.project.deployment("real")
    deployment.apply(lambda _: None)
    try:
        remote, pipeline = found.project.remote("real"), found.project.pipeline("borrow")
        run = remote.run(pipeline, {}, None, Told())
        assert run.state == "succeeded", [step.failure for step in run.steps]
        assert (objects(found.storage).read("final/back.csv") or b"").endswith(b"6,18\nborrowed,0\n")
        failed = remote.run(pipeline, {"word": "no"}, None, Told())
        told = failed.step_by_id
        assert (told["borrow"].state, told["use"].state) == ("failed", "skipped")
        assert told["borrow"].failure is not None
        assert "it does not want to" in told["borrow"].failure.message
    finally:
        deployment.apply(lambda _: None, destroy=True)
    assert [name for name in listing() if name.startswith("job/") and "more" in name] == []
    assert "job/theirs" in listing()


@pytest.mark.usefixtures("cloud")
def test_jobs_that_nobody_could_start_or_keep_off_main_are_refused(tmp_path: Path) -> None:
    found = only(tmp_path, NATIVE.replace("platform: glue", "platform: glu"))
    with pytest.raises(InvalidProject, match="nothing on AWS starts yet"):
        found.project.deployment("real").resources()
    found = only(tmp_path / "two", NATIVE.replace("platform: glue", "platform: lambda"))
    deployment = found.project.deployment("real")
    assert not [each for each in deployment.check() if each.severity == "error"]
    refused = deployment.of_branch("fix").orchestration.refusals(found.project.pipeline("borrow"))
    assert [each.code for each in refused] == ["not-narrowed"]


SLOW = """
pipeline: slow
steps:
  slow: {python: 'steps:slow'}
"""


@pytest.mark.usefixtures("cloud")
def test_a_cancelled_run_stops_its_jobs(tmp_path: Path) -> None:
    """Nobody else would, where the machine only looks at them."""
    found = only(tmp_path, SLOW, aws_more={"poll": 1, "glue": "shell"}, engines={"python": "glue"})
    deployment = found.project.deployment("real")
    deployment.apply(lambda _: None)
    try:
        remote, pipeline = found.project.remote("real"), found.project.pipeline("slow")
        run = remote.run(pipeline, {}, None, Told(), wait=False)
        job = {"JobName": "more--real--slow--slow"}
        deadline = time.monotonic() + 30
        while not client().ask("glue", "get_job_runs", **job)["JobRuns"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        remote.of(pipeline).cancel(run.id)
        (told,) = client().ask("glue", "get_job_runs", **job)["JobRuns"]
        assert told["JobRunState"] == "STOPPED"
        assert remote.follow(pipeline, run.id, Told()).state == "cancelled"
    finally:
        deployment.apply(lambda _: None, destroy=True)


NAP = """
pipeline: nap
steps:
  nap: {shell: 'true'}
"""
FOLLOWER = "import sys; from anabranch.app import Project; Project.load(sys.argv[1]).at('real').branches.run('b')"


@pytest.mark.usefixtures("cloud")
def test_a_forced_drop_waits_for_a_function_that_cannot_be_stopped(tmp_path: Path) -> None:
    """It would go on to write below the branch's root, which is proven to be empty."""
    found, marker = only(tmp_path, NAP), tmp_path / "woke"
    deployment = found.project.deployment("real")
    deployment.apply(lambda _: None)
    file = tmp_path / "project" / "pipelines" / "one.yaml"
    file.write_text(NAP.replace("'true'", f"'sleep 25; touch {marker}'"))
    try:
        found.project.at("real").branches.create("b", "nap", at=["nap"])
        follower = subprocess.Popen([sys.executable, "-c", FOLLOWER, str(tmp_path / "project")])
        deadline = time.monotonic() + 60
        while not any("/reports/" in name for name in found.lying() if name.startswith("_branches/b")):
            assert time.monotonic() < deadline, list(found.lying())
            time.sleep(0.2)
        found.project.at("real").branches.drop("b", force=True)
        assert marker.exists()
        assert not [name for name in found.lying() if name.startswith("_branches")]
        follower.wait(30)
    finally:
        deployment.apply(lambda _: None, destroy=True)
