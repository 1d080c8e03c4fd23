"""State machines and policies as they are compiled: what no emulator runs is looked at here."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.platforms.asl import evaluated

from anabranch.data.access import access_of
from anabranch.model.access import Access
from anabranch.model.call import NativeCall, PythonCall, SparkCall
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.environment import Aws, Environment
from anabranch.model.errors import Diagnostic, InvalidProject
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Needs, Pipeline, Retry, Step, StepId
from anabranch.model.resource import Owner
from anabranch.platforms.airflow.native import wrong_with
from anabranch.platforms.aws.machine import DAY, DEFINITION, EVENTS_OF_A_LOOK, largest_of_looks
from anabranch.platforms.aws.names import EXECUTION, Arns, execution_expression, execution_of
from anabranch.platforms.aws.native import NATIVE
from anabranch.platforms.aws.orchestration import AwsOrchestration
from anabranch.platforms.aws.policies import IN_BRANCH, for_branch
from anabranch.platforms.aws.sizes import CODE, ROLE, SESSION, size_of
from anabranch.platforms.aws.tasks import BUSY
from anabranch.ports import Built

if TYPE_CHECKING:
    from collections.abc import Iterator

AWS = Aws("123456789012", "eu-west-1", "python3.11")
SHELLS = Aws("123456789012", "eu-west-1", "python3.11", glue="shell")
DATA = tuple(DatasetSpec(name, format=Format.CSV) for name in ("raw", "made", "given"))
SPARK = "arn:aws:emr-serverless:eu-west-1:123456789012:/applications/"
JOB = "arn:aws:glue:eu-west-1:123456789012:job/"


def pipeline(*steps: Step) -> Pipeline:
    return Pipeline("daily", steps, DATA)


def python(name: str = "clean", **more: Any) -> Step:
    ports: dict[str, Any] = {
        "inputs": (DatasetInput("raw", "raw"),),
        "outputs": (DatasetOutput("made", "made"),),
    }
    return Step(StepId(name), PythonCall("steps:clean"), **ports, **more)


def native(platform: str = "glue", **arguments: str) -> Step:
    told = tuple(arguments.items())
    ports: dict[str, Any] = {
        "inputs": (DatasetInput("made", "made"), DatasetInput("raw", "raw")),
        "outputs": (DatasetOutput("given", "given"),),
    }
    return Step(StepId("borrow"), NativeCall(platform, "theirs", told), **ports)


def compiled(
    what: Pipeline,
    aws: Aws = AWS,
    namespace: str = "main",
    engines: tuple[tuple[str, str], ...] = (("python", "glue"),),
) -> dict[str, dict[str, Any]]:
    environment = Environment("prod", aws, "s3://lake/shop", "s3://artifacts", engines=engines)
    owner = Owner("shop", "prod", namespace)
    found = AwsOrchestration(environment, aws, owner, lambda *_: Access(("raw/raw.csv",), ("cleaned/made.csv",)))
    assert not (problems := [each for each in found.refusals(what) if each.severity == "error"]), problems
    root = "s3://lake/shop" if namespace == "main" else f"s3://lake/shop/_branches/{namespace}/"
    built = Built(b"payload", {step.needs.requirements: b"packages" for step in what.steps})
    made = found.resources({what.name: (what, b"{}")}, built, root, {})
    return {each.address: json.loads(each.content) for each in made if each.kind != "artifact"}


def too_large(found: AwsOrchestration, what: Pipeline) -> tuple[Diagnostic, ...]:
    built = Built(b"payload", {step.needs.requirements: b"packages" for step in what.steps})
    try:
        found.resources({what.name: (what, b"{}")}, built, "s3://lake/shop", {})
    except InvalidProject as refused:
        return refused.diagnostics
    return ()


def machine(forms: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (text,) = [form["definition"] for address, form in forms.items() if address.startswith("machine/")]
    return dict(json.loads(text)["States"])


def allowed(forms: dict[str, dict[str, Any]], role: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for statement in forms[f"role/{role}"]["policy"]["Statement"]:
        for action in statement["Action"]:
            found.setdefault(action, []).extend(statement["Resource"])
    return found


def followed(states: dict[str, Any]) -> Iterator[str]:
    for state in states.values():
        yield from (
            each["Next"] for each in [state, *state.get("Choices", ()), *state.get("Catch", ())] if "Next" in each
        )
        if "Default" in state:
            yield state["Default"]


@pytest.mark.parametrize("poll", [0, 5])
@pytest.mark.parametrize("attempts", [1, 3])
def test_every_state_that_follows_is_there_and_each_is_reached(poll: int, attempts: int) -> None:
    steps = (python(retry=Retry(attempts)), native(take="${in.made}"))
    states = machine(compiled(pipeline(*steps), Aws("123456789012", "eu-west-1", "python3.11", poll=poll)))
    assert set(followed(states)) == set(states) - {"(begin)"}


def test_a_job_is_awaited_by_step_functions_and_the_machine_may_start_just_this_job() -> None:
    forms = compiled(pipeline(python(retry=Retry(3), timeout=3600)))
    task = machine(forms)["clean"]
    assert task["Resource"] == "arn:aws:states:::glue:startJobRun.sync"
    assert (task["Retry"][-1]["MaxAttempts"], task["TimeoutSeconds"] > 3600) == (2, True)
    assert allowed(forms, "shop--prod--daily----states")["glue:StartJobRun"] == [f"{JOB}shop--prod--daily--clean"]
    job = forms["job/shop--prod--daily--clean"]
    assert (job["command"], job["version"], job["retries"]) == ("glueetl", "5.0", 0)
    assert job["size"] == {"WorkerType": "G.1X", "NumberOfWorkers": 2, "Timeout": 61}


@pytest.mark.parametrize("poll", [0, 5])
def test_no_definition_of_many_jobs_passes_the_limit(poll: int) -> None:
    steps = [Step(StepId(f"{i:040d}"), PythonCall("a:b"), retry=Retry(3)) for i in range(500)]
    forms = compiled(pipeline(*steps), Aws("123456789012", "eu-west-1", "python3.11", poll=poll), "fix")
    machines = [form["definition"] for address, form in forms.items() if address.startswith("machine/")]
    assert len(machines) > 2
    assert max(len(each.encode()) for each in machines) < DEFINITION * 3 / 4


@pytest.mark.parametrize("poll, state", [(0, "clean"), (5, "clean: start")])
def test_the_whole_job_is_narrowed_in_a_branch_and_the_log_is_still_written(poll: int, state: str) -> None:
    """Spark has its rights from the job, so nothing in it could be narrowed later; Glue takes 2,048 characters."""
    aws = Aws("123456789012", "eu-west-1", "python3.11", poll=poll)
    told = machine(compiled(pipeline(python()), aws, "fix"))[state]["Arguments"]
    policy = told["ExecutionRoleSessionPolicy"]
    assert len(policy) <= 2048
    may = {action: each["Resource"] for each in json.loads(policy)["Statement"] for action in each["Action"]}
    assert may["s3:PutObject"] == ["arn:aws:s3:::lake/shop/_branches/fix/*"]
    assert "logs:PutLogEvents" in may
    assert "'policy'" in told["Arguments"]["--anabranch_event"]
    of_main = machine(compiled(pipeline(python()), aws))[state]["Arguments"]
    assert "ExecutionRoleSessionPolicy" not in of_main


def needing(*permissions: str, **more: Any) -> Step:
    return python(needs=Needs(permissions=permissions), **more)


def rights(policy: str, effect: str = "Allow") -> set[tuple[str, str]]:
    told = [each for each in json.loads(policy)["Statement"] if each["Effect"] == effect]
    return {(action, what) for each in told for action in each["Action"] for what in each["Resource"]}


def test_in_a_branch_a_step_reads_what_it_may_read_and_changes_nothing_of_other_systems() -> None:
    """What it asks for besides its ports is main's: a table there, a queue."""
    asked = ("dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:PutItem", "sqs:*", "sqs:Get*", "sts:GetSessionToken")
    states = machine(compiled(pipeline(needing(*asked)), namespace="fix"))
    of_jobs = states["clean"]["Arguments"]["ExecutionRoleSessionPolicy"]
    of_functions = for_branch("s3://lake/shop/_branches/fix/", Arns.of(AWS), [needing(*asked)])
    assert states["(begin)"]["Assign"]["given"]["policy"] == of_functions  # all calls are told it
    for narrowed in (of_jobs, of_functions):
        everywhere = {action for action, what in rights(narrowed) if what == "*" and not action.startswith("logs:")}
        assert everywhere == {*IN_BRANCH, "dynamodb:Query", "dynamodb:BatchGetItem", "sqs:Get*"}
        assert ("s3:PutObject", "arn:aws:s3:::lake/shop/_branches/fix/*") in rights(narrowed)
        assert ("sts:Get*Token", "*") in rights(narrowed, "Deny")
        assert len(narrowed) <= SESSION


