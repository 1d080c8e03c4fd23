"""A run elsewhere, told as our events: what an orchestrator knows of its tasks, and what the attempts reported."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from anabranch.model.call import ContainerCall, NativeCall
from anabranch.model.failures import timed_out, unanswered
from anabranch.model.graph import order
from anabranch.model.report import outcome_in
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
from anabranch.model.task import Broken, Done

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Json, Pipeline, StepId
    from anabranch.model.report import Reports


_LOG = "see what is known of it: `anabranch runs logs`"


class TaskState(StrEnum):
    """How an orchestrator says that a step stands."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class TaskTold:
    """What an orchestrator knows of a step: `began` and `ended` are times of its last attempt.

    `why` is what it says of an attempt that failed and did not report. `earlier` has the begin and the end of earlier
    attempts, where it is known: jobs and containers, in which nothing of ours runs, do not report. `unbegun` has the
    numbers of attempts that never were: the orchestrator counted, and nothing was started.
    """

    state: TaskState
    attempts: int = 0
    began: float | None = None
    ended: float | None = None
    why: str = ""
    earlier: tuple[tuple[float | None, float | None], ...] = ()
    unbegun: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class RunTold:
    """What an orchestrator knows of a run. `state` is None while it runs; times are seconds of the epoch."""

    run: RunId
    began: float
    ended: float | None
    state: RunState | None
    params: tuple[tuple[str, str], ...] = ()
    input: Json = None
    trigger: str = "manual"

    @property
    def cancelled(self) -> bool:
        """Whether somebody stopped it."""
        return self.state is RunState.CANCELLED


def events(
    pipeline: Pipeline, namespace: str, run: RunTold, tasks: Mapping[StepId, TaskTold], reports: Reports
) -> list[Recorded]:
    """Return a run's events in the order in which they happened.

    Args:
        pipeline: as it is deployed.
        namespace: main, or a branch.
        run: what is known of it.
        tasks: what is known of its steps.
        reports: what attempts reported, by step and attempt.
    """
    told: list[tuple[float, Event]] = []
    causes: dict[StepId, tuple[float, StepId]] = {}  # of those that failed or did not run: who failed first, and when
    for step_id in order(pipeline):
        if step_id not in tasks:
            continue
        blocking = [cause for _, cause in sorted(causes[each] for each in pipeline.upstream[step_id] if each in causes)]
        mine = list(_step(step_id, pipeline, tasks[step_id], reports, blocking, run))
        told += mine
        for at, event in mine:
            if isinstance(event, StepFailed | StepCancelled):
                causes[step_id] = (at, step_id)
            elif isinstance(event, StepSkipped):
                causes[step_id] = (at, event.because)
    first = RunStarted(pipeline.name, order(pipeline), namespace, run.params, run.input, trigger=run.trigger)
    everything: list[tuple[float, Event]] = [(run.began, first), *sorted(told, key=lambda each: each[0])]
    if run.state is not None:
        ended = run.ended or run.began
        everything.append((ended, RunEnded(run.state, max(0.0, ended - run.began))))
    return [Recorded(run.run, seq, at, event) for seq, (at, event) in enumerate(everything, 1)]


def _step(
    step: StepId,
    pipeline: Pipeline,
    task: TaskTold,
    reports: Reports,
    blocking: Sequence[StepId],
    run: RunTold,
) -> Iterator[tuple[float, Event]]:
    known, ended = run.began, run.ended or run.began  # when it last did something that is known
    if task.state is TaskState.SKIPPED:
        because = blocking[0] if blocking else (pipeline.upstream[step] or (step,))[0]
        yield task.ended or ended, StepSkipped(step, because)
        return
    for attempt in sorted(set(range(1, task.attempts + 1)) - task.unbegun):
        report = reports.get((step, attempt))
        last = attempt == task.attempts
        began, over = (task.began, task.ended) if last else _earlier(task, attempt)
        start = float(report["began"]) if report else began
        if start is None and last and task.state is TaskState.WAITING:
            continue
        start = known if start is None else start
        since = start if began is None else min(start, began)  # an attempt's time begins before it can say so
        yield start, StepStarted(step, attempt)
        outcome = outcome_in(report)
        end = float(report["ended"]) if report and outcome else over or start
        known = end
        if last and task.state in {TaskState.RUNNING, TaskState.WAITING}:
            continue
        succeeded, failed = last and task.state is TaskState.SUCCEEDED, last and task.state is TaskState.FAILED
        match outcome:
            case Done(seconds, reads, writes, value, parts) if succeeded or not last:
                yield end, StepSucceeded(step, attempt, seconds, reads, writes, value, parts)
            case _ if succeeded:
                yield end, StepSucceeded(step, attempt, max(0.0, end - start))
            case _ if failed and run.cancelled and not isinstance(outcome, Broken):
                yield end, StepCancelled(step)
            case _:
                failure = (
                    outcome.failure
                    if isinstance(outcome, Broken)
                    else _unreported(step, pipeline, end - since, task.why)
                )
                seconds = outcome.seconds if isinstance(outcome, Broken) else max(0.0, end - start)
                if failed:
                    yield end, StepFailed(step, attempt, failure, seconds)
                else:
                    wait = pipeline.step_by_id[step].retry.wait(attempt, 0.5)
                    yield end, AttemptFailed(step, attempt, failure, seconds, wait)
    if not task.attempts and run.cancelled and task.state is TaskState.FAILED:
        yield ended, StepCancelled(step)


def _earlier(task: TaskTold, attempt: int) -> tuple[float | None, float | None]:
    return task.earlier[attempt - 1] if attempt <= len(task.earlier) else (None, None)


def _unreported(step: StepId, pipeline: Pipeline, seconds: float, why: str) -> Failure:
    """Return why an attempt that told nothing failed: its time was over, or it was killed; others never tell."""
    limit = pipeline.step_by_id[step].timeout
    if limit is not None and seconds >= limit:
        return timed_out(limit)
    match pipeline.step_by_id[step].call:
        case NativeCall(platform, job):
            return Failure("error", why or f"the job {job} failed on {platform}", _LOG, code="step-failed")
        case ContainerCall(image):
            return Failure("error", why or f"the container {image} failed", _LOG, code="step-failed")
        case _:
            pass
    return unanswered(why or "it ended without a report: see its log", "anabranch runs logs")
