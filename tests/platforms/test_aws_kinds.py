"""Calls for each kind of resource, on an AWS that says what the real one says and no emulator does."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.awsrequest import AWSResponse

from anabranch.model.environment import Aws
from anabranch.model.errors import ConflictError, StepError
from anabranch.model.resource import Address, Owner, Resource
from anabranch.platforms.aws.client import AwsClient
from anabranch.platforms.aws.kinds.form import canonical
from anabranch.platforms.aws.kinds.function import PAYLOAD, Functions, function_form
from anabranch.platforms.aws.kinds.job import Jobs, job_form
from anabranch.platforms.aws.kinds.machine import Machines, machine_form
from anabranch.platforms.aws.kinds.rule import TARGET, Rules
from anabranch.platforms.aws.kinds.schedule import Schedules, schedule_form
from anabranch.platforms.aws.names import Arns

if TYPE_CHECKING:
    from anabranch.platforms.aws.kinds.form import Kind

AWS = Aws("123456789012", "eu-west-1")
OWNER = Owner("shop", "prod")
ROLE = "arn:aws:iam::123456789012:role/anabranch/shop/prod/main/x"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:x"


class Scripted:
    """An AWS that gives each operation its answers in turn, the last one for good, and remembers what it was told."""

    def __init__(self, **answers: list[dict[str, Any]]) -> None:
        self.answers, self.told = answers, list[tuple[str, dict[str, Any]]]()
        self.client = AwsClient(AWS)
        self.client.session.events.register("before-send", self)

    def __call__(self, *, event_name: str, request: Any, **_: Any) -> AWSResponse:
        call = event_name.rpartition(".")[2]
        self.told.append((call, {**dict(parse_qsl(urlsplit(request.url).query)), **json.loads(request.body or b"{}")}))
        left = self.answers.get(call, [{}])
        answer = left.pop(0) if len(left) > 1 else left[0]
        code = answer.get("__type", "")
        raw = io.BytesIO(json.dumps(answer).encode())
        raw.stream = lambda *_, **__: iter([raw.getvalue()])  # type: ignore[attr-defined]
        headers = {"content-type": "application/json", **({"x-amzn-errortype": code} if code else {})}
        return AWSResponse(request.url, 400 if code else 200, headers, raw)

    def asked(self, call: str) -> list[dict[str, Any]]:
        return [told for name, told in self.told if name == call]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not told")
    monkeypatch.setattr("anabranch.platforms.aws.kinds.patience.PAUSE", 0.0)


def refused(code: str, said: str) -> dict[str, Any]:
    return {"__type": code, "message": said, "Message": said}


def resource(kind: str) -> Resource:
    where = {PAYLOAD: "s3://artifacts/payload.zip"}
    forms: dict[str, dict[str, Any]] = {
        "function": function_form(
            OWNER, "sha256:00", role=ROLE, runtime="python3.11", logs="l", variables=where, sizes=(512, 512, 60)
        ),
        "job": job_form(
            OWNER,
            role=ROLE,
            command=("glueetl", "s3://artifacts/glue.py", "5.0"),
            size={"WorkerType": "G.1X", "NumberOfWorkers": 2, "Timeout": 5},
            arguments={"--a": "b"},
        ),
        "machine": machine_form("{}", ROLE),
        "schedule": schedule_form(OWNER, "cron(0 6 * * ? *)", "UTC", MACHINE, ROLE),
        "rule": {"pattern": {}, "targets": [[TARGET, MACHINE, ROLE, ""]], "description": "d"},
    }
    return Resource(Address(f"{kind}/x"), "x", canonical({**forms[kind], "tags": {"team": "data"}}))


KINDS: dict[str, Kind] = {
    "function": Functions(),
    "job": Jobs(),
    "machine": Machines(Arns.of(AWS)),
    "schedule": Schedules(),
    "rule": Rules(),
}
ASK = "is authorized to assume the provided role."
UNTOLD = {
    "function": ["The role defined for the function cannot be assumed by Lambda."],
    "job": [
        f"Service is unable to assume role {ROLE}. Please verify role's TrustPolicy",
        f"Role {ROLE} should be given assume role permissions for Glue Service.",
    ],
    "machine": [
        f"Neither the global service principal states.amazonaws.com, nor the regional one {ASK}",
        f"'{ROLE}' is not authorized to create managed-rule.",
    ],
    "schedule": ["The execution role you provide must allow AWS EventBridge Scheduler to assume the role."],
    "rule": [f"Provided role '{ROLE}' cannot be assumed by principal 'events.amazonaws.com'."],
}
CODES = {
    "function": "InvalidParameterValueException",
    "job": "InvalidInputException",
    "machine": "AccessDeniedException",
    "schedule": "ValidationException",
    "rule": "ValidationException",
}
CALLS = {
    "function": ("CreateFunction", "UpdateFunctionConfiguration"),
    "job": ("CreateJob", "UpdateJob"),
    "machine": ("CreateStateMachine", "UpdateStateMachine"),
    "schedule": ("CreateSchedule", "UpdateSchedule"),
    "rule": ("PutTargets", "PutTargets"),
}
THERE: dict[str, list[dict[str, Any]]] = {
    "GetJob": [{"Job": {"Name": "x"}}],
    "GetSchedule": [
        {
            "Name": "x",
            "State": "ENABLED",
            "Target": {"Arn": MACHINE, "RoleArn": ROLE},
            "FlexibleTimeWindow": {"Mode": "OFF"},
        }
    ],
    "DescribeRule": [{"State": "ENABLED"}],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_that_was_just_made_is_waited_for(kind: str) -> None:
    """IAM tells of it within seconds; each service says in words of its own that it has not heard yet."""
    for said in UNTOLD[kind]:
        for call, act in zip(CALLS[kind], (KINDS[kind].create, KINDS[kind].update), strict=True):
            no = refused(CODES[kind], said)
            aws = Scripted(**THERE, **{call: [no, no, {}]})
            act(aws.client, resource(kind))
            assert len(aws.asked(call)) == 3, (call, said)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_denied_to_us_is_not_waited_for(kind: str) -> None:
    who = "User: arn:aws:sts::1:assumed-role/ci/x"
    said = f"{who} is not authorized to perform: iam:PassRole on resource: {ROLE}"
    aws = Scripted(**{CALLS[kind][0]: [refused("AccessDeniedException", said)]})
    with pytest.raises(ConflictError) as denied:
        KINDS[kind].create(aws.client, resource(kind))
    assert denied.value.code == "aws-denied"
    assert len(aws.asked(CALLS[kind][0])) == 1


@pytest.mark.parametrize("act", ["create", "update"])
def test_a_machine_that_is_still_being_deleted_is_waited_for(act: str) -> None:
    """As after a destroy: it goes once its executions have ended."""
    call = f"{act.capitalize()}StateMachine"
    aws = Scripted(**{call: [refused("StateMachineDeleting", "State Machine is being deleted: x")] * 3 + [{}]})
    getattr(KINDS["machine"], act)(aws.client, resource("machine"))
    assert len(aws.asked(call)) == 4


def test_a_machine_that_is_not_gone_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.platforms.aws.kinds.patience.PATIENCE", 0.05)
    aws = Scripted(CreateStateMachine=[refused("StateMachineDeleting", "State Machine is being deleted: x")])
    with pytest.raises(StepError, match="still deleting the state machine x") as told:
        KINDS["machine"].create(aws.client, resource("machine"))
    assert told.value.code == "aws-slow"


def test_a_job_is_told_again_what_others_set_and_nothing_that_glue_would_refuse() -> None:
    """It replaces a job as a whole, and takes no fields that only it writes, and one way to say a job's size."""
    theirs = {"SecurityConfiguration": "encrypted", "NotificationProperty": {"NotifyDelayAfter": 5}}
    glue = {"Name": "x", "CreatedOn": 1.0, "LastModifiedOn": 1.0, "ProfileName": "", "LogUri": "", "Connections": {}}
    sizes = {"AllocatedCapacity": 10, "MaxCapacity": 10.0, "WorkerType": "G.8X", "NumberOfWorkers": 9, "Timeout": 1}
    aws = Scripted(GetJob=[{"Job": {**glue, **sizes, **theirs, "MaxRetries": 3}}])
    KINDS["job"].update(aws.client, resource("job"))
    (told,) = (each["JobUpdate"] for each in aws.asked("UpdateJob"))
    assert {key: told[key] for key in theirs} == theirs
    assert {key for key in (*glue, *sizes) if key in told} == {"WorkerType", "NumberOfWorkers", "Timeout"}
    assert (told["WorkerType"], told["MaxRetries"]) == ("G.1X", 0)