def test_what_a_step_may_do_in_main_only_is_told_by_check() -> None:
    environment = Environment("prod", AWS, "s3://lake/shop", "s3://artifacts")
    found = AwsOrchestration(environment, AWS, Owner("shop", "prod"), lambda *_: Access((), ()))
    (warned,) = found.refusals(pipeline(needing("dynamodb:Query", "dynamodb:PutItem", "sqs:*")))
    assert (warned.code, warned.severity.value) == ("only-in-main", "warning")
    assert "asks for dynamodb:PutItem, sqs:*, which is denied in a branch" in warned.message
    assert not found.refusals(pipeline(needing("dynamodb:Get*", "kms:Decrypt")))
    assert not found.refusals(pipeline(needing("dynamodb:PutItem", external=True)))  # it is in no branch


def test_a_branch_that_asks_for_more_than_a_session_can_be_told_is_refused() -> None:
    many = pipeline(needing(*(f"dynamodb:GetSomethingCalled{i:03d}" for i in range(100))))
    assert compiled(many)
    with pytest.raises(InvalidProject, match="a branch of `daily` would be narrowed by"):
        compiled(many, namespace="fix")


def test_one_step_may_have_an_engine_of_its_own() -> None:
    environment = Environment(
        "prod", AWS, "s3://lake", "s3://a", engines=(("python", "glue"),), chosen=(("daily.clean", "lambda"),)
    )
    assert environment.engine("daily", python()) == "lambda"
    assert environment.engine("other", python()) == "glue"


