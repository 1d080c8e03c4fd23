"""MWAA: one web token for each session, another session when one has ended, and each refusal by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.platforms.mwaa import Mwaa
from tools.aws import free_port

from anabranch.model.errors import AnabranchError, ConflictError, NotFoundError, StepError
from anabranch.platforms.airflow.mwaa import MwaaApi

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

REGION = "eu-west-1"


@pytest.fixture
def mwaa(monkeypatch: pytest.MonkeyPatch) -> Generator[Mwaa]:
    found = Mwaa("flights")
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    yield found
    found.close()


def api(name: str = "flights") -> MwaaApi:
    return MwaaApi(name, REGION, scheme="http")


def test_one_session_serves_many_calls(mwaa: Mwaa) -> None:
    found = api()
    assert found.get("/dags") == found.get("/dags") == {}
    told = [each.partition("?")[0] for each in mwaa.asked]
    login = ["POST /webtoken/flights", "POST /pluginsv2/aws_mwaa/login"]
    assert told == [*login, "GET /api/v2/dags", "GET /api/v2/dags"]


def test_when_a_session_has_ended_another_is_begun_and_the_call_is_made_once(mwaa: Mwaa) -> None:
    found = api()
    found.get("/dags")
    mwaa.sessions.clear()
    found.ask("POST", "/dags/x/dagRuns", {})
    assert mwaa.asked.count("POST /webtoken/flights") == 2
    assert mwaa.asked.count("POST /api/v2/dags/x/dagRuns") == 2  # refused, and then accepted


def test_whoever_may_not_even_with_a_new_session_is_told_so_and_not_asked_for_ever(mwaa: Mwaa) -> None:
    found = api()
    mwaa.answer = lambda method, path, headers, body: (  # type: ignore[method-assign]
        (401, {}, b'{"detail": "no"}') if "/api/" in path else Mwaa.answer(mwaa, method, path, headers, body)
    )
    with pytest.raises(ConflictError) as caught:
        found.get("/dags")
    assert caught.value.code == "airflow-denied"
    assert len(mwaa.asked) == 3


@pytest.mark.parametrize(
    "status, name, error, code",
    [
        (403, "AccessDeniedException", ConflictError, "aws-denied"),
        (403, "ExpiredTokenException", ConflictError, "aws-credentials"),
        (403, "RequestTimeTooSkewed", ConflictError, "aws-credentials"),
        (404, "ResourceNotFoundException", NotFoundError, "no-mwaa"),
        (400, "ValidationException", StepError, "aws-refused"),
        (500, "InternalServerException", StepError, "aws-unreachable"),
    ],
)
def test_each_refusal_of_aws_has_its_code_and_what_to_try(
    mwaa: Mwaa, status: int, name: str, error: type[AnabranchError], code: str
) -> None:
    mwaa.refuse = status, name, "said why"
    with pytest.raises(error, match="said why") as caught:
        api().get("/dags")
    assert caught.value.code == code
    assert "flights" in caught.value.message
    assert caught.value.hint
    assert (len(mwaa.asked) > 1) == (status == 500)  # only what may pass is asked again


def test_a_web_server_that_takes_no_web_token_is_told_and_the_token_is_not(mwaa: Mwaa) -> None:
    found = api()
    mwaa.web_tokens = type("Forgetful", (set,), {"add": lambda *_: None})()
    with pytest.raises(ConflictError, match="was used") as caught:
        found.get("/dags")
    assert caught.value.code == "airflow-denied"
    assert "session-" not in caught.value.message


def test_an_environment_of_another_name_is_not_there(mwaa: Mwaa) -> None:  # noqa: ARG001 - it answers
    with pytest.raises(NotFoundError) as caught:
        api("fligths").get("/dags")
    assert caught.value.code == "no-mwaa"


def test_an_aws_that_is_down_and_a_region_that_nobody_names_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_ENDPOINT_URL_MWAA", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
    with pytest.raises(StepError, match="`flights`: AWS does not answer") as caught:
        MwaaApi("flights", REGION).get("/dags")
    assert caught.value.code == "aws-unreachable"
    with pytest.raises(StepError, match="specify a region") as caught:
        MwaaApi("flights").get("/dags")
    assert "region" in caught.value.hint


def test_a_sign_on_that_has_ended_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text(
        "[profile work]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = data\n"
        f"[sso-session work]\nsso_region = {REGION}\nsso_start_url = https://work.awsapps.com/start\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("HOME", str(tmp_path))  # where tokens are kept
    with pytest.raises(ConflictError, match="`flights`: AWS was not asked") as caught:
        MwaaApi("flights", REGION).get("/dags")
    assert caught.value.code == "aws-credentials"
    assert "aws sso login" in caught.value.hint
