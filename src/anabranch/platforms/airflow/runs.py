"""Runs on Airflow, as logical runs: what it says of its tasks, and what the steps reported, told as our events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from anabranch.model import codec
from anabranch.model.graph import order
from anabranch.model.run import (
    AttemptFailed,
    Event,
    Failure,
    Recorded,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepCancelled,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from anabranch.model.task import Broken, Done, Outcome
from anabranch.platforms.airflow.names import task_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Pipeline, StepId

STARTED = frozenset({"running", "success", "failed", "up_for_retry", "restarting", "deferred", "up_for_reschedule"})
"""States of a task whose current attempt has begun."""
CANCELLED_BY = "cancelled with anabranch"
"""The note on a run that was cancelled from here."""


def events(
    pipeline: Pipeline,
    namespace: str,
    run: Mapping[str, Any],
    tasks: Sequence[Mapping[str, Any]],
    reports: Mapping[tuple[StepId, int], Mapping[str, Any]],
) -> list[Recorded]:
    """Return a run's events in the order in which they happened.

    Args:
        pipeline: as it is deployed.
        namespace: main, or a branch.
        run: Airflow's object of the run.
        tasks: its task instances, as Airflow tells them.
        reports: what attempts reported, by step and attempt.
    """
    run_id = RunId(str(run["dag_run_id"]))
    began = _time(run.get("start_date")) or _time(run.get("queued_at")) or 0.0
    ended = _time(run.get("end_date"))
    conf = dict(run.get("conf") or {})
    told: list[tuple[float, Event]] = []
    by_task = {str(task["task_id"]): task for task in tasks}
    causes: dict[StepId, tuple[float, StepId]] = {}  # of those that failed or did not run: who failed first, and when
    cancelled = run.get("note") == CANCELLED_BY
    for step_id in order(pipeline):
        task = by_task.get(task_id(step_id))
        if task is not None:
            blocking = [
                cause for _, cause in sorted(causes[each] for each in pipeline.upstream[step_id] if each in causes)
            ]
            mine = list(_step(step_id, pipeline, task, reports, blocking, cancelled=cancelled, span=(began, ended)))
            told += mine
            for at, event in mine:
                if isinstance(event, StepFailed | StepCancelled):
                    causes[step_id] = (at, step_id)
                elif isinstance(event, StepSkipped):
                    causes[step_id] = (at, event.because)
    params = tuple((name, str(conf[name])) for name in (param.name for param in pipeline.params) if name in conf)
    first = RunStarted(
        pipeline.name,
        order(pipeline),
        namespace,
        params,
        conf.get("input"),
        trigger={"manual": "manual", "scheduled": "schedule"}.get(str(run.get("run_type")), str(run.get("run_type"))),
    )
    everything: list[tuple[float, Event]] = [(began, first), *sorted(told, key=lambda each: each[0])]
    state = {"success": RunState.SUCCEEDED, "failed": RunState.FAILED}.get(str(run.get("state")))
    if state is not None:
        state = RunState.CANCELLED if cancelled else state
        everything.append((ended or began, RunEnded(state, max(0.0, (ended or began) - began))))
    return [Recorded(run_id, seq, at, event) for seq, (at, event) in enumerate(everything, 1)]


def _step(  # noqa: PLR0913 - what is known of a step
    step: StepId,
    pipeline: Pipeline,
    task: Mapping[str, Any],
    reports: Mapping[tuple[StepId, int], Mapping[str, Any]],
    blocking: Sequence[StepId],
    *,
    cancelled: bool,
    span: tuple[float, float | None],
) -> Iterator[tuple[float, Event]]:
    known, ended = span[0], span[1] or span[0]  # when it last did something that is known
    state, tries = str(task.get("state")), int(task.get("try_number") or 0)
    if state in {"upstream_failed", "skipped", "removed"}:
        because = blocking[0] if blocking else (pipeline.upstream[step] or (step,))[0]
        yield _time(task.get("end_date")) or ended, StepSkipped(step, because)
        return
    for attempt in range(1, tries + 1):
        report = reports.get((step, attempt))
        last = attempt == tries
        start = float(report["began"]) if report else _time(task.get("start_date")) if last else None
        if start is None and last and state not in STARTED:
            continue
        start = known if start is None else start
        yield start, StepStarted(step, attempt)
        end = float(report["ended"]) if report else (_time(task.get("end_date")) if last else None) or start
        known = end
        over = not last or state in {"success", "failed", "up_for_retry"}
        if not over:
            continue
        outcome = codec.decode(cast("type[Outcome]", Outcome), report["outcome"]) if report else None
        match outcome:
            case Done(seconds, reads, writes, value, parts) if state == "success" or not last:
                yield end, StepSucceeded(step, attempt, seconds, reads, writes, value, parts)
            case _ if state == "success" and last:
                yield end, StepSucceeded(step, attempt, max(0.0, end - start))
            case _ if last and state == "failed" and cancelled and not isinstance(outcome, Broken):
                yield end, StepCancelled(step)
            case _:
                failure = outcome.failure if isinstance(outcome, Broken) else _unreported(step, pipeline, end - start)
                seconds = outcome.seconds if isinstance(outcome, Broken) else max(0.0, end - start)
                if last and state == "failed":
                    yield end, StepFailed(step, attempt, failure, seconds)
                else:
                    wait = pipeline.step_by_id[step].retry.wait(attempt, 0.5)
                    yield end, AttemptFailed(step, attempt, failure, seconds, wait)
    if tries == 0 and cancelled and state == "failed":
        yield ended, StepCancelled(step)


def _unreported(step: StepId, pipeline: Pipeline, seconds: float) -> Failure:
    """Return why an attempt that told nothing failed: it was killed, perhaps because its time was over."""
    limit = pipeline.step_by_id[step].timeout
    if limit is not None and seconds >= limit:
        return Failure("timeout", f"it took longer than {limit:g} s", "raise its timeout", code="timeout")
    return Failure("killed", "it ended without a report: see its log", "anabranch runs logs", code="killed")


def _time(text: object) -> float | None:
    return datetime.fromisoformat(str(text)).timestamp() if text else None
