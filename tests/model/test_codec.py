"""Pipelines, events and tasks keep everything through JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from tests.strategies import pipelines

from anabranch.model import codec
from anabranch.model.errors import ConflictError
from anabranch.model.pipeline import Pipeline, StepId
from anabranch.model.place import Place
from anabranch.model.run import (
    AttemptFailed,
    Event,
    Failure,
    PortStats,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepReused,
    StepState,
    StepSucceeded,
    SubStep,
)

A = StepId("a")


@given(pipelines())
def test_any_pipeline_round_trips_through_json(pipeline: Pipeline) -> None:
    """Nothing is lost between `dump` and `load`, also when the JSON is written out."""
    assert codec.load(json.loads(json.dumps(codec.dump(pipeline)))) == pipeline


@given(pipelines())
def test_the_fingerprint_does_not_depend_on_order_or_place(pipeline: Pipeline) -> None:
    """The same steps written in another order and another file mean the same."""
    moved = replace(
        pipeline,
        steps=tuple(replace(step, place=Place("elsewhere.py", 1)) for step in reversed(pipeline.steps)),
        datasets=tuple(reversed(pipeline.datasets)),
        place=None,
    )
    assert codec.fingerprint(moved) == codec.fingerprint(pipeline)


@given(pipelines())
def test_the_fingerprint_changes_with_a_step(pipeline: Pipeline) -> None:
    """A changed timeout is another pipeline."""
    first = pipeline.steps[0]
    changed = replace(pipeline, steps=(replace(first, timeout=(first.timeout or 0) + 1), *pipeline.steps[1:]))
    assert codec.fingerprint(changed) != codec.fingerprint(pipeline)


def test_a_newer_form_is_refused() -> None:
    """A pipeline written by a later anabranch is not half understood."""
    with pytest.raises(ConflictError) as caught:
        codec.load({"anabranch": codec.VERSION + 1, "pipeline": {}})
    assert caught.value.code == "newer-version"


@pytest.mark.parametrize(
    "event",
    [
        RunStarted("p", (A,), params=(("day", "2013-01-05"),), input={"k": [1, None]}, of=RunId("x")),
        AttemptFailed(A, 1, Failure("error", "no", trace="t"), 0.5, 1.0),
        StepSucceeded(
            A, 2, 0.1, (PortStats("i", "d", 3, 10, "sha256:0"),), value=[1], parts=(SubStep("m", StepState.SUCCEEDED),)
        ),
        StepReused(A, RunId("x"), value={"a": 1}),
        RunEnded(RunState.FAILED, 1.5, "why"),
    ],
)
def test_events_round_trip(event: Event) -> None:
    """What is stored is what is read."""
    assert codec.decode(Event, json.loads(json.dumps(codec.encode(event)))) == event  # type: ignore[arg-type]
