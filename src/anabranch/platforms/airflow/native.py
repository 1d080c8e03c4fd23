"""Jobs that exist already, as Airflow starts them: for each platform the operator, and what it is given.

The table is all there is to know of a platform; `operators` has what its settings come to.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.platforms.airflow.jinja import literal
from anabranch.platforms.airflow.operators import (
    EXECUTION,
    airflow_job,
    databricks_job,
    emr_job,
    emr_serverless_job,
    glue_job,
    lambda_job,
    step_functions_job,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anabranch.model.call import NativeCall
    from anabranch.model.pipeline import Step
    from anabranch.platforms.airflow.jinja import Filling
    from anabranch.platforms.airflow.operators import Settings


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


_AMAZON, _AWS = "apache-airflow-providers-amazon", "airflow.providers.amazon.aws.operators"

NATIVE = {
    "airflow": Native(
        "TriggerDagRunOperator",
        "airflow.providers.standard.operators.trigger_dagrun",
        "apache-airflow-providers-standard",
        "the id of a DAG on the same Airflow",
        "the `conf` of its run",
        airflow_job,
        connection="",
        stopped=False,
    ),
    "databricks": Native(
        "DatabricksRunNowOperator",
        "airflow.providers.databricks.operators.databricks",
        "apache-airflow-providers-databricks",
        "a job's number or name",
        "job parameters",
        databricks_job,
        connection="databricks_conn_id",
    ),
    "emr": Native(
        "EmrAddStepsOperator",
        f"{_AWS}.emr",
        _AMAZON,
        "a running cluster's id (`j-...`) or name",
        "`command`, a command line that runs there",
        emr_job,
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
        emr_serverless_job,
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
        glue_job,
        narrowed=lambda policy: {"run_job_kwargs": {"ExecutionRoleSessionPolicy": literal(policy)}},
    ),
    "lambda": Native(
        "LambdaInvokeFunctionOperator",
        f"{_AWS}.lambda_function",
        _AMAZON,
        "a function's name or ARN",
        "the event, a JSON object",
        lambda_job,
        stopped=False,
    ),
    "step-functions": Native(
        "StepFunctionStartExecutionOperator",
        f"{_AWS}.step_function",
        _AMAZON,
        "a state machine's ARN",
        "the input, a JSON object",
        step_functions_job,
        lines=EXECUTION,
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
