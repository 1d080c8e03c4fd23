"""Starting, watching, reading, cancelling and retrying runs on Step Functions.

A run is one execution; each retry of it is another, whose name counts on, because AWS's own redrive would run the old
definition again, and people retry with mended code.
"""

from __future__ import annotations

import json
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import ConflictError, NotFoundError, StepError
from anabranch.model.graph import reachable
from anabranch.model.report import outcome_in
from anabranch.model.resource import definition_in
from anabranch.platforms import telling
from anabranch.platforms.aws.deploy import log_group, machine_name
from anabranch.platforms.aws.names import EXECUTION, RETRY, execution_of
from anabranch.platforms.aws.stop import Work, tasks_in
from anabranch.platforms.aws.told import CANCELLED_BY, Execution, run_of, tasks_of
from anabranch.platforms.telling import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Json, Pipeline, StepId
    from anabranch.model.report import Reports
    from anabranch.model.resource import Owner
    from anabranch.model.run import Recorded, RunId
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.names import Arns

INPUT_BYTES = 262_144
"""Of an execution. Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

SEEN_WITHIN, PAUSE = 30.0, 0.5
"""Seconds within which an execution that was started is seen, and between two looks: AWS may not tell of it at once.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
"""
CLOCKS = 60
"""Seconds by which the clocks of those that tell the time may differ."""
LAG = 10.0
"""Seconds after a run was stopped in which what was started just before may not be seen yet."""


class AwsRuns:
    """The runs of one deployed pipeline."""

    def __init__(
        self,
        client: AwsClient,
        arns: Arns,
        owner: Owner,
        pipeline: Pipeline,
        reports: Callable[[str], Reports],
        started: dict[str, float],
    ) -> None:
        """Name the pipeline.

        Args:
            client: of the account.
            arns: of the account.
            owner: whose deployment it is.
            pipeline: as it is deployed.
            reports: returns what the attempts of a run reported.
            started: when executions were started from here, in full; it is added to.
        """
        self._client, self._arns, self._owner = client, arns, owner
        self._pipeline, self._reports, self._started = pipeline, reports, started
        self._name = machine_name(owner, pipeline.name)
        self._machine = arns.machine(self._name)

    def start(self, run: RunId, params: Mapping[str, str], event: Json) -> None:
        """Start a run, which waits for its turn by itself.

        Raises:
            StepError: `input-too-large`, and as `AwsClient.ask`.
        """
        self._execute(run, {"run": run, "params": dict(params), "input": event})

    def events(self, run: str) -> list[Recorded]:
        """Return what has happened in a run until now."""
        executions = self._executions(run)
        return self._events(run, executions)

    def definition(self) -> str:
        """Return the artifact that holds the pipeline as runs begin with it now."""
        return definition_in(self._told(self._name), self._pipeline.name)

    def held(self) -> str:
        """Return why runs do not go on: nobody can pause an execution."""
        return ""

    def names(self) -> Iterator[str]:
        """Yield the ids of the runs, the newest first."""
        seen: set[str] = set()
        listed = self._client.pages("stepfunctions", "list_executions", "executions", stateMachineArn=self._machine)
        for found in listed:
            run = self._run_named(found)
            if run not in seen:
                seen.add(run)
                yield run

    def newest(self, limit: int) -> list[list[Recorded]]:
        """Return the events of the newest runs, the newest first."""
        return [told for told in self._client.beside(self.events, islice(self.names(), limit)) if told]

    def _run_named(self, listed: Mapping[str, Any]) -> str:
        """Return the run of an execution: the name of a retry may be too long to tell all of it."""
        name = str(listed["name"])
        run, retry, _ = name.partition(RETRY)
        if not retry or len(name) < EXECUTION:
            return run
        told = self._client.ask("stepfunctions", "describe_execution", executionArn=listed["executionArn"])
        return str(Execution(told).given.get("run", name))

    def log(self, run: str, step: StepId, attempt: int) -> str:
        """Return what an attempt printed."""
        group = log_group(self._owner, self._pipeline.name)
        wanted = f"anabranch {run} {step} {attempt}"
        try:
            found = list(
                self._client.pages(
                    "logs",
                    "filter_log_events",
                    "events",
                    logGroupName=group,
                    filterPattern=json.dumps(wanted),
                    startTime=self._began(run),
                )
            )
            starts = [each for each in found if str(each["message"]).strip() == wanted]
            if not starts:
                return ""
            start = starts[-1]
            lines = self._client.pages(
                "logs",
                "filter_log_events",
                "events",
                logGroupName=group,
                logStreamNames=[start["logStreamName"]],
                startTime=start["timestamp"],
            )
            return "".join(_printed(lines, wanted))
        except NotFoundError:
            return ""

    def _began(self, run: str) -> int:
        """Return a moment just before a run began, in milliseconds: no line of it is older."""
        arn = self._arns.execution(self._name, execution_of(run))
        told = self._client.ask("stepfunctions", "describe_execution", executionArn=arn)
        return int((told["startDate"].timestamp() - CLOCKS) * 1000)

    def cancel(self, run: str) -> None:
        """Stop a run and its Glue jobs: what waits is never started, and a function that runs ends by itself."""
        executions = self._executions(run)
        if executions[-1].told["status"] != "RUNNING":
            raise ConflictError(f"run {run} has ended already", code="run-ended", hint=f"anabranch runs show {run}")
        self._work(run, len(executions) - 1).stop(CANCELLED_BY)

    def lingers(self, run: str) -> bool:
        """Return whether a function or job of a run that was stopped may still write; that ends by itself."""
        executions = self._executions(run)
        ended, now = executions[-1].told.get("stopDate"), time.time()
        if ended is None or now < ended.timestamp() + LAG:
            return True
        work, reports = self._work(run, len(executions) - 1), self._reports(run)

        def goes_on(begun: Mapping[tuple[StepId, int], float]) -> bool:
            return any(now < at + work.functions.get(step, 0.0) for (step, _), at in begun.items())

        silent = {key: float(report["began"]) for key, report in reports.items() if outcome_in(report) is None}
        if goes_on(silent) or work.stop_jobs():
            return True
        # What was called and has not reported yet may be about to begin.
        return goes_on({key: at for key, at in work.history().called.items() if key not in reports})

    def _work(self, run: str, again: int) -> Work:
        """Return what the newest execution of a run, and those of its parts, may have started."""
        found, todo, known = {}, [0], {0}
        for part in todo:
            name = machine_name(self._owner, self._pipeline.name, part)
            tasks = tasks_in(self._told(name))
            found[self._arns.execution(name, execution_of(run, again, part))] = tasks
            todo += sorted(tasks.parts - known)
            known |= tasks.parts
        return Work(self._client, run, found)

    def _told(self, name: str) -> str:
        """Return the definition of a machine."""
        told = self._client.ask("stepfunctions", "describe_state_machine", stateMachineArn=self._arns.machine(name))
        return str(told["definition"])

    def retry(self, run: str, steps: Sequence[StepId]) -> None:
        """Run steps of a run again, with what is downstream of them, in the newest code."""
        executions = self._executions(run)
        tasks = tasks_of(self._pipeline, executions, self._reports(run))
        again = reachable(self._pipeline.downstream, steps)
        again |= {step for step, task in tasks.items() if task.state is not TaskState.SUCCEEDED}
        inside = set(self._pipeline.step_by_id)
        given = executions[0].given
        told = {
            "run": run,
            "params": given.get("params") or {},
            "input": given.get("input"),
            "trigger": given.get("trigger", "manual"),
            "again": len(executions),
            "reused": dict.fromkeys(sorted(inside - again), True),
            "tried": {step: tasks[step].attempts for step in sorted(again & inside) if tasks[step].attempts},
        }
        self._execute(execution_of(run, len(executions)), told)

    def _execute(self, name: str, given: dict[str, Any]) -> None:
        text = json.dumps(given, ensure_ascii=False)
        if len(text.encode()) > INPUT_BYTES:
            message = f"the run is given {len(text.encode()):,} bytes, and Step Functions takes {INPUT_BYTES:,}"
            raise StepError(message, code="input-too-large", hint="put it into storage, and give its name")
        self._client.ask("stepfunctions", "start_execution", stateMachineArn=self._machine, name=name, input=text)
        self._started[self._arns.execution(self._name, name)] = time.monotonic()

    def _executions(self, run: str) -> list[Execution]:
        """Return the executions of a run, in their order; one that was started from here is awaited.

        Raises:
            NotFoundError: `no-run`.
        """
        found: list[Execution] = []
        while True:
            arn = self._arns.execution(self._name, execution_of(run, len(found)))
            try:
                told = self._client.ask("stepfunctions", "describe_execution", executionArn=arn)
            except NotFoundError:
                if arn in self._started and time.monotonic() < self._started[arn] + SEEN_WITHIN:
                    time.sleep(PAUSE)
                    continue
                break
            found.append(Execution(told))
        if not found:
            raise NotFoundError(f"no run `{run}`", code="no-run", hint="anabranch runs list")
        return found

    def _events(self, run: str, executions: Sequence[Execution]) -> list[Recorded]:
        reports = self._reports(run)
        told = run_of(run, self._pipeline, executions)
        tasks = tasks_of(self._pipeline, executions, reports)
        return telling.events(self._pipeline, self._owner.namespace, told, tasks, reports)


def _printed(events: Iterator[Mapping[str, Any]], wanted: str) -> Iterator[str]:
    """Yield what an attempt printed, without what Lambda says around it."""
    begun = False
    for event in events:
        line = str(event["message"]).rstrip("\n")
        if line.strip() == wanted:
            begun = True
        elif begun and line.startswith(("END RequestId", "REPORT RequestId", "anabranch ")):
            return
        elif begun and not line.startswith(("START RequestId", "INIT_START")):
            yield f"{line}\n"
