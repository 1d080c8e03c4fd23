"""What AWS refuses is told with its cause and one thing to try; nothing is asked forever."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore import exceptions
from botocore.awsrequest import AWSResponse

from anabranch.model.environment import Aws
from anabranch.model.errors import AnabranchError
from anabranch.platforms.aws.client import AwsClient

PASS = "User: arn:aws:iam::1:user/ci is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/x"


def client(monkeypatch: pytest.MonkeyPatch) -> AwsClient:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not told")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    return AwsClient(Aws("123456789012", "eu-west-1"))


class Answer:
    """An AWS that says the same to all."""

    def __init__(self, code: str, said: str, status: int) -> None:
        self.code, self.said, self.status, self.asked = code, said, status, 0

    def __call__(self, *, request: Any, **_: Any) -> AWSResponse:
        self.asked += 1
        raw = io.BytesIO(f'{{"__type": "{self.code}", "message": "{self.said}"}}'.encode())
        raw.stream = lambda *_, **__: iter([raw.getvalue()])  # type: ignore[attr-defined]
        headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": self.code}
        return AWSResponse(request.url, self.status, headers, raw)


@pytest.mark.parametrize(
    "code, said, status, ours, exit_code, tried",
    [
        ("AccessDeniedException", PASS, 400, "aws-denied", 7, "get the right to iam:PassRole"),
        ("AccessDeniedException", "no", 400, "aws-denied", 7, "get the right to glue:get_jobs"),
        ("ExpiredTokenException", "too old", 400, "aws-credentials", 7, "log in again"),
        ("InvalidSignatureException", "Signature expired", 400, "aws-credentials", 7, "clock"),
        ("ThrottlingException", "Rate exceeded", 400, "aws-throttled", 4, "wait a moment"),
        ("InternalServiceException", "oops", 500, "aws-unreachable", 4, "goes on where it stopped"),
        ("ValidationException", "oops", 400, "aws-refused", 4, "look at what it says"),
        ("AlreadyExistsException", "Job x already exists", 400, "aws-there", 7, "plan again"),
    ],
)
def test_each_refusal_has_a_cause_and_one_thing_to_try(  # noqa: PLR0917 - a row of the table
    monkeypatch: pytest.MonkeyPatch, code: str, said: str, status: int, ours: str, exit_code: int, tried: str
) -> None:
    aws, answer = client(monkeypatch), Answer(code, said, status)
    aws.session.events.register("before-send", answer)
    with pytest.raises(AnabranchError) as told:
        aws.ask("glue", "get_jobs")
    assert (told.value.code, told.value.exit_code) == (ours, exit_code)
    assert said in told.value.message
    assert tried in told.value.hint
    assert "not told" not in f"{told.value.message} {told.value.hint}"
    assert answer.asked <= 6


@pytest.mark.parametrize(
    "error, ours",
    [
        (exceptions.UnauthorizedSSOTokenError(), "aws-credentials"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="Token has expired"), "aws-credentials"),
        (exceptions.ReadTimeoutError(endpoint_url="https://glue"), "aws-unreachable"),
        (exceptions.EndpointConnectionError(endpoint_url="https://glue"), "aws-unreachable"),
    ],
)
def test_what_never_reached_aws_is_told_by_its_cause(
    monkeypatch: pytest.MonkeyPatch, error: Exception, ours: str
) -> None:
    def fail(**_: Any) -> None:
        raise error

    aws = client(monkeypatch)
    aws.session.events.register("before-send", fail)
    with pytest.raises(AnabranchError) as told:
        aws.ask("glue", "get_jobs")
    assert told.value.code == ours