@pytest.mark.parametrize("begins, kept", [(1.0, False), (4_000_000_000.0, True)])
def test_a_schedule_is_told_again_what_others_set_but_not_that_it_began(begins: float, kept: bool) -> None:
    retried = {"RetryPolicy": {"MaximumRetryAttempts": 3}, "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:1:q"}}
    target = {"Arn": "arn:aws:sqs:eu-west-1:1:q", "RoleArn": "r", "SqsParameters": {"MessageGroupId": "g"}, **retried}
    there = {"Name": "x", "State": "DISABLED", "Arn": "a", "KmsKeyArn": "arn:aws:kms:k", "StartDate": begins}
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    aws = Scripted(GetSchedule=[{**there, "CreationDate": 1.0, "Target": target, "FlexibleTimeWindow": window}])
    KINDS["schedule"].update(aws.client, resource("schedule"))
    (told,) = aws.asked("UpdateSchedule")
    assert (told["State"], told["KmsKeyArn"], told["FlexibleTimeWindow"]) == ("DISABLED", "arn:aws:kms:k", window)
    assert told["Target"] == {**retried, "Arn": MACHINE, "RoleArn": ROLE, "Input": '{"trigger":"schedule"}'}
    assert ("StartDate" in told) == kept


FAILED = {"State": "Active", "LastUpdateStatus": "Failed", "LastUpdateStatusReason": "the role was gone"}


