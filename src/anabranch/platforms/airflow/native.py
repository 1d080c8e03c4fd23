"""Jobs that exist already, as Airflow starts them: for each platform the operator, and what it is given.

The table is all there is to know of a platform. What its operator gets wrong by itself is set right here.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from anabranch.platforms.airflow.jinja import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anabranch.model.call import NativeCall
    from anabranch.model.pipeline import Step
    from anabranch.platforms.airflow.jinja import Filling
    from anabranch.platforms.airflow.source import Value

Settings: TypeAlias = "dict[str, Value]"


@dataclass(frozen=True, slots=True)
class Native:
    """How Airflow starts one kind of job, and waits for it.

    Attributes:
        operator: the class of the tasks.
        module: where it is.
        package: the provider that must be installed on the Airflow, as pip knows it.
        job: what a step's `job` names.
        arguments: what becomes of a step's `arguments`.
        settings: returns what the operator is given for a step.
        connection: the operator's setting that names an Airflow connection; empty where it has none.
        required: arguments that must be there.
        allowed: the arguments that there are; any, where it says none.
        stopped: whether the job is stopped when its task is.
        narrowed: returns what takes rights from one call, from the text of a policy; None where nothing can.
        lines: source of the class that stands for the operator, where the operator alone will not do.
    """

    operator: str
    module: str
    package: str
    job: str
    arguments: str
    settings: Callable[[NativeCall, Step, Filling], Settings]
    connection: str = "aws_conn_id"
    required: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    stopped: bool = True
    narrowed: Callable[[str], Settings] | None = None
    lines: str = ""

    @property
    def name(self) -> str:
        """The class that tasks are made of."""
        return self.lines.partition("(")[0].removeprefix("class ") if self.lines else self.operator


def wrong_with(step: Step, call: NativeCall) -> Iterator[tuple[str, str]]:
    """Yield what Airflow cannot do of a call, each with what to try."""
    native = NATIVE.get(call.platform)
    if native is None:
        yield f"names the platform `{call.platform}`, which Airflow starts no jobs on", f"one of {', '.join(NATIVE)}"
        return
    if call.platform == "airflow" and step.timeout is not None:
        # The wait for the other run is outside of the task's own time limit.
        # Source: https://github.com/apache/airflow/blob/3.3.2/task-sdk/src/airflow/sdk/execution_time/task_runner.py
        yield "has a timeout, which Airflow does not keep to while it waits for another DAG", "limit that DAG's tasks"
    if call.platform == "step-functions" and not call.job.startswith("arn:"):
        yield f"names the state machine `{call.job}` without its account", "give its ARN, arn:aws:states:..."
    yield from _wrong_arguments(native, call)


def _wrong_arguments(native: Native, call: NativeCall) -> Iterator[tuple[str, str]]:
    given = dict(call.arguments)
    for name in native.required:
        if not given.get(name):
            yield f"gives its {call.platform} job no `{name}`", f"arguments: {native.arguments}"
    for name in given:
        if native.allowed and name not in native.allowed:
            hint = f"its arguments are {', '.join(native.allowed)}"
            yield f"gives its {call.platform} job `{name}`, which Airflow cannot hand over", hint
    for name in ("command", "args", "spark"):
        if name in native.allowed and name in given:
            try:
                shlex.split(given[name])
            except ValueError as error:
                yield f"has a `{name}` that is no command line: {str(error).lower()}", "look at its quotes"


def _glue(call: NativeCall, step: Step, filling: Filling) -> Settings:
    """Return arguments as Glue has them, each with two dashes; the names of some of them are Glue's own.

    Source: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
    """
    given: Settings = {f"--{name.removeprefix('--')}": filling.template(text) for name, text in call.arguments}
    return {
        "job_name": literal(call.job),
        **({"script_args": given} if given else {}),
        "stop_job_run_on_kill": True,
        **_patience(step),
    }


def _lambda(call: NativeCall, step: Step, filling: Filling) -> Settings:
    """Return the call of a function: once, and as long as a function may take.

    botocore's own patience is 60 seconds, after which it calls the function again while the first call goes on.
    Source: https://repost.aws/knowledge-center/lambda-function-retry-timeout-sdk
    """
    patience = min(900, math.ceil(step.timeout or 900)) + 5
    retries: Settings = {"total_max_attempts": 1}
    return {
        "function_name": literal(call.job),
        "payload": filling.json(dict(call.arguments)),
        "botocore_config": {"read_timeout": patience, "retries": retries, "tcp_keepalive": True},
        "do_xcom_push": False,
    }


def _emr(call: NativeCall, step: Step, filling: Filling) -> Settings:
    """Return one step of a cluster that runs a command line.

    Source: https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-commandrunner.html
    """
    command: Value = [filling.template(word) for word in shlex.split(dict(call.arguments).get("command", ""))]
    one: Settings = {
        "Name": literal(step.id),
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": command},
    }
    by_id = call.job.startswith("j-")
    which: Settings = {"job_flow_id": literal(call.job)}
    if not by_id:
        which = {"job_flow_name": literal(call.job), "cluster_states": ["RUNNING", "WAITING"]}
    return {**which, "steps": [one], "wait_for_completion": True, **_patience(step)}


def _emr_serverless(call: NativeCall, step: Step, filling: Filling) -> Settings:
    """Return a Spark job of an application.

    Source: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_SparkSubmit.html
    """
    given = dict(call.arguments)
    spark: Settings = {"entryPoint": filling.template(given.get("script", ""))}
    if given.get("args"):
        spark["entryPointArguments"] = [filling.template(word) for word in shlex.split(given["args"])]
    if given.get("spark"):
        spark["sparkSubmitParameters"] = filling.template(given["spark"])
    return {
        "application_id": literal(call.job),
        "execution_role_arn": filling.template(given.get("role", "")),
        "job_driver": {"sparkSubmit": spark},
        "name": literal(step.id),
        **_patience(step),
    }


def _databricks(call: NativeCall, step: Step, filling: Filling) -> Settings:  # noqa: ARG001 - as all of them
    """Return a job by its number or its name. Its params are the step's: those of the run are not forwarded unasked."""
    which = "job_id" if call.job.isdigit() else "job_name"
    given: Settings = {name: filling.template(text) for name, text in call.arguments}
    return {
        which: literal(call.job),
        **({"job_parameters": given} if given else {}),
        "forward_dag_params": False,
    }


