"""What main's earlier runs still stand for: the newest success of each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.branch import MAIN
from anabranch.model.errors import UsageError
from anabranch.model.run import RunState, StepState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.model.pipeline import StepId
    from anabranch.model.run import Run, RunId, StepRun
    from anabranch.model.summary import Summary
    from anabranch.ports import RunStore
    from anabranch.store.runs import SqliteRunStore

LOOK_BACK = 50
"""Runs that are looked through for the last success of a step."""


def standing(
    store: RunStore, pipeline: str, steps: Iterable[StepId], *, without: RunId | None = None
) -> dict[StepId, tuple[Run, StepRun]]:
    """Return the newest run of main in which each step succeeded; where it was reused, the run that it is of.

    Steps that never succeeded are left out, and so is the run `without`.
    """
    missing = set(steps)
    found: dict[StepId, tuple[Run, StepRun]] = {}
    known: dict[RunId, Run] = {}
    for run in store.newest(pipeline, MAIN, LOOK_BACK):
        if run.id == without:
            continue
        for step in sorted(missing):
            told = run.step_by_id.get(step)
            if told is None or not told.state.ok:
                continue
            missing.discard(step)
            if told.of is None:
                found[step] = (run, told)
            else:
                origin = known.setdefault(told.of, store.run(told.of)) if told.of not in known else known[told.of]
                found[step] = (origin, origin.step_by_id[step])
        if not missing:
            break
    return found


def last_success(store: SqliteRunStore, pipeline: str) -> Summary | None:
    """Return the newest run of main that succeeded."""
    return next(iter(store.summaries.newest(pipeline, MAIN, 1, state=RunState.SUCCEEDED)), None)


def succeeded_in(store: SqliteRunStore, pipeline: str, steps: Iterable[StepId]) -> dict[StepId, tuple[RunId, str]]:
    """Return the run in which main's newest success of each step ran, and the digest of its code.

    As `standing`, from what is kept of runs in numbers: of a large run that is a tenth of the work.
    """
    missing = set(steps)
    found: dict[StepId, tuple[RunId, str]] = {}
    for run in store.summaries.newest(pipeline, MAIN, LOOK_BACK):
        for told in store.summaries.steps([run.id])[run.id]:
            if told.step not in missing or not told.state.ok:
                continue
            missing.discard(told.step)
            if told.state is StepState.REUSED:
                origin, _ = standing(store, pipeline, [told.step])[told.step]
                found[told.step] = (origin.id, origin.code)
            else:
                found[told.step] = (run.id, run.code)
        if not missing:
            break
    return found


def values_from_before(store: RunStore, pipeline: str, steps: Iterable[StepId]) -> dict[StepId, tuple[RunId, StepRun]]:
    """Return the newest value of each of these steps, from runs of main that succeeded in it.

    Raises:
        UsageError: `missing-value`.
    """
    wanted = set(steps)
    if not wanted:
        return {}
    found = {step: (run.id, told) for step, (run, told) in standing(store, pipeline, wanted).items()}
    if missing := wanted - set(found):
        name = min(missing)
        message = f"the chosen steps need the value of `{name}`, which has never succeeded"
        raise UsageError(message, code="missing-value", hint=f"choose `{name}` too")
    return found