def test_a_function_whose_last_change_failed_is_mended_by_the_next() -> None:
    aws = Scripted(GetFunctionConfiguration=[FAILED, {"State": "Active", "LastUpdateStatus": "Successful"}])
    KINDS["function"].update(aws.client, resource("function"))
    changes = [call for call, _ in aws.told if call.startswith("Update")]
    assert changes == ["UpdateFunctionConfiguration", "UpdateFunctionCode"]


def test_a_change_of_a_function_that_fails_is_told_and_its_code_is_left_as_it_is() -> None:
    aws = Scripted(GetFunctionConfiguration=[FAILED])
    with pytest.raises(StepError, match="cannot make the function x: the role was gone"):
        KINDS["function"].update(aws.client, resource("function"))
    assert not aws.asked("UpdateFunctionCode")


def test_a_target_that_a_rule_was_not_given_is_no_success() -> None:
    """AWS answers well, and tells in the answer what it has not done."""
    failed = {"TargetId": TARGET, "ErrorCode": "ConcurrentModificationException", "ErrorMessage": "too many"}
    aws = Scripted(PutTargets=[{"FailedEntryCount": 1, "FailedEntries": [failed]}])
    with pytest.raises(StepError, match="ConcurrentModificationException: too many") as told:
        KINDS["rule"].create(aws.client, resource("rule"))
    assert told.value.code == "aws-refused"


def test_only_schedules_that_could_be_ours_are_listed() -> None:
    """All pipelines of an account may have theirs in the default group."""
    aws = Scripted(ListSchedules=[{"Schedules": []}])
    assert not list(KINDS["schedule"].live(aws.client, OWNER, {"shop--prod--x"}))
    assert [each["NamePrefix"] for each in aws.asked("ListSchedules")] == ["shop--prod--"]
