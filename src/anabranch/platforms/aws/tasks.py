"""The states that run one step: a call of its function or job, and what follows from how it ended.

A function is one state, and so is a job for which Step Functions waits. Where an environment says `poll`, a job is
started, then looked at again and again; its attempts are counted in a variable, since Step Functions retries a state
and not a loop. What broke a contract does not fail, since another attempt would break it again. A function says so in
what it returns; a job returns nothing, so one that ended well leaves an object, and is not believed without it.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from anabranch.platforms.aws.invoke import Function, Job, Native
from anabranch.platforms.aws.limits import GLUE, LAMBDA, SLACK, seconds_of
from anabranch.platforms.aws.native import NATIVE, narrowed
from anabranch.platforms.aws.turns import MANNERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.model.pipeline import Step
    from anabranch.platforms.aws.invoke import Invocation
    from anabranch.platforms.aws.names import Arns

States: TypeAlias = dict[str, Any]

CAUSE = 200
"""Characters of why one step failed."""
QUEUE = 900
"""Seconds that a job may wait for its machine, beyond what it may run."""
SELDOM = 50
"""Of the time that a job has taken, with all its attempts, the part after which it is looked at again, at the earliest.

So a job of a day is looked at some hundred times, and its end is known late by two hundredths.
"""
KEPT = "{% $states.input %}"
"""What flows on, as it came."""
BUSY = {
    "lambda": [
        "Lambda.TooManyRequestsException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
    ],
    "glue": [
        "Glue.ConcurrentRunsExceededException",
        "Glue.ThrottlingException",
        "Glue.OperationTimeoutException",
        "Glue.InternalServiceException",
        "Glue.ResourceNumberLimitExceededException",
        "Glue.AWSGlueException",
        "Glue.GlueException",
    ],
    "step-functions": [
        "StepFunctions.ExecutionLimitExceeded",
        "StepFunctions.ExecutionLimitExceededException",
        "StepFunctions.AWSStepFunctionsException",
    ],
    "batch": ["Batch.AWSBatchException", "Batch.ServerException"],
    "emr-serverless": ["EmrServerless.EmrServerlessException", "EmrServerless.InternalServerException"],
}
"""Errors of a service that was asked to start something and did not, of which it is asked again, by platform.

Those that a service's model does not name, such as that calls come too fast, have the name of all its errors.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception,
https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html,
https://repost.aws/questions/QUVo7mhaGrRlyGUQ8A3EBpsQ
"""
OVER = ["STOPPED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED"]
"""States of a run of a job that has ended, and not well.

Source: https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the states of a step stand.

    Attributes:
        step: whose they are.
        name: of the state that begins them; others have a suffix.
        after: what follows: `Next` or `End`.
        bad: what flows on when the step did not end well and has said why itself, as an expression.
        counter: a variable that nothing else in the machine is called.
        poll: seconds between two looks at a job, at least; 0 leaves the waiting to Step Functions.
        arns: of the account.
    """

    step: Step
    name: str
    after: States
    bad: str
    counter: str
    poll: int
    arns: Arns

    @property
    def text(self) -> str:
        """The step's name in an expression."""
        return json.dumps(self.step.id, ensure_ascii=False)

    def event(self, attempt: str, given: str = "$given") -> States:
        """Return what the step's code is told of an attempt, counted from 1 in an execution."""
        tried = f"($exists($lookup($tried, {self.text})) ? $lookup($tried, {self.text}) : 0)"
        return {
            "step": self.step.id,
            "attempt": f"{{% {attempt} + {tried} %}}",
            **({"timeout": self.step.timeout} if self.step.timeout is not None else {}),
            "given": f"{{% {given} %}}",
        }

    def failed(self, cause: str) -> str:
        """Return what flows on when the step failed for a cause, an expression."""
        return f"{{% $merge([$states.input.bad, {{{self.text}: $substring({cause}, 0, {CAUSE})}}]) %}}"

    @property
    def caught(self) -> States:
        """What happens when a state of it fails."""
        cause = "$states.errorOutput.Error & ': ' & $states.errorOutput.Cause"
        return {
            "ErrorEquals": ["States.ALL"],
            "Output": {"bad": self.failed(cause)},
            "Next": f"{self.name}: failed",
        }