def test_a_job_that_exists_reads_of_the_branch_what_the_branch_makes_and_writes_nothing_else() -> None:
    forms = compiled(
        pipeline(python(), native(take="${in.made}", raw="${in.raw}", give="${out.given}")), namespace="fix"
    )
    told = machine(forms)["borrow"]["Arguments"]
    assert told["Arguments"] == {
        "--take": '{% $given.storage & "/raw/made.csv" %}',
        "--raw": '{% "s3://lake/shop" & "/raw/raw.csv" %}',
        "--give": '{% $given.storage & "/raw/given.csv" %}',
    }
    narrowed = json.loads(told["ExecutionRoleSessionPolicy"])
    writes = [each["Resource"] for each in narrowed["Statement"] if "s3:PutObject" in each["Action"]]
    assert writes == [["arn:aws:s3:::lake/shop/_branches/fix/*"]]
    assert len(told["ExecutionRoleSessionPolicy"]) <= 2048


@pytest.mark.parametrize("platform", NATIVE)
def test_the_machine_may_start_just_the_jobs_that_exist_which_it_starts(platform: str) -> None:
    role = "arn:aws:iam::123456789012:role/theirs"
    forms = compiled(pipeline(native(platform, queue="fast", day="1", script="s3://code/main.py", role=role)))
    cell = NATIVE[platform]
    assert machine(forms)["borrow"]["Resource"] == f"arn:aws:states:::{cell.resource}"
    for action, resources in allowed(forms, "shop--prod--daily----states").items():
        if action in cell.actions:
            assert all("theirs" in each or "job-queue/fast" in each for each in resources), action


