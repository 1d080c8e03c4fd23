"""Jobs that exist already, as state machines start them: one row for each platform, as data.

Their arguments are filled in when they start: `${in.x}` and `${out.x}` are locations as `s3://` URLs, and `${params.x}`
a value. In a branch a job may be started only where the platform can narrow that one call to the branch's root.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anabranch.model.call import NativeCall
    from anabranch.platforms.aws.names import Arns


@dataclass(frozen=True, slots=True)
class Cell:
    """How jobs of one platform are started.

    Attributes:
        text: for people.
        resource: the integration of Step Functions that starts a job and waits for it, as `Arns.integration` takes it.
        arn: returns the job in full, by its name.
        actions: what the state machine's role may do to just this job.
        watched: what it may do besides to wait, and to what: `service:resource`, or an ARN that an argument names.
        ask: service, operation and argument that tell whether it exists, for `check`; none for what has no name.
        narrows: whether one call can be given fewer rights than the job has.
    """

    text: str
    resource: str
    arn: Callable[[Arns, str], str]
    actions: tuple[str, ...]
    ask: tuple[str, str, str]
    watched: tuple[tuple[str, str], ...] = ()
    narrows: bool = False


NATIVE = {
    # Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html
    "glue": Cell(
        "a Glue job that exists",
        "glue:startJobRun.sync",
        lambda arns, job: arns.job(job),
        ("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"),
        ("glue", "get_job", "JobName"),
        narrows=True,
    ),
    # Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
    "lambda": Cell(
        "a Lambda function that exists",
        "lambda:invoke",
        lambda arns, job: arns.function(job),
        ("lambda:InvokeFunction",),
        ("lambda", "get_function_configuration", "FunctionName"),
    ),
    # Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
    "step-functions": Cell(
        "a state machine that exists",
        "states:startExecution.sync:2",
        lambda arns, job: arns.machine(job),
        ("states:StartExecution",),
        ("stepfunctions", "describe_state_machine", "stateMachineArn"),
        (
            ("states:DescribeExecution", "states:execution:{job}:*"),
            ("states:StopExecution", "states:execution:{job}:*"),
            ("events:PutTargets", "events:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"),
            ("events:PutRule", "events:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"),
            ("events:DescribeRule", "events:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"),
        ),
    ),
    # Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
    "batch": Cell(
        "a definition of a Batch job that exists, in the queue that its argument `queue` names",
        "batch:submitJob.sync",
        lambda arns, job: arns.batch(job),
        ("batch:SubmitJob",),
        ("batch", "describe_job_definitions", "jobDefinitionName"),
        (
            ("batch:SubmitJob", "batch:job-definition/{job}:*"),  # the newest revision, where the job names none
            ("batch:SubmitJob", "batch:job-queue/{queue}"),
            ("batch:DescribeJobs", "*"),
            ("batch:TerminateJob", "*"),
            ("events:PutTargets", "events:rule/StepFunctionsGetEventsForBatchJobsRule"),
            ("events:PutRule", "events:rule/StepFunctionsGetEventsForBatchJobsRule"),
            ("events:DescribeRule", "events:rule/StepFunctionsGetEventsForBatchJobsRule"),
        ),
    ),
    # Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-emr-serverless.html
    "emr-serverless": Cell(
        "an application of EMR Serverless that exists, with its arguments `script` and `role`",
        "emr-serverless:startJobRun.sync",
        lambda arns, job: arns.full(f"emr-serverless:/applications/{job}"),
        ("emr-serverless:StartJobRun",),
        ("emr-serverless", "get_application", "applicationId"),
        (
            ("iam:PassRole", "{role}"),
            ("emr-serverless:GetJobRun", "emr-serverless:/applications/{job}/jobruns/*"),
            ("emr-serverless:CancelJobRun", "emr-serverless:/applications/{job}/jobruns/*"),
            ("events:PutTargets", "events:rule/StepFunctionsGetEventsForEMRServerlessJobRule"),
            ("events:PutRule", "events:rule/StepFunctionsGetEventsForEMRServerlessJobRule"),
            ("events:DescribeRule", "events:rule/StepFunctionsGetEventsForEMRServerlessJobRule"),
        ),
        narrows=True,
    ),
}
"""The platforms whose jobs a state machine starts."""

NEEDED = {"batch": ("queue",), "emr-serverless": ("script", "role")}
"""Arguments without which a job cannot be started."""
COMMAND_LINES = {"emr-serverless": ("args",)}
"""Arguments that are command lines, of which the job is given the words."""
PLAIN = ("queue", "role")
"""Arguments that are part of what the machine may do, so no run can choose them."""

_PLACEHOLDER = re.compile(r"\$?\$\{(in|out|params)\.([^}]*)\}")


def expression(text: str, locations: Mapping[str, str]) -> str:
    """Return an argument as an expression in JSONata.

    Args:
        text: as it was written.
        locations: expressions of the locations of ports, by `in.x` and `out.x`.

    >>> expression("--to=${out.legs}/${params.day}", {"out.legs": "$x"})
    '"--to=" & $x & "/" & $string($lookup($given.params, "day"))'
    """
    parts: list[str] = []
    at = 0

    def literal(piece: str) -> None:
        if piece:
            parts.append(json.dumps(piece, ensure_ascii=False))

    for match in _PLACEHOLDER.finditer(text):
        literal(text[at : match.start()])
        at = match.end()
        where, name = match[1], match[2]
        if match[0].startswith("$$"):
            literal(match[0][1:])
        elif where == "params":
            parts.append(f"$string($lookup($given.params, {json.dumps(name)}))")
        else:
            parts.append(locations[f"{where}.{name}"])
    literal(text[at:])
    return " & ".join(parts) or '""'


def expressions(call: NativeCall, locations: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the arguments of a job as expressions, each with its name; of a command line each word is one.

    Args:
        call: whose.
        locations: as `expression` takes them.

    Raises:
        ValueError: a command line has quotes that do not end.
    """
    lines = COMMAND_LINES.get(call.platform, ())
    return tuple(
        (name, expression(word, locations))
        for name, text in call.arguments
        for word in (shlex.split(text) if name in lines else [text])
    )


