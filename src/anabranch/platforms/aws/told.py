"""What Step Functions knows of a run, with what its attempts reported, as `telling` takes it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anabranch.model.call import NativeCall
from anabranch.model.graph import order
from anabranch.model.report import outcome_in
from anabranch.model.run import RunId, RunState
from anabranch.model.task import Broken, Done
from anabranch.platforms.aws.names import STEPS_FAILED, is_part
from anabranch.platforms.telling import RunTold, TaskState, TaskTold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anabranch.model.pipeline import Pipeline, Step, StepId
    from anabranch.model.report import Reports

CANCELLED_BY = "cancelled with anabranch"
"""The cause of an execution that was stopped from here."""

_STATES = {"SUCCEEDED": RunState.SUCCEEDED, "RUNNING": None, "PENDING_REDRIVE": None, "ABORTED": RunState.CANCELLED}
"""States of an execution; any other is a failure."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a pipeline's state machine: what AWS says of it."""

    told: Mapping[str, Any]

    @property
    def state(self) -> RunState | None:
        """How it ended; None while it runs."""
        return _STATES.get(str(self.told["status"]), RunState.FAILED)

    @property
    def given(self) -> dict[str, Any]:
        """What it was given; an event of S3 as the steps are told it."""
        given = json.loads(self.told.get("input") or "{}")
        if not isinstance(given, dict):
            return {}
        return {"trigger": "object", "input": created(given["detail"])} if "detail" in given else given

    @property
    def causes(self) -> dict[str, str]:
        """Why steps failed, as far as the state machine knows; cut off when there are too many."""
        return self._causes or {}

    @property
    def _causes(self) -> dict[str, str] | None:
        """The same; None where nobody told all of them."""
        if self.told.get("error") != STEPS_FAILED:
            return None
        try:
            told: dict[str, str] = json.loads(self.told.get("cause") or "{}")
        except ValueError:
            return None
        return {step: _said(why) for step, why in told.items()}

    @property
    def silence_is_good(self) -> bool:
        """Whether what ended badly is known, so that all else ended well that was started."""
        return self.state is RunState.SUCCEEDED or self._causes is not None

    @property
    def broke(self) -> str:
        """Why a part of it ended that is no step, or it itself; empty where neither did."""
        if self.state is not RunState.FAILED:
            return ""
        if self.told.get("error") == STEPS_FAILED:
            return "; ".join(f"{part}: {why}" for part, why in self.causes.items() if is_part(part))
        return f"{self.told.get('error') or self.told['status']}: {self.told.get('cause') or ''}".rstrip(": ")