@pytest.mark.parametrize("platform", ["lambda", "glue", "step-functions"])
def test_an_argument_may_be_called_as_what_another_platform_needs(platform: str) -> None:
    """A queue of Batch, a role of EMR Serverless: elsewhere they are arguments like all others."""
    forms = compiled(pipeline(native(platform, queue="${in.made}", role="x ${in.raw}")))
    assert "$given.storage" not in str(allowed(forms, "shop--prod--daily----states"))


def test_a_spark_job_of_emr_serverless_is_narrowed_in_a_branch() -> None:
    told = {
        "script": "s3://code/main.py",
        "role": "arn:aws:iam::123456789012:role/theirs",
        "args": "--from ${in.raw} 'in quotes'",
        "spark": "--conf spark.cores.max=${params.cores}",
        "give": "${out.given}",
    }
    forms = compiled(pipeline(native("emr-serverless", **told)), namespace="fix")
    arguments = machine(forms)["borrow"]["Arguments"]
    assert arguments["JobDriver"]["SparkSubmit"] == {
        "EntryPoint": '{% "s3://code/main.py" %}',
        "EntryPointArguments": [
            '{% "--from" %}',
            '{% "s3://lake/shop" & "/raw/raw.csv" %}',
            '{% "in quotes" %}',
            "--give",
            '{% $given.storage & "/raw/given.csv" %}',
        ],
        "SparkSubmitParameters": '{% "--conf spark.cores.max=" & $string($lookup($given.params, "cores")) %}',
    }
    assert "_branches/fix/*" in arguments["ExecutionIamPolicy"]["Policy"]
    assert allowed(forms, "shop--prod--fix--daily----states")["iam:PassRole"] == [told["role"]]


@pytest.mark.parametrize(
    "step, aws, said",
    [
        (Step(StepId("heavy"), SparkCall("a.py")), SHELLS, "Python shell jobs have no Spark"),
        (python(), Aws("1", "eu-west-1", "python3.12"), "built for python3.12, and Glue 5.0 has python3.11"),
        (native("redshift"), AWS, "nothing on AWS starts yet"),
        (native("batch"), AWS, "the argument `queue`"),
        (native("batch", queue="${params.day}"), AWS, "leaves the queue of its job open"),
        (native("emr-serverless", script="s3://a.py", role="arn:r", args="it's"), AWS, "that is no command line"),
    ],
)
def test_what_would_not_work_is_refused_with_the_reason(step: Step, aws: Aws, said: str) -> None:
    environment = Environment("prod", aws, "s3://lake", "s3://a", engines=(("python", "glue"),))
    found = AwsOrchestration(environment, aws, Owner("shop", "prod"), lambda *_: Access((), ()))
    (refused,) = found.refusals(pipeline(step))
    assert said in refused.message


def test_an_unknown_engine_is_refused_by_name_with_those_that_there_are() -> None:
    environment = Environment("prod", AWS, "s3://lake", "s3://a", engines=(("python", "emr"),))
    found = AwsOrchestration(environment, AWS, Owner("shop", "prod"), lambda *_: Access((), ()))
    (refused,) = found.refusals(pipeline(python()))
    assert (refused.code, refused.hint) == ("no-cell", "engines: {python: lambda or glue}")


def test_a_pipeline_of_many_steps_has_a_role_that_aws_takes() -> None:
    """Its machine may call what begins like its functions, and nothing of another pipeline's."""
    steps = [Step(StepId(f"{i:04d}"), PythonCall("a:b")) for i in range(1000)]
    forms = compiled(pipeline(*steps), engines=())
    role = forms["role/shop--prod--daily----states"]
    assert size_of(role["policy"]) <= ROLE
    (called,) = allowed(forms, "shop--prod--daily----states")["lambda:InvokeFunction"]
    assert called.endswith(":function:shop--prod--daily--0*")
    forms = compiled(pipeline(*steps), Aws("123456789012", "eu-west-1", "python3.11", poll=5))
    assert size_of(forms["role/shop--prod--daily----states"]["policy"]) <= ROLE


