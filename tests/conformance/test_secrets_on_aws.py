"""Secrets that AWS keeps: a step reads its own, and nobody else's; no value is anywhere but in the step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.conformance.both import OnAws, Told
from tests.engines.account import client, listing

from anabranch.data.objects.store import objects
from anabranch.model.pipeline import StepId

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SPEC = """
pipeline: hidden
steps:
  tell:
    python: 'secretive:tell'
    gives: [string]
    secrets: {FIELD: 'secret://secretsmanager/conf/db#password', PARAMETER: 'secret://ssm//conf/token'}
  pry: {python: 'secretive:pry', gives: string}
"""
STEPS = """
import os


def tell() -> list[str]:
    print("it is", os.environ["FIELD"], os.environ["PARAMETER"], os.environ["COMMON"])
    return [os.environ[name][::-1] for name in ("FIELD", "PARAMETER", "COMMON")]


def pry() -> str:
    import boto3

    try:
        return boto3.client("secretsmanager").get_secret_value(SecretId="conf/db")["SecretString"]
    except Exception as error:
        return type(error).__name__
"""
VALUES = ("hunter22-in-a-field", "hunter23-parameter", "hunter24-common")


@pytest.fixture
def hidden(tmp_path: Path, cloud: str) -> Generator[OnAws]:  # noqa: ARG001 - it is seen
    root = client()
    root.ask("secretsmanager", "create_secret", Name="conf/db", SecretString=json.dumps({"password": VALUES[0]}))
    root.ask("secretsmanager", "create_secret", Name="conf/common", SecretString=VALUES[2])
    root.ask("ssm", "put_parameter", Name="/conf/token", Value=VALUES[1], Type="SecureString")
    found = OnAws(tmp_path, "hidden", data=False)
    for each in (tmp_path / "project" / "pipelines").iterdir():
        each.unlink()
    (tmp_path / "project" / "pipelines" / "hidden.yaml").write_text(SPEC)
    (tmp_path / "project" / "secretive.py").write_text(STEPS)
    file = tmp_path / "project" / "anabranch.yaml"
    file.write_text(
        file.read_text().replace("variables:\n", "variables:\n      COMMON: secret://secretsmanager/conf/common\n")
    )
    yield found
    found.project.deployment("real").apply(lambda _: None, destroy=True)
    for name in ("conf/db", "conf/common"):
        root.ask("secretsmanager", "delete_secret", SecretId=name, ForceDeleteWithoutRecovery=True)
    root.ask("ssm", "delete_parameter", Name="/conf/token")


def test_a_step_reads_its_secrets_and_no_value_is_anywhere_else(hidden: OnAws) -> None:
    deployment = hidden.project.deployment("real")
    assert [each.message for each in deployment.preflight()] == []
    deployment.apply(lambda _: None)
    remote, pipeline = hidden.project.remote("real"), hidden.project.pipeline("hidden")
    run = remote.run(pipeline, {}, None, Told())
    assert run.state == "succeeded", [step.failure for step in run.steps]
    assert run.step_by_id[StepId("tell")].value == [value[::-1] for value in VALUES]
    pried = run.step_by_id[StepId("pry")].value
    assert pried in {"AccessDeniedException", "ClientError"}, pried
    told = remote.of(pipeline).log(run.id, StepId("tell"), 1)
    assert "it is ***" in told
    kept = [told, json.dumps(listing("conformance/hidden")), *map(str, (hidden.folder / "project").rglob("*"))]
    kept += [str(body) for body in hidden.lying().values()]
    kept += [
        str(objects("s3://artifacts/conformance/hidden").read(key))
        for key in objects("s3://artifacts/conformance/hidden").list("")
    ]
    assert not [value for value in VALUES if any(value in each for each in kept)]


def test_a_secret_that_is_not_there_is_told_before_anything_runs_and_when_it_does(hidden: OnAws) -> None:
    spec = hidden.folder / "project" / "pipelines" / "hidden.yaml"
    spec.write_text(SPEC.replace("conf/db#password", "conf/gone"))
    deployment = hidden.project.deployment("real")
    (said,) = deployment.preflight()
    assert (said.code, "conf/gone" in said.message) == ("not-on-aws", True)
    deployment.apply(lambda _: None)
    run = hidden.project.remote("real").run(hidden.project.pipeline("hidden"), {}, None, Told())
    failure = run.step_by_id[StepId("tell")].failure
    assert failure is not None
    # AWS need not say whether there is a secret that nobody may read: its six characters are not known.
    assert failure.code in {"missing-secret", "aws-denied"}, failure
    assert "secret://secretsmanager/conf/gone (for FIELD)" in failure.message
    assert failure.trace == ""


def test_secrets_that_only_a_machine_of_ours_has_are_refused(hidden: OnAws) -> None:
    spec = hidden.folder / "project" / "pipelines" / "hidden.yaml"
    spec.write_text(SPEC.replace("secret://ssm//conf/token", "secret://env/TOKEN"))
    found = [each for each in hidden.project.deployment("real").check() if each.code == "missing-secret"]
    assert ["secret://env/TOKEN" in each.message for each in found] == [True]
