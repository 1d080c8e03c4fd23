"""What Airflow says of a run and its tasks, as `telling` takes it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from anabranch.model.call import ContainerCall, NativeCall
from anabranch.model.report import outcome_in
from anabranch.model.run import RunId, RunState
from anabranch.platforms import telling
from anabranch.platforms.airflow.names import task_id
from anabranch.platforms.telling import RunTold, TaskState, TaskTold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.report import Reports
    from anabranch.model.run import Recorded

DAG_SOURCE = "https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dags.html"
"""Where Airflow says that a DAG's id is its own."""

CANCELLED_BY = "cancelled with anabranch"
"""The note on a run that was cancelled from here."""

STATES = {
    "running": TaskState.RUNNING,
    "restarting": TaskState.RUNNING,
    "deferred": TaskState.RUNNING,
    "up_for_reschedule": TaskState.RUNNING,
    "up_for_retry": TaskState.RETRYING,
    "success": TaskState.SUCCEEDED,
    "failed": TaskState.FAILED,
    "upstream_failed": TaskState.SKIPPED,
    "skipped": TaskState.SKIPPED,
    "removed": TaskState.SKIPPED,
}
"""Airflow's states of a task; a task in any other waits."""


def events(
    pipeline: Pipeline,
    namespace: str,
    run: Mapping[str, Any],
    tasks: Sequence[Mapping[str, Any]],
    reports: Reports,
    tries: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[Recorded]:
    """Return a run's events in the order in which they happened.

    Args:
        pipeline: as it is deployed.
        namespace: main, or a branch.
        run: Airflow's object of the run.
        tasks: its task instances, as Airflow tells them; `why` is what its log says of one that failed.
        reports: what attempts reported, by step and attempt.
        tries: all attempts of tasks that report none themselves, by task.
    """
    by_task = {str(task["task_id"]): task for task in tasks}
    steps = {step.id: by_task[task_id(step.id)] for step in pipeline.steps if task_id(step.id) in by_task}
    told = {step: _task(task, tries.get(str(task["task_id"]), ())) for step, task in steps.items()}
    return telling.events(pipeline, namespace, _run(pipeline, run), told, reports)


def import_error(errors: Sequence[Mapping[str, Any]], dag: str, since: float = 0.0) -> tuple[str, str] | None:
    """Return the file and the last words of the newest import error of a DAG's file, where there is one.

    Args:
        errors: as Airflow lists them.
        dag: the DAG's id.
        since: errors before this time are of an older file.
    """
    mine = [each for each in errors if str(each.get("filename")).endswith(f"/{dag}.py")]
    for each in sorted(mine, key=lambda each: str(each.get("timestamp")), reverse=True):
        if (_time(each.get("timestamp")) or 0.0) >= since:
            said = str(each.get("stack_trace")).strip().splitlines() or ["it does not say why"]
            return str(each.get("filename")), said[-1]
    return None


def unexplained(
    pipeline: Pipeline, tasks: Sequence[Mapping[str, Any]], reports: Reports
) -> Iterator[tuple[StepId, int, str]]:
    """Yield step, last attempt and task of those that failed and could not say why."""
    by_task = {str(task["task_id"]): task for task in tasks}
    for step in pipeline.steps:
        name = task_id(step.id)
        told = _task(by_task[name], ()) if name in by_task else None
        if told is None or told.state is not TaskState.FAILED or not told.attempts:
            continue
        if outcome_in(reports.get((step.id, told.attempts))) is None:
            yield step.id, told.attempts, name


def silent(pipeline: Pipeline, tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the tasks that were tried more than once and do not report: only Airflow knows when that was."""
    names = {task_id(step.id) for step in pipeline.steps if isinstance(step.call, NativeCall | ContainerCall)}
    return [str(task["task_id"]) for task in tasks if task["task_id"] in names and int(task.get("try_number") or 0) > 1]


def _run(pipeline: Pipeline, run: Mapping[str, Any]) -> RunTold:
    conf = dict(run.get("conf") or {})
    state = {"success": RunState.SUCCEEDED, "failed": RunState.FAILED}.get(str(run.get("state")))
    return RunTold(
        RunId(str(run["dag_run_id"])),
        _time(run.get("start_date")) or _time(run.get("queued_at")) or 0.0,
        _time(run.get("end_date")),
        RunState.CANCELLED if state and run.get("note") == CANCELLED_BY else state,
        tuple((name, str(conf[name])) for name in (param.name for param in pipeline.params) if name in conf),
        conf.get("input"),
        {"scheduled": "schedule"}.get(str(run.get("run_type")), str(run.get("run_type"))),
    )


def _task(task: Mapping[str, Any], tries: Sequence[Mapping[str, Any]]) -> TaskTold:
    state = STATES.get(str(task.get("state")), TaskState.WAITING)
    count = int(task.get("try_number") or 0)
    times = {int(each["try_number"]): (_time(each.get("start_date")), _time(each.get("end_date"))) for each in tries}
    earlier = tuple(times.get(attempt, (None, None)) for attempt in range(1, count))
    began, ended = _time(task.get("start_date")), _time(task.get("end_date"))
    if state is TaskState.WAITING:  # a task that waits for its next attempt still has the times of the last one
        began = ended = None
    return TaskTold(state, count, began, ended, str(task.get("why") or ""), earlier)


def _time(text: object) -> float | None:
    return datetime.fromisoformat(str(text)).timestamp() if text else None
