"""The scheduler: order, failure and skips, decided without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import pipelines

from anabranch.model.graph import reachable
from anabranch.model.run import StepState
from anabranch.run.schedule import Schedule

if TYPE_CHECKING:
    from anabranch.model.pipeline import Pipeline, StepId


@given(pipelines(), st.data())
def test_any_pipeline_runs_in_a_valid_order_whatever_fails(pipeline: Pipeline, data: st.DataObject) -> None:
    """Steps start when all before them succeeded; a failure skips what depends on it and nothing else."""
    failing = data.draw(st.sets(st.sampled_from(sorted(pipeline.step_by_id))))
    schedule = Schedule(pipeline, pipeline.step_by_id)
    running: list[StepId] = []
    done: set[StepId] = set()
    failed: set[StepId] = set()
    while not schedule.ended:
        while (step := schedule.next()) is not None:
            assert set(pipeline.upstream[step]) <= done
            running.append(step)
        step = running.pop(data.draw(st.integers(0, len(running) - 1)))
        if step in failing:
            schedule.failed(step)
            failed.add(step)
        else:
            schedule.succeeded(step)
            done.add(step)
    skipped = {step for step, state in schedule.state.items() if state is StepState.SKIPPED}
    assert skipped == reachable(pipeline.downstream, failed) - failed
    assert done | failed | skipped == set(pipeline.step_by_id)
    assert schedule.ok == (not failed)


@given(pipelines(), st.data())
def test_reused_steps_do_not_run_and_hold_nothing_up(pipeline: Pipeline, data: st.DataObject) -> None:
    """What is reused counts as done from the start."""
    last = data.draw(st.sampled_from(sorted(pipeline.step_by_id)))
    reused = reachable(pipeline.upstream, [last])
    schedule = Schedule(pipeline, pipeline.step_by_id, reused)
    ran: set[StepId] = set()
    while (step := schedule.next()) is not None:
        ran.add(step)
        schedule.succeeded(step)
    assert ran == set(pipeline.step_by_id) - reused
    assert schedule.ended
    assert schedule.ok