def _step_functions(call: NativeCall, step: Step, filling: Filling) -> Settings:
    return {
        "state_machine_arn": literal(call.job),
        "state_machine_input": filling.json(dict(call.arguments)),
        **_patience(step),
    }


def _airflow(call: NativeCall, step: Step, filling: Filling) -> Settings:  # noqa: ARG001 - as all of them
    given: Settings = {name: filling.template(text) for name, text in call.arguments}
    return {
        "trigger_dag_id": literal(call.job),
        **({"conf": given} if given else {}),
        "wait_for_completion": True,
        "poke_interval": 5,
    }


def _patience(step: Step) -> Settings:
    """Return how long an operator waits: as long as its task may take, or 30 days.

    Left alone, some give up after half an hour, or after 75 minutes when they are deferred.
    Source: https://airflow.apache.org/docs/apache-airflow-providers-amazon/stable/operators/emr/emr.html
    """
    seconds = 30 * 24 * 3600 if step.timeout is None else step.timeout
    return {"waiter_delay": _DELAY, "waiter_max_attempts": math.ceil(seconds / _DELAY) + 1}


_DELAY = 15
"""Seconds between two looks of an operator at its job."""

_AMAZON, _AWS = "apache-airflow-providers-amazon", "airflow.providers.amazon.aws.operators"

_EXECUTION = '''class Execution(StepFunctionStartExecutionOperator):
    """Waits for the execution that it starts, which the provider's operator does only when it is deferred."""

    arn = None

    def execute(self, context):
        self.arn = super().execute(context)
        while (told := self.hook.describe_execution(self.arn))["status"] in {"RUNNING", "PENDING_REDRIVE"}:
            time.sleep(5)
        if told["status"] != "SUCCEEDED":
            raise RuntimeError(f"{self.arn}: {told['status']}: {told.get('error')}: {told.get('cause')}")
        return self.arn

    def on_kill(self):
        if self.arn:
            self.hook.conn.stop_execution(executionArn=self.arn)
'''

NATIVE = {
    "airflow": Native(
        "TriggerDagRunOperator",
        "airflow.providers.standard.operators.trigger_dagrun",
        "apache-airflow-providers-standard",
        "the id of a DAG on the same Airflow",
        "the `conf` of its run",
        _airflow,
        connection="",
        stopped=False,
    ),
    "databricks": Native(
        "DatabricksRunNowOperator",
        "airflow.providers.databricks.operators.databricks",
        "apache-airflow-providers-databricks",
        "a job's number or name",
        "job parameters",
        _databricks,
        connection="databricks_conn_id",
    ),
    "emr": Native(
        "EmrAddStepsOperator",
        f"{_AWS}.emr",
        _AMAZON,
        "a running cluster's id (`j-...`) or name",
        "`command`, a command line that runs there",
        _emr,
        required=("command",),
        allowed=("command",),
        stopped=False,
    ),
    "emr-serverless": Native(
        "EmrServerlessStartJobOperator",
        f"{_AWS}.emr",
        _AMAZON,
        "an application's id",
        "`script` and `role` (an ARN); `args`, a command line; `spark`, options of spark-submit",
        _emr_serverless,
        required=("script", "role"),
        allowed=("script", "role", "args", "spark"),
        narrowed=lambda policy: {"config": {"executionIamPolicy": {"policy": literal(policy)}}},
    ),
    "glue": Native(
        "GlueJobOperator",
        f"{_AWS}.glue",
        _AMAZON,
        "a job's name",
        "job arguments, as `--name`",
        _glue,
        narrowed=lambda policy: {"run_job_kwargs": {"ExecutionRoleSessionPolicy": literal(policy)}},
    ),
    "lambda": Native(
        "LambdaInvokeFunctionOperator",
        f"{_AWS}.lambda_function",
        _AMAZON,
        "a function's name or ARN",
        "the event, a JSON object",
        _lambda,
        stopped=False,
    ),
    "step-functions": Native(
        "StepFunctionStartExecutionOperator",
        f"{_AWS}.step_function",
        _AMAZON,
        "a state machine's ARN",
        "the input, a JSON object",
        _step_functions,
        lines=_EXECUTION,
    ),
}
"""How a job on each platform is started. A platform that is not here has no jobs that Airflow can start for us."""


def task(call: NativeCall, step: Step, filling: Filling, connection: str, policy: str) -> Settings:
    """Return what the operator of a job is given.

    Args:
        call: of a platform in `NATIVE`.
        step: whose call it is.
        filling: what takes the place of its placeholders.
        connection: the Airflow connection to use; empty for the operator's own.
        policy: what narrows its call in a branch; empty for nothing.
    """
    native = NATIVE[call.platform]
    named: Settings = {native.connection: connection} if connection and native.connection else {}
    narrowed = native.narrowed(policy) if policy and native.narrowed else {}
    return {**native.settings(call, step, filling), **narrowed, **named}