def asked(platform: str, job: str, arguments: Sequence[tuple[str, str]], arns: Arns) -> dict[str, Any]:
    """Return what an integration is told to start a job.

    Args:
        platform: one of `NATIVE`.
        job: as the platform calls it.
        arguments: as `expressions` returns them.
        arns: of the account.
    """
    given = [(name, f"{{% {value} %}}") for name, value in arguments]
    told = dict(given)
    match platform:
        case "glue":
            return {"JobName": job, "Arguments": {_dashed(name): value for name, value in told.items()}}
        case "lambda":
            return {"FunctionName": arns.function(job), "Payload": told}
        case "step-functions":
            started = {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "{% $states.context.Execution.Id %}"}
            return {"StateMachineArn": arns.machine(job), "Input": {**told, **started}}
        case "emr-serverless":
            rest = [(name, value) for name, value in given if name not in {"script", "role", "spark"}]
            words = [word for name, value in rest for word in ((value,) if name == "args" else (_dashed(name), value))]
            spark: dict[str, Any] = {"EntryPoint": told["script"], "EntryPointArguments": words}
            if "spark" in told:
                spark["SparkSubmitParameters"] = told["spark"]
            return {"ApplicationId": job, "ExecutionRoleArn": told["role"], "JobDriver": {"SparkSubmit": spark}}
        case _:
            queue = told.pop("queue", "")
            name = re.sub(r"[^A-Za-z0-9_-]", "-", job)[:100]
            return {"JobDefinition": job, "JobQueue": queue, "JobName": name, "Parameters": told}


def narrowed(platform: str, policy: str) -> dict[str, Any]:
    """Return what an integration is told besides, so that one call may do no more than a policy says.

    Source: https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/jobs-cli-execution.html
    """
    if not policy:
        return {}
    return {"ExecutionRoleSessionPolicy": policy} if platform == "glue" else {"ExecutionIamPolicy": {"Policy": policy}}


def _dashed(name: str) -> str:
    return name if name.startswith("--") else f"--{name}"