def test_jobs_that_exist_are_named_once_in_the_rights_of_the_machine_that_starts_them() -> None:
    told = (("script", "s3://code/main.py"), ("role", "arn:aws:iam::123456789012:role/theirs"))
    spark = [Step(StepId(f"s{i}"), NativeCall("emr-serverless", f"theirs{i:08d}", told)) for i in range(20)]
    glue = [Step(StepId(f"g{i}"), NativeCall("glue", f"theirs{i:08d}")) for i in range(60)]
    rights = compiled(pipeline(*spark, *glue))["role/shop--prod--daily----states"]["policy"]
    assert size_of(rights) <= ROLE
    named = [(action, what) for each in rights["Statement"] for action in each["Action"] for what in each["Resource"]]
    assert len(named) == len(set(named))
    assert ("glue:StartJobRun", f"{JOB}theirs00000059") in named
    assert ("emr-serverless:StartJobRun", f"{SPARK}theirs00000019") in named
    assert ("emr-serverless:CancelJobRun", f"{SPARK}theirs00000019/jobruns/*") in named


def test_a_pipeline_that_starts_more_than_its_role_can_say_is_refused() -> None:
    steps = tuple(Step(StepId(f"g{i}"), NativeCall("glue", f"theirs{i:08d}")) for i in range(300))
    environment = Environment("prod", AWS, "s3://lake/shop", "s3://artifacts")
    found = AwsOrchestration(environment, AWS, Owner("shop", "prod"), access_of)
    (refused,) = too_large(found, Pipeline("daily", steps, DATA))
    assert (refused.code, "pipeline `daily` starts so much" in refused.message) == ("limit", True)
    assert not too_large(found, Pipeline("daily", steps[:60], DATA))


def test_steps_that_are_told_much_become_more_machines_that_aws_takes() -> None:
    told = {f"name{i}": "x" * 1000 for i in range(50)}
    steps = [Step(StepId(f"s{i}"), NativeCall("glue", "theirs", tuple(told.items()))) for i in range(60)]
    forms = compiled(pipeline(*steps))
    texts = [form["definition"] for address, form in forms.items() if address.startswith("machine/")]
    assert len(texts) > 1
    assert max(map(len, texts)) <= DEFINITION
    assert sum(text.count('"Type":"Task"') for text in texts) >= 60


@pytest.mark.parametrize(
    "environment, owner, said",
    [
        ({}, Owner("p" * 120, "e" * 80), "too long together"),
        ({"tags": tuple((f"{i:070d}", "x") for i in range(4))}, Owner("shop", "prod"), "has 4 tags"),
        ({"tags": tuple((f"t{i}", "x") for i in range(48))}, Owner("shop", "prod"), "has 48 tags"),
    ],
)
def test_names_and_tags_that_aws_does_not_take_are_refused(environment: Any, owner: Owner, said: str) -> None:
    there = Environment(owner.environment, AWS, "s3://lake/shop", "s3://artifacts", **environment)
    refused = AwsOrchestration(there, AWS, owner, lambda *_: Access((), ())).refusals(pipeline(python()))
    assert [each.code for each in refused] == ["limit"]
    assert said in refused[0].message


def test_a_step_that_touches_more_than_its_role_can_say_is_refused() -> None:
    data = tuple(DatasetSpec(f"table_{i}", format=Format.CSV) for i in range(40))
    step = Step(StepId("all"), PythonCall("a:b"), inputs=tuple(DatasetInput(each.name, each.name) for each in data))
    environment = Environment("prod", AWS, "s3://lake/shop", "s3://artifacts")
    found = AwsOrchestration(environment, AWS, Owner("shop", "prod"), access_of)
    (refused,) = too_large(found, Pipeline("daily", (step,), data))
    assert (refused.code, "40 ports" in refused.message) == ("limit", True)
    few = replace(step, inputs=step.inputs[:12])
    assert not too_large(found, Pipeline("daily", (few,), data))


