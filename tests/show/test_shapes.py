from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from tests.strategies import pipelines

from anabranch.model.pipeline import Pipeline, StepId
from anabranch.model.run import (
    Event,
    Failure,
    Recorded,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepFailed,
    StepReused,
    StepSkipped,
    fold,
)
from anabranch.model.summary import summarise
from anabranch.show import shapes

A = StepId("a")
FAILURE = Failure("error", "x")
HEAD = {"run", "seq", "at", "event"}
KEYS = {
    "RunStarted": {"pipeline", "steps", "namespace", "params", "input", "code", "retry_of", "trigger"},
    "StepStarted": {"step", "attempt"},
    "AttemptFailed": {"step", "attempt", "seconds", "wait", "failure"},
    "StepSucceeded": {"step", "attempt", "seconds", "reads", "writes", "value", "parts"},
    "StepReused": {"step", "reused_of", "writes", "value"},
    "StepFailed": {"step", "attempt", "seconds", "failure", "parts"},
    "StepSkipped": {"step", "because"},
    "StepCancelled": {"step"},
    "RunEnded": {"state", "seconds", "message"},
}
GIVEN = {
    "RunStarted": ("p", (A,)),
    "AttemptFailed": (A, 1, FAILURE),
    "StepReused": (A, RunId("b")),
    "StepFailed": (A, 1, FAILURE),
    "StepSkipped": (A, A),
    "RunEnded": (RunState.FAILED,),
}


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_has_all_of_its_keys_whatever_their_values(kind: type) -> None:
    event = kind(*GIVEN.get(kind.__name__, (A,)))
    assert set(shapes.event(Recorded(RunId("r"), 1, 0.0, event))) == HEAD | KEYS[kind.__name__]


def test_a_run_counts_its_steps_by_state() -> None:
    events: list[Event] = [
        RunStarted("p", (A, StepId("b"), StepId("c"))),
        StepReused(StepId("b"), RunId("q")),
        StepFailed(A, 1, FAILURE),
        StepSkipped(StepId("c"), A),
        RunEnded(RunState.FAILED),
    ]
    run = fold(Recorded(RunId("r"), i, float(i), event) for i, event in enumerate(events))
    assert run is not None
    told = shapes.run(run)
    assert {state: number for state, number in told["counts"].items() if number} == {
        "reused": 1,
        "failed": 1,
        "skipped": 1,
    }
    assert told["started_at"] == "1970-01-01T00:00:00.000Z"
    assert "steps" not in shapes.summary(summarise(run))


@given(pipelines())
def test_steps_and_datasets_of_any_pipeline_are_json(pipeline: Pipeline) -> None:
    json.dumps([shapes.step(step) for step in pipeline.steps] + [shapes.dataset(item) for item in pipeline.datasets])
