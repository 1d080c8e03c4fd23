"""Starting, watching, reading, cancelling and retrying runs on an Airflow."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from anabranch.model.call import ContainerCall, NativeCall
from anabranch.model.errors import ConflictError, NotFoundError, StepError
from anabranch.model.resource import definition_in
from anabranch.platforms.airflow import logs
from anabranch.platforms.airflow.api import part
from anabranch.platforms.airflow.dagfile import assets_of, version_of
from anabranch.platforms.airflow.names import task_id
from anabranch.platforms.airflow.runs import CANCELLED_BY, events, import_error, silent, unexplained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Json, Pipeline, StepId
    from anabranch.model.run import Recorded, RunId
    from anabranch.platforms.airflow.api import AirflowApi

SEEN_WITHIN = 400.0
"""Seconds within which Airflow should have read a DAG file: left alone, it looks for new ones every 300.

Source: https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html#refresh-interval
"""

DYING = 10.0
"""Seconds that a worker may go on after its run was stopped: a task of Airflow asks every five whether it was."""

STALE = 30.0
"""Seconds after which an import error is believed though it is older than the wait."""


class AirflowRuns:
    """The runs of one deployed pipeline."""

    def __init__(
        self,
        api: AirflowApi,
        dag: str,
        file: str,
        pipeline: Pipeline,
        namespace: str,
        reports: Callable[[str], Mapping[tuple[StepId, int], Mapping[str, Any]]],
    ) -> None:
        """Name the pipeline.

        Args:
            api: of the Airflow.
            dag: the DAG's id.
            file: the DAG file, in its newest state.
            pipeline: as it is deployed.
            namespace: main, or a branch.
            reports: returns what the attempts of a run reported.
        """
        self._api, self._dag = api, dag
        self._definition = definition_in(file, pipeline.name)
        self._version, self._assets = version_of(file), assets_of(file)
        self._pipeline, self._namespace, self._reports = pipeline, namespace, reports
        self._path = f"/dags/{part(dag)}"

    def wait_until_seen(self, patience: float = SEEN_WITHIN) -> None:
        """Wait until Airflow has read the newest state of the DAG file.

        Raises:
            StepError: `dag-import-error`, with what Airflow says; `dag-not-seen`.
        """
        began, deadline = time.time(), time.monotonic() + patience
        while not self._is_seen():
            # An error may be of the file as it was before the last apply, until Airflow looks again.
            since = 0.0 if time.time() - began > STALE else began
            errors = list(self._api.pages("/importErrors", "import_errors"))
            if (said := import_error(errors, self._dag, since)) is not None:
                message = f"Airflow cannot import {said[0]}: {said[1]}"
                raise StepError(message, code="dag-import-error", hint="see its import errors, then apply again")
            if time.monotonic() > deadline:
                message = f"Airflow has not read the newest {self._dag} within {patience:.0f} s"
                hint = "look at its dag-processor, its DAG folder, and dag_processor.refresh_interval"
                raise StepError(message, code="dag-not-seen", hint=hint)
            time.sleep(0.5)

    def _is_seen(self) -> bool:
        try:
            told = self._api.get(self._path, holding="tags")
        except NotFoundError:
            return False
        if told.get("is_stale") or not any(tag["name"] == self._version for tag in told["tags"]):
            return False
        # Airflow knows an asset a moment before it is active, and until then refuses the tasks that touch it.
        active = {str(each["uri"]) for each in self._api.pages("/assets", "assets", dag_ids=self._dag)}
        return self._assets <= active

    def start(self, run: RunId, params: Mapping[str, str], event: Json) -> None:
        """Start a run, of the newest state of the pipeline.

        Raises:
            StepError: as `wait_until_seen`, and as `AirflowApi.get`.
            ConflictError: `dag-paused`.
        """
        self.wait_until_seen()
        self._need_unpaused("a run that starts now would wait")
        conf: dict[str, Any] = dict(params)
        if event is not None:
            conf["input"] = event
        body = {"dag_run_id": run, "logical_date": None, "conf": conf}
        try:
            # The run has a name, so it is started once, however often that is asked.
            self._api.ask("POST", f"{self._path}/dagRuns", body, again=True)
        except ConflictError as error:
            if error.code != "airflow-conflict" or not self._is_there(run):
                raise
        except StepError as error:
            if error.code == "airflow-refused":
                raise
            message = f"{error.message}; whether run {run} was started is not known"
            hint = f"when Airflow is back: anabranch runs show {run}"
            raise StepError(message, code=error.code, hint=hint) from None

    def _is_there(self, run: str) -> bool:
        try:
            self._api.get(f"{self._path}/dagRuns/{part(run)}")
        except NotFoundError:
            return False
        return True

    def definition(self) -> str:
        """Return the artifact that holds the pipeline as runs begin with it now."""
        return self._definition

    def held(self) -> str:
        """Return why no run goes on there; empty where nothing holds them."""
        return f"DAG {self._dag} is paused on Airflow" if self._api.get(self._path).get("is_paused") else ""

    def _need_unpaused(self, then: str) -> None:
        if why := self.held():
            hint = "unpause it there: who paused it may have a reason"
            raise ConflictError(f"{why}: {then}", code="dag-paused", hint=hint)

    def events(self, run: str) -> list[Recorded]:
        """Return what has happened in a run until now."""
        told = self._api.get(f"{self._path}/dagRuns/{part(run)}", holding="dag_run_id")
        return self._events(told, explained=True)

    def _events(self, told: Mapping[str, Any], *, explained: bool = False) -> list[Recorded]:
        run = str(told["dag_run_id"])
        path = f"{self._path}/dagRuns/{part(run)}/taskInstances"
        tasks = list(self._api.pages(path, "task_instances"))
        tries = {
            task: self._api.get(f"{path}/{part(task)}/tries")["task_instances"]
            for task in silent(self._pipeline, tasks)
        }
        reports = self._reports(run)
        for step, attempt, task in unexplained(self._pipeline, tasks, reports) if explained else ():
            why = self._why(run, step, attempt)
            tasks = [{**each, "why": why} if each["task_id"] == task else each for each in tasks]
        return events(self._pipeline, self._namespace, told, tasks, reports, tries)

    def _why(self, run: str, step: StepId, attempt: int) -> str:
        """Return what Airflow's log says of an attempt that could not say itself why it failed."""
        try:
            why = logs.why(self._log(run, step, attempt))
        except NotFoundError:
            return ""
        match self._pipeline.step_by_id[step].call:
            case NativeCall(platform, job) if why:
                return f"the job {job} failed on {platform}: {why}"
            case ContainerCall(image) if why:
                return f"the container {image} failed: {why}"
            case _:
                return why

    def names(self) -> Iterator[str]:
        """Yield the ids of the runs, the newest first."""
        with suppress(NotFoundError):
            for told in self._api.pages(f"{self._path}/dagRuns", "dag_runs", order_by="-run_after"):
                yield str(told["dag_run_id"])

    def newest(self, limit: int) -> list[list[Recorded]]:
        """Return the events of the newest runs, the newest first."""
        query = {"order_by": "-run_after", "limit": limit}
        try:
            found = self._api.get(f"{self._path}/dagRuns", holding="dag_runs", **query)["dag_runs"]
        except NotFoundError:
            return []
        return [self._events(each) for each in found]

    def log(self, run: str, step: StepId, attempt: int) -> str:
        """Return what an attempt printed."""
        return logs.text(self._log(run, step, attempt))

    def _log(self, run: str, step: StepId, attempt: int) -> list[Any]:
        path = f"{self._path}/dagRuns/{part(run)}/taskInstances/{part(task_id(step))}/logs/{attempt}"
        return logs.entries(self._api.get(path, full_content="true"))

    def cancel(self, run: str) -> None:
        """Stop a run: what runs is killed, what waits is never started."""
        path = f"{self._path}/dagRuns/{part(run)}"
        if self._api.get(path, holding="state")["state"] in {"success", "failed"}:
            raise ConflictError(f"run {run} has ended already", code="run-ended", hint=f"anabranch runs show {run}")
        self._api.ask("PATCH", path, {"state": "failed", "note": CANCELLED_BY}, again=True)

    def lingers(self, run: str) -> bool:
        """Return whether tasks of a run that was stopped may not have heard of it yet."""
        ended = self._api.get(f"{self._path}/dagRuns/{part(run)}").get("end_date")
        return ended is not None and time.time() < datetime.fromisoformat(ended).timestamp() + DYING

    def retry(self, run: str, steps: Sequence[StepId]) -> None:
        """Run steps of a run again, with what is downstream of them, in the newest code."""
        self.wait_until_seen()
        self._need_unpaused("steps that run again now would wait")
        path = f"{self._path}/dagRuns/{part(run)}"
        if self._api.get(path).get("note") == CANCELLED_BY:
            self._api.ask("PATCH", path, {"note": "retried with anabranch"}, again=True)
        body = {
            "dag_run_id": run,
            "task_ids": [task_id(step) for step in steps],
            "dry_run": False,
            "only_failed": False,
            "include_downstream": True,
            "reset_dag_runs": True,
            "run_on_latest_version": True,
        }
        self._api.ask("POST", f"{self._path}/clearTaskInstances", body)