def test_code_and_packages_that_no_function_holds_are_refused_before_anything_is_made() -> None:
    def of(size: int) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("data.bin", bytes(size))
        return made.getvalue()

    environment = Environment("prod", AWS, "s3://lake/shop", "s3://artifacts")
    daily = {"daily": (pipeline(python()), b"{}")}
    small = replace(AWS, scratch=1)
    for aws, built, said in (
        (AWS, Built(of(CODE + 1), {(): b"packages"}), "262 MB of code"),
        (small, Built(b"payload", {(): of(2 * 1024 * 1024)}), "disk has 1 MB"),
    ):
        found = AwsOrchestration(environment, aws, Owner("shop", "prod"), lambda *_: Access((), ()))
        with pytest.raises(InvalidProject, match=said):
            found.resources(daily, built, "s3://lake/shop", {})


@pytest.mark.parametrize("region, partition", [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
@pytest.mark.parametrize("engine", ["glue", "lambda"])
@pytest.mark.parametrize("poll", [0, 5])
def test_a_machine_in_another_partition_calls_what_is_there(
    region: str, partition: str, engine: str, poll: int
) -> None:
    aws = Aws("123456789012", region, "python3.11", poll=poll)
    forms = compiled(pipeline(python(), native(take="${in.made}")), aws, engines=(("python", engine),))
    assert set(re.findall(r"arn:([a-z-]+):", json.dumps(forms))) == {partition}


@pytest.mark.parametrize("bad, told", [({"clean": ""}, {}), ({"clean": "", "copy": "gone"}, {"copy": "gone"})])
def test_a_machine_says_why_steps_failed_and_that_they_did_where_all_have_said_why(
    bad: dict[str, str], told: dict[str, str]
) -> None:
    failed = machine(compiled(pipeline(python())))["(failed)"]
    assert failed["Error"] == "StepsFailed"
    assert json.loads(evaluated(failed["Cause"], {"bad": bad})) == told


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize(
    "step, engine, error",
    [
        (python(), "lambda", "Lambda.TooManyRequestsException"),
        (python(), "glue", "Glue.ConcurrentRunsExceededException"),
        (native("step-functions"), "glue", "StepFunctions.ExecutionLimitExceeded"),
        (native("batch", queue="fast"), "glue", "Batch.AWSBatchException"),
    ],
)
def test_what_aws_did_not_start_is_asked_for_again_beside_the_attempts_of_the_step(
    step: Step, engine: str, error: str, attempts: int
) -> None:
    step = replace(step, retry=Retry(attempts))
    retriers = machine(compiled(pipeline(step), engines=(("python", engine),)))[step.id]["Retry"]
    assert error in retriers[0]["ErrorEquals"]
    assert retriers[0]["JitterStrategy"] == "FULL"
    assert [(each["ErrorEquals"], each["MaxAttempts"]) for each in retriers[1:]] == [
        (["States.ALL"], count - 1) for count in (attempts,) if count > 1
    ]


@pytest.mark.parametrize("platform", NATIVE)
def test_each_platform_has_errors_of_not_having_started_a_job(platform: str) -> None:
    assert BUSY[platform]


@pytest.fixture
def parted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The states of the machines that three steps, one of them a job that exists, become with at most two in each."""
    monkeypatch.setattr("anabranch.platforms.aws.machine.LARGEST", 2)
    forms = compiled(pipeline(python("a"), python("b"), native()), engines=())
    machines = sorted(address for address in forms if address.startswith("machine/"))
    return [dict(json.loads(forms[each]["definition"])["States"]) for each in machines]


def test_a_part_that_ends_badly_marks_its_steps_and_the_others_go_on(parted: list[dict[str, Any]]) -> None:
    outer = parted[0]
    parts = {name: state for name, state in everything(outer).items() if "startExecution" in state.get("Resource", "")}
    assert len(parts) == 2
    for name, part in parts.items():
        assert part["Retry"][0]["ErrorEquals"] == BUSY["step-functions"]
        (caught,) = part["Catch"]
        error = {"Error": "States.TaskFailed", "Cause": "25,000 events"}
        flows = evaluated(caught["Output"], {"bad": {"before": ""}}, error=error)
        after = everything(outer)[caught["Next"]]
        said, silent = "States.TaskFailed: 25,000 events", {"borrow"} & set(flows["lost"])
        expected = {name: said, "before": "", **dict.fromkeys(flows["lost"], ""), **dict.fromkeys(silent, said)}
        assert evaluated(after["Output"], flows) == {"bad": expected}
        assert flows["lost"]


def everything(states: dict[str, Any]) -> dict[str, Any]:
    """All states, those side by side among them."""
    found = dict(states)
    for state in states.values():
        for branch in state.get("Branches", ()):
            found |= everything(branch["States"])
    return found


@pytest.mark.parametrize("run", ["20260101-abcd", "x" * 69, "x" * 73, "y" * 80])
@pytest.mark.parametrize("again, part", [(0, 1), (1, 1), (12, 345)])
def test_a_machine_and_whoever_asks_for_it_call_a_part_the_same(run: str, again: int, part: int) -> None:
    told = evaluated(f"{{% {execution_expression(part)} %}}", given={"run": run, "again": again})
    assert told == execution_of(run, again, part)
    assert len(told) <= EXECUTION


@pytest.mark.parametrize("poll", [1, 5, 30, 600, 3600])
def test_a_machine_may_look_at_all_its_jobs_though_each_takes_a_day(poll: int) -> None:
    """A history has 25,000 events, of which the wait for a turn may take 2,700, and a step some twenty."""
    aws = Aws("123456789012", "eu-west-1", "python3.11", poll=poll)
    seconds = machine(compiled(pipeline(python()), aws))["clean: wait"]["Seconds"]
    for elapsed in (0, DAY // 2):
        at = time.time() * 1000 - elapsed * 1000
        pause = evaluated(seconds, job1={"since": at})
        assert abs(pause - max(poll, elapsed // 50)) <= 1
    looks, elapsed = 0, 0
    while elapsed < DAY:
        elapsed += max(poll, elapsed // 50)
        looks += 1
    steps = largest_of_looks(poll)
    assert steps * (EVENTS_OF_A_LOOK * looks + 20) < 25_000 - 2_700


@pytest.mark.parametrize("job", ["load", "load:3"])
def test_no_other_batch_job_of_a_like_name_may_be_started(job: str) -> None:
    step = replace(native("batch", queue="fast"), call=NativeCall("batch", job, (("queue", "fast"),)))
    may = allowed(compiled(pipeline(step)), "shop--prod--daily----states")["batch:SubmitJob"]
    place = "arn:aws:batch:eu-west-1:123456789012:"
    assert may == [f"{place}job-definition/{job}", f"{place}job-definition/{job}:*", f"{place}job-queue/fast"]


@pytest.mark.parametrize(
    "platform, kind", [("step-functions", "states:{}:stateMachine"), ("lambda", "lambda:{}:function")]
)
def test_a_job_may_be_named_in_full(platform: str, kind: str) -> None:
    """As Airflow wants it, so that one step serves both."""

    def of(job: str) -> dict[str, dict[str, Any]]:
        return compiled(pipeline(replace(native(platform), call=NativeCall(platform, job, (("day", "1"),)))))

    place = kind.format("eu-west-1:123456789012")
    whole = of(f"arn:aws:{place}:theirs")
    assert whole == of("theirs")
    assert f"arn:aws:{place}:theirs" in machine(whole)["borrow"]["Arguments"].values()
    other = f"arn:aws:{kind.format('eu-west-1:999999999999')}:theirs"
    assert other in machine(of(other))["borrow"]["Arguments"].values()
    assert [other] in allowed(of(other), "shop--prod--daily----states").values()


def test_a_step_on_emr_serverless_is_the_same_on_airflow() -> None:
    told = {
        "script": "s3://code/x.py",
        "role": "arn:aws:iam::123456789012:role/r",
        "args": "--in ${in.raw}",
        "spark": "-v",
    }
    step = native("emr-serverless", **told)
    assert isinstance(step.call, NativeCall)
    assert not list(wrong_with(step, step.call))
    assert machine(compiled(pipeline(step)))["borrow"]["Arguments"]["JobDriver"]["SparkSubmit"]