def states_of(call: Invocation, frame: Frame) -> States:
    """Return the states that call what runs a step; the first is called as the frame says."""
    failed = {f"{frame.name}: failed": {"Type": "Pass", **frame.after}}
    match call:
        case Function():
            return {**_function(call, frame), **failed}
        case Job():
            run = _polled(call, frame) if frame.poll else _awaited(call, frame)
            return {**run, **_good(call, frame), **failed}
        case Native("glue"):
            run = _polled(call, frame) if frame.poll else _awaited(call, frame)
            return {**run, f"{frame.name}: good?": {"Type": "Pass", **frame.after}, **failed}
        case Native():
            return {**_native(call, frame), **failed}
        case _:
            assert_never(call)


def _function(call: Function, frame: Frame) -> States:
    state = {
        "Type": "Task",
        "Resource": frame.arns.integration("lambda:invoke"),
        "Arguments": {
            "FunctionName": call.arn,
            "Payload": frame.event("$states.context.State.RetryCount + 1"),
        },
        "TimeoutSeconds": seconds_of(frame.step, LAMBDA) + SLACK,
        **_retry(frame.step, "lambda"),
        "Catch": [frame.caught],
        "Output": {"bad": f"{{% $states.result.Payload.ok ? $states.input.bad : {frame.bad} %}}"},
        **frame.after,
    }
    return {frame.name: state}


def _native(call: Native, frame: Frame) -> States:
    timeout = {} if frame.step.timeout is None else {"TimeoutSeconds": max(1, math.ceil(frame.step.timeout))}
    state = {
        "Type": "Task",
        "Resource": frame.arns.integration(NATIVE[call.platform].resource),
        "Arguments": call.told(frame.arns),
        **timeout,
        **_retry(frame.step, call.platform),
        "Catch": [frame.caught],
        "Output": KEPT,
        **frame.after,
    }
    return {frame.name: state}


def _awaited(call: Job | Native, frame: Frame) -> States:
    state = {
        "Type": "Task",
        "Resource": frame.arns.integration("glue:startJobRun.sync"),
        "Arguments": _started(call, frame, "$states.context.State.RetryCount + 1"),
        "TimeoutSeconds": seconds_of(frame.step, GLUE) + SLACK + QUEUE,
        **_retry(frame.step, "glue"),
        "Catch": [frame.caught],
        "Output": KEPT,
        "Next": f"{frame.name}: good?",
    }
    return {frame.name: state}


def _polled(call: Job | Native, frame: Frame) -> States:
    name, kept, retry = frame.name, f"${frame.counter}", frame.step.retry
    ask = {"Type": "Task", "Output": KEPT, "Retry": [patient(BUSY["glue"])], "Catch": [frame.caught]}
    job = call.job if isinstance(call, Native) else call.name
    delay = f"{max(1, math.ceil(retry.delay))} * $power({max(1.0, retry.backoff)}, {kept}.attempt - 1)"
    pause = f"$max([{frame.poll}, $floor(($millis() - {kept}.since) / {SELDOM * 1000})])"
    found = "$states.result.JobRun"
    said = f"{{'state': {found}.JobRunState, 'why': {found}.ErrorMessage}}"
    over = f"{kept}.state in {json.dumps(OVER)}"
    states: States = {
        name: {
            "Type": "Pass",
            "Assign": {frame.counter: {"attempt": 1, "since": "{% $millis() %}"}},
            "Next": f"{name}: start",
        },
        f"{name}: start": {
            **ask,
            "Resource": frame.arns.integration("aws-sdk:glue:startJobRun"),
            "Arguments": _started(call, frame, f"{kept}.attempt"),
            "Assign": {frame.counter: f"{{% $merge([{kept}, {{'run': $states.result.JobRunId}}]) %}}"},
            "Next": f"{name}: wait",
        },
        f"{name}: wait": {"Type": "Wait", "Seconds": f"{{% {pause} %}}", "Next": f"{name}: look"},
        f"{name}: look": {
            **ask,
            "Resource": frame.arns.integration("aws-sdk:glue:getJobRun"),
            "Arguments": {"JobName": job, "RunId": f"{{% {kept}.run %}}"},
            "Assign": {frame.counter: f"{{% $merge([{kept}, {said}]) %}}"},
            "Next": f"{name}: over?",
        },
        f"{name}: over?": {
            "Type": "Choice",
            "Choices": [
                {"Condition": f"{{% {kept}.state = 'SUCCEEDED' %}}", "Next": f"{name}: good?"},
                {"Condition": f"{{% {over} and {kept}.attempt < {retry.attempts} %}}", "Next": f"{name}: again"},
                {"Condition": f"{{% {over} %}}", "Next": f"{name}: lost"},
            ],
            "Default": f"{name}: wait",
        },
        f"{name}: lost": {
            "Type": "Pass",
            "Output": {"bad": frame.failed(f"{kept}.state & ': ' & $substring({kept}.why, -{CAUSE - 20})")},
            "Next": f"{name}: failed",
        },
    }
    if retry.attempts > 1:
        states[f"{name}: again"] = {
            "Type": "Wait",
            "Seconds": f"{{% $min([{max(1, math.ceil(retry.max_delay))}, $ceil({delay})]) %}}",
            "Assign": {frame.counter: f"{{% {{'attempt': {kept}.attempt + 1, 'since': {kept}.since}} %}}"},
            "Next": f"{name}: start",
        }
    else:
        del states[f"{name}: over?"]["Choices"][1]
    return states


