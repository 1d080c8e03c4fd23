"""What a run has under way besides its executions: Glue jobs, which can be stopped, and functions, which cannot.

Where a machine looks at its jobs by itself, nobody else would stop them; and a function goes on, and writes, until it
ends by itself or its time is over.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import NotFoundError, StepError
from anabranch.model.pipeline import StepId
from anabranch.platforms.aws.limits import FUNCTION_SECONDS
from anabranch.platforms.aws.names import is_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anabranch.platforms.aws.client import AwsClient

ALIVE = {"STARTING", "RUNNING", "WAITING"}
"""States of a job's run that can be stopped."""
STOPPING = "STOPPING"
"""The state of one that was, and has not ended."""
RECENT = 50
"""Runs of a job that are looked at, to stop some: a run that goes on is among the newest."""
AT_ONCE = 25
"""Runs of a job that are stopped by one call. Source: https://docs.aws.amazon.com/glue/latest/webapi/API_BatchStopJobRun.html"""


@dataclass(frozen=True, slots=True)
class Tasks:
    """What a machine calls.

    Attributes:
        functions: seconds that a step's function may run.
        jobs: Glue jobs, by name, and whether they are of others: these are not told which run they are for.
        parts: the numbers of the machines that it starts.
    """

    functions: dict[StepId, float] = field(default_factory=dict)
    jobs: dict[str, bool] = field(default_factory=dict)
    parts: set[int] = field(default_factory=set)


def tasks_in(definition: str) -> Tasks:
    """Return what a machine calls, by its definition."""
    found = Tasks()
    for name, state in _states(json.loads(definition)["States"]):
        called, told = str(state.get("Resource", "")).partition(":::")[2], state.get("Arguments", {})
        if is_part(name) and called:
            found.parts.add(int(name.strip("()").split()[1]))
        elif called == "lambda:invoke" and "given" in told["Payload"]:
            seconds = min(FUNCTION_SECONDS, state["TimeoutSeconds"])
            found.functions[StepId(told["Payload"]["step"])] = float(seconds)
        elif "glue:startJobRun" in called:
            found.jobs[told["JobName"]] = "--anabranch_event" not in told["Arguments"]
    return found


def _states(states: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in states.items():
        yield name, state
        for branch in state.get("Branches", ()):
            yield from _states(branch["States"])


@dataclass(frozen=True, slots=True)
class History:
    """What the histories of executions tell: runs of jobs that were started, and when steps' functions were called."""

    jobs: set[str] = field(default_factory=set)
    called: dict[tuple[StepId, int], float] = field(default_factory=dict)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take note of an event."""
        if scheduled := event.get("taskScheduledEventDetails"):
            told = json.loads(scheduled.get("parameters") or "{}").get("Payload")
            if isinstance(told, dict) and "given" in told:
                self.called[StepId(told["step"]), int(told["attempt"])] = event["timestamp"].timestamp()
        for kind in ("taskSubmittedEventDetails", "taskSucceededEventDetails"):
            told = json.loads(event.get(kind, {}).get("output") or "{}")
            if isinstance(told, dict) and "JobRunId" in told:
                self.jobs.add(told["JobRunId"])


class Work:
    """What was started for a run."""

    def __init__(self, client: AwsClient, run: str, executions: Mapping[str, Tasks]) -> None:
        """Name it.

        Args:
            client: of the account.
            run: its id.
            executions: those that may be under way for it, in full, with what the machine of each calls.
        """
        self._client, self._run, self._executions = client, run, executions
        self.functions = {step: limit for tasks in executions.values() for step, limit in tasks.functions.items()}
        self._jobs = {job: others for tasks in executions.values() for job, others in tasks.jobs.items()}

    def stop(self, cause: str) -> None:
        """Stop its executions and its jobs: what waits is never started."""
        for arn in self._executions:
            try:
                told = self._client.ask("stepfunctions", "describe_execution", executionArn=arn)
                if told["status"] == "RUNNING":
                    by = {"error": "Cancelled", "cause": cause}
                    self._client.ask("stepfunctions", "stop_execution", executionArn=arn, **by)
            except NotFoundError:
                continue  # a part that was not reached
            except StepError as error:
                if error.code != "aws-refused":  # it has ended meanwhile
                    raise
        self.stop_jobs()

    def stop_jobs(self) -> bool:
        """Stop its jobs; return whether one has not ended yet."""
        started = self.history().jobs if any(self._jobs.values()) else set[str]()
        going = False
        for job in sorted(self._jobs):
            with suppress(NotFoundError):
                found = self._client.ask("glue", "get_job_runs", JobName=job, MaxResults=RECENT)["JobRuns"]
                mine = [each for each in found if each["Id"] in started or run_of_job(each) == self._run]
                going = going or any(each["JobRunState"] in {*ALIVE, STOPPING} for each in mine)
                alive = [each["Id"] for each in mine if each["JobRunState"] in ALIVE]
                for at in range(0, len(alive), AT_ONCE):
                    self._client.ask("glue", "batch_stop_job_run", JobName=job, JobRunIds=alive[at : at + AT_ONCE])
        return going

    def history(self) -> History:
        """Return what has happened in its executions."""
        found = History()
        for arn in self._executions:
            with suppress(NotFoundError):
                told = {"executionArn": arn, "maxResults": 1000}
                for event in self._client.pages("stepfunctions", "get_execution_history", "events", **told):
                    found.add(event)
        return found


def run_of_job(told: Mapping[str, Any]) -> str:
    """Return the run for which a job was started; empty where it was not one of ours."""
    event = json.loads(told.get("Arguments", {}).get("--anabranch_event", "{}"))
    return str(event.get("given", {}).get("run", ""))
