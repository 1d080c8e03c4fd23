"""What the operators of other platforms' jobs are given; what they get wrong by themselves is set right here."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, TypeAlias

from anabranch.platforms.airflow.jinja import literal

if TYPE_CHECKING:
    from anabranch.model.call import NativeCall
    from anabranch.model.pipeline import Step
    from anabranch.platforms.airflow.jinja import Filling
    from anabranch.platforms.airflow.source import Value

Settings: TypeAlias = "dict[str, Value]"
"""What an operator is given, by name."""

_DELAY = 15
"""Seconds between two looks of an operator at its job."""

EXECUTION = '''class Execution(StepFunctionStartExecutionOperator):
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
"""Source of the class that stands for the operator of Step Functions."""


def glue_job(call: NativeCall, step: Step, filling: Filling) -> Settings:
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


def lambda_job(call: NativeCall, step: Step, filling: Filling) -> Settings:
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


def emr_job(call: NativeCall, step: Step, filling: Filling) -> Settings:
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


def emr_serverless_job(call: NativeCall, step: Step, filling: Filling) -> Settings:
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


def databricks_job(call: NativeCall, step: Step, filling: Filling) -> Settings:  # noqa: ARG001 - as all of them
    """Return a job by its number or its name. Its params are the step's: those of the run are not forwarded unasked."""
    which = "job_id" if call.job.isdigit() else "job_name"
    given: Settings = {name: filling.template(text) for name, text in call.arguments}
    return {
        which: literal(call.job),
        **({"job_parameters": given} if given else {}),
        "forward_dag_params": False,
    }


def step_functions_job(call: NativeCall, step: Step, filling: Filling) -> Settings:
    """Return an execution of a state machine; that it is waited for is the work of `EXECUTION`."""
    return {
        "state_machine_arn": literal(call.job),
        "state_machine_input": filling.json(dict(call.arguments)),
        **_patience(step),
    }


def airflow_job(call: NativeCall, step: Step, filling: Filling) -> Settings:  # noqa: ARG001 - as all of them
    """Return a run of another DAG, which is waited for."""
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