def _started(call: Job | Native, frame: Frame, attempt: str) -> States:
    if isinstance(call, Native):
        return call.told(frame.arns)
    # Glue narrows the whole job, so that there is nothing left for its script to narrow.
    event = frame.event(
        attempt, "$sift($given, function($value, $name) { $name != 'policy' })" if call.policy else "$given"
    )
    told = ", ".join(f"{json.dumps(key)}: {_expression(value)}" for key, value in sorted(event.items()))
    return {
        "JobName": call.name,
        "Arguments": {"--anabranch_event": f"{{% $string({{{told}}}) %}}", "--anabranch_done": _done(call)},
        **narrowed(GLUE, call.policy),
    }


def _expression(value: Any) -> str:
    """Return a field of an event inside of an expression."""
    text = str(value)
    return text[3:-3] if text.startswith("{% ") else json.dumps(value, ensure_ascii=False)


def _done(call: Job) -> str:
    return f"{{% $given.storage & {json.dumps(f'/{call.done}/')} & $given.run & '.' & $given.again %}}"


def _good(call: Job, frame: Frame) -> States:
    """Return the state that looks whether a job has said that all is well. If not, it may have reported why."""
    bucket = "$split($substringAfter($given.storage, 's3://'), '/')[0]"
    silent = frame.failed("'the job ended, and has not said that it is done'")[3:-3]
    key = f"$substringAfter($substringAfter({_done(call)[3:-3]}, 's3://'), '/')"
    return {
        f"{frame.name}: good?": {
            "Type": "Task",
            "Resource": frame.arns.integration("aws-sdk:s3:listObjectsV2"),
            "Arguments": {"Bucket": f"{{% {bucket} %}}", "Prefix": f"{{% {key} %}}", "MaxKeys": 1},
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3, "IntervalSeconds": 2}],
            "Catch": [frame.caught],
            "Output": {"bad": f"{{% $count($states.result.Contents) > 0 ? $states.input.bad : {silent} %}}"},
            **frame.after,
        }
    }


def patient(errors: Sequence[str]) -> States:
    """Return how something is asked again that failed with one of these errors."""
    return {**MANNERS, "ErrorEquals": [*errors]}


def _retry(step: Step, platform: str) -> States:
    """Return how a step is tried again: first where nothing was started, which is none of the step's own attempts.

    Step Functions counts whole seconds, and at least one.
    """
    retry, busy = step.retry, patient(BUSY[platform])
    if retry.attempts <= 1:
        return {"Retry": [busy]}
    delay = max(1, math.ceil(retry.delay))
    told: States = {
        "ErrorEquals": ["States.ALL"],
        "MaxAttempts": retry.attempts - 1,
        "IntervalSeconds": delay,
        "BackoffRate": max(1.0, retry.backoff),
        "MaxDelaySeconds": max(delay + 1, math.ceil(retry.max_delay)),
    }
    return {"Retry": [busy, told | ({"JitterStrategy": "FULL"} if retry.jitter >= 1 else {})]}
