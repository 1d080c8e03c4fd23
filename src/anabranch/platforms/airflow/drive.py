"""Starting, watching, reading, cancelling and retrying runs on an Airflow."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import ConflictError, NotFoundError, StepError
from anabranch.platforms.airflow.api import part
from anabranch.platforms.airflow.dagfile import assets_of, version_of
from anabranch.platforms.airflow.names import task_id
from anabranch.platforms.airflow.runs import CANCELLED_BY, events, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Json, Pipeline, StepId
    from anabranch.model.run import Recorded, RunId
    from anabranch.platforms.airflow.api import AirflowApi

SEEN_WITHIN = 90.0
"""Seconds within which Airflow should have read a DAG file."""

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
            for each in self._api.pages("/importErrors", "import_errors"):
                # An error may be of the file as it was before the last apply, until Airflow looks again.
                fresh = datetime.fromisoformat(str(each["timestamp"])).timestamp() >= began
                if str(each["filename"]).endswith(f"/{self._dag}.py") and (fresh or time.time() - began > STALE):
                    said = str(each["stack_trace"]).strip().splitlines()[-1]
                    message = f"Airflow cannot import {each['filename']}: {said}"
                    raise StepError(message, code="dag-import-error", hint="see its import errors, then apply again")
            if time.monotonic() > deadline:
                message = f"Airflow has not read the newest {self._dag} within {patience:.0f} s"
                hint = "look at its dag-processor, its DAG folder, and dag_processor.refresh_interval"
                raise StepError(message, code="dag-not-seen", hint=hint)
            time.sleep(0.5)

    def _is_seen(self) -> bool:
        try:
            told = self._api.get(self._path)
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
        """
        self.wait_until_seen()
        conf: dict[str, Any] = dict(params)
        if event is not None:
            conf["input"] = event
        self._api.ask("POST", f"{self._path}/dagRuns", {"dag_run_id": run, "logical_date": None, "conf": conf})

    def events(self, run: str) -> list[Recorded]:
        """Return what has happened in a run until now."""
        told = self._api.get(f"{self._path}/dagRuns/{part(run)}")
        return self._events(told)

    def _events(self, told: Mapping[str, Any]) -> list[Recorded]:
        run = str(told["dag_run_id"])
        path = f"{self._path}/dagRuns/{part(run)}/taskInstances"
        tasks = list(self._api.pages(path, "task_instances"))
        tries = {
            task: self._api.get(f"{path}/{part(task)}/tries")["task_instances"]
            for task in silent(self._pipeline, tasks)
        }
        return events(self._pipeline, self._namespace, told, tasks, self._reports(run), tries)

    def newest(self, limit: int) -> list[list[Recorded]]:
        """Return the events of the newest runs, the newest first."""
        query = {"order_by": "-run_after", "limit": limit}
        try:
            found = self._api.get(f"{self._path}/dagRuns", **query)["dag_runs"]
        except NotFoundError:
            return []
        return [self._events(each) for each in found]

    def log(self, run: str, step: StepId, attempt: int) -> str:
        """Return what an attempt printed."""
        path = f"{self._path}/dagRuns/{part(run)}/taskInstances/{part(task_id(step))}/logs/{attempt}"
        told = self._api.get(path, full_content="true")
        content: Any = told.get("content", "")
        lines = (
            content.splitlines() if isinstance(content, str) else [line for each in content for line in _lines(each)]
        )
        return "".join(f"{line}\n" for line in printed(lines))

    def cancel(self, run: str) -> None:
        """Stop a run: what runs is killed, what waits is never started."""
        path = f"{self._path}/dagRuns/{part(run)}"
        if self._api.get(path)["state"] in {"success", "failed"}:
            raise ConflictError(f"run {run} has ended already", code="run-ended", hint=f"anabranch runs show {run}")
        self._api.ask("PATCH", path, {"state": "failed", "note": CANCELLED_BY})

    def retry(self, run: str, steps: Sequence[StepId]) -> None:
        """Run steps of a run again, with what is downstream of them, in the newest code."""
        self.wait_until_seen()
        path = f"{self._path}/dagRuns/{part(run)}"
        if self._api.get(path).get("note") == CANCELLED_BY:
            self._api.ask("PATCH", path, {"note": "retried with anabranch"})
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


def _lines(entry: Any) -> Iterator[str]:
    """Yield what one entry of a log says, with the exception that it tells of."""
    if not isinstance(entry, dict):
        yield str(entry)
        return
    yield str(entry.get("event", ""))
    for each in entry.get("error_detail") or []:
        yield f"{each.get('exc_type')}: {each.get('exc_value')}"


def printed(lines: Sequence[str]) -> list[str]:
    """Return what a step printed, without what Airflow says around it; all that an operator says of another job.

    >>> printed(["Running command: ...", "Output:", "hello", "Command exited with return code 0"])
    ['hello']
    >>> printed(["Running command: ...", "Output:", "it still runs"])
    ['it still runs']
    """
    starts = [i for i, line in enumerate(lines) if line == "Output:"]
    ends = [i for i, line in enumerate(lines) if line.startswith("Command exited with return code")]
    if starts and not (ends and ends[-1] < starts[0]):
        return list(lines[starts[0] + 1 : ends[-1] if ends else None])
    return [line for line in lines if not line.startswith(("::group::", "::endgroup::"))]