def created(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event of S3 as steps take it: the object's bucket and key, its size and etag.

    >>> created({"bucket": {"name": "inbox"}, "object": {"key": "a.json", "size": 3, "etag": "e", "sequencer": "0"}})
    {'bucket': 'inbox', 'key': 'a.json', 'size': 3, 'etag': 'e'}
    """
    told = detail["object"]
    return {"bucket": detail["bucket"]["name"], **{name: told.get(name) for name in ("key", "size", "etag")}}


def _said(why: str) -> str:
    """Return an error without the form that Lambda gives it.

    >>> _said('StepFailed: {"errorMessage": "clean failed: see its log", "errorType": "Step')
    'clean failed: see its log'
    """
    found = re.search(r'"errorMessage": ?"((?:[^"\\\\]|\\\\.)*)', why)
    return found[1] if found else why


def run_of(run: str, pipeline: Pipeline, executions: Sequence[Execution]) -> RunTold:
    """Return what is known of a run: its first execution, and those that went on where others ended."""
    first, last = executions[0], executions[-1]
    params = first.given.get("params") or {}
    return RunTold(
        RunId(run),
        first.told["startDate"].timestamp(),
        last.told["stopDate"].timestamp() if last.told.get("stopDate") else None,
        last.state,
        tuple((param.name, str(params[param.name])) for param in pipeline.params if param.name in params),
        first.given.get("input"),
        str(first.given.get("trigger", "manual")),
    )


def tasks_of(pipeline: Pipeline, executions: Sequence[Execution], reports: Reports) -> dict[StepId, TaskTold]:
    """Return what is known of each step, from the last execution that had anything to do with it."""
    last: dict[StepId, Execution] = {}
    for execution in executions:
        reused = execution.given.get("reused") or {}
        last |= {step.id: execution for step in pipeline.steps if step.id not in reused or step.id not in last}
    found: dict[StepId, TaskTold] = {}
    for step_id in order(pipeline):
        upstream = [found[each] for each in pipeline.upstream[step_id] if each in found]
        task = _task(pipeline.step_by_id[step_id], last[step_id], reports, upstream)
        found[step_id] = replace(task, unbegun=_unbegun(step_id, task.attempts, executions, reports))
    return found


def _unbegun(step: StepId, attempts: int, executions: Sequence[Execution], reports: Reports) -> frozenset[int]:
    """Return the attempts that never were: Step Functions counts what AWS was asked and did not start, too.

    The last attempt of an execution was one, though it may not have been able to report.
    """
    last = {(execution.given.get("tried") or {}).get(step) for execution in executions}
    return frozenset(each for each in range(1, attempts) if (step, each) not in reports and each not in last)


def _task(step: Step, execution: Execution, reports: Reports, upstream: Iterable[TaskTold]) -> TaskTold:
    over = execution.state is not None
    before = int((execution.given.get("tried") or {}).get(step.id, 0))
    begun = [attempt for other, attempt in reports if other == step.id and attempt > before]
    attempts = max(begun, default=0)
    if not begun:
        return _unreported(step, execution, before, upstream)
    report = reports[step.id, attempts]
    began, outcome = float(report["began"]), outcome_in(report)
    if outcome is None:
        why = execution.causes.get(step.id, "")
        failed = over or why
        return TaskTold(TaskState.FAILED if failed else TaskState.RUNNING, attempts, began, why=why)
    ended = float(report["ended"])
    if isinstance(outcome, Done):
        return TaskTold(TaskState.SUCCEEDED, attempts, began, ended)
    again = not over and len(begun) < step.retry.attempts and not _is_final(outcome)
    return TaskTold(TaskState.RETRYING if again else TaskState.FAILED, attempts, began, ended)


def _unreported(step: Step, execution: Execution, before: int, upstream: Iterable[TaskTold]) -> TaskTold:
    """Return what is known of a step that has said nothing since its execution began."""
    over = execution.state is not None
    ended = execution.told["stopDate"].timestamp() if over else None
    if why := execution.causes.get(step.id, ""):  # its function failed before it could report
        return TaskTold(TaskState.FAILED, before + 1, ended, ended, why)
    upstream = list(upstream)
    blocked = [task for task in upstream if task.state in {TaskState.FAILED, TaskState.SKIPPED}]
    if blocked and execution.state is not RunState.CANCELLED:
        at = max((task.ended for task in blocked if task.ended is not None), default=ended)
        return TaskTold(TaskState.SKIPPED, before, ended=at)
    stopped = execution.state is RunState.CANCELLED
    if isinstance(step.call, NativeCall) and not stopped:  # a job that exists reports nothing
        return _unheard(execution, before, upstream)
    if execution.broke and not stopped:
        return TaskTold(TaskState.FAILED, before + 1, ended, ended, execution.broke)
    # Nothing will start what waited in a run that was stopped.
    return TaskTold(TaskState.FAILED if stopped else TaskState.WAITING, before)


def _unheard(execution: Execution, before: int, upstream: Sequence[TaskTold]) -> TaskTold:
    """Return what is known of a job that exists: it began when all before it had ended, and ended well unless told.

    Where a machine could not tell all that ended badly, nobody knows of it that it ended well.
    """
    began = max((task.ended for task in upstream if task.ended), default=execution.told["startDate"].timestamp())
    if execution.state is not None:
        state = TaskState.SUCCEEDED if execution.silence_is_good else TaskState.FAILED
        return TaskTold(state, before + 1, began, execution.told["stopDate"].timestamp(), execution.broke)
    ready = all(task.state is TaskState.SUCCEEDED for task in upstream)
    return TaskTold(TaskState.RUNNING, before + 1, began) if ready else TaskTold(TaskState.WAITING, before)


def _is_final(outcome: Broken) -> bool:
    return outcome.failure.kind == "contract"
