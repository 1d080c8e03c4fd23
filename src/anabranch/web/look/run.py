"""One run: how it stands, its steps in time, and one of them in full: what broke first."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING, Any

from anabranch.model.branch import MAIN
from anabranch.model.run import RunState, StepState
from anabranch.show import shapes
from anabranch.show.graph.picture import MOST_NODES
from anabranch.show.human import iso
from anabranch.web.draw.graph import graph
from anabranch.web.draw.timeline import row
from anabranch.web.look.pipeline import looks, medians_of, total
from anabranch.web.look.step import step as look_at_step
from anabranch.web.page import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anabranch.model.branch import Branch
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Run, StepRun
    from anabranch.model.summary import Summary
    from anabranch.show.shapes import Shape
    from anabranch.web.page import Asked
    from anabranch.web.site import Told
    from anabranch.web.spans import Span

PER_PAGE = 100
FIRST = (StepState.FAILED, StepState.RUNNING, StepState.RETRYING, StepState.CANCELLED, StepState.WAITING)
"""Of a run with more steps than a page has: which come first."""


def run(asked: Asked) -> View:
    """Look at a run, and at one of its steps: the one named, else what broke first, else what runs."""
    told = asked.site.told(asked.run, asked.environment)
    found, pipeline = told.run, asked.site.definition(told.run.id, asked.environment)
    store = asked.store.summaries
    usual = medians_of(asked.site.steps(_before(asked, found), asked.environment))
    page: int = asked.query["page"]
    state = str(asked.query["state"])
    shown = _sorted([each for each in found.steps if state in {"", each.state.value}])

    def shaped(steps: Sequence[StepRun]) -> list[Shape]:
        return [_step(pipeline, each, told.spans.get(each.step, ()), usual.get(each.step)) for each in steps]

    chosen = _chosen(found, str(asked.query["step"]))
    data: Shape = {
        "run": shapes.summary(store.of([found.id])[0]) | {"seq": found.last_seq, "now_seconds": _took(found)},
        "live": found.state is RunState.RUNNING,
        "parent": next((shapes.summary(each) for each in store.of([found.of])), None) if found.of else None,
        "retries": [shapes.summary(each) for each in store.retries(found.id)],
        "branch": found.namespace if found.namespace != MAIN else None,
        "branch_slug": next((each.slug for each in _branches(asked, found)), None),
        "pipeline_written": found.pipeline in asked.project.pipelines,
        "failed": [each.step for each in found.steps if each.state is StepState.FAILED],
        "steps": shaped(shown[(page - 1) * PER_PAGE : page * PER_PAGE]),
        "state": state,
        "page": page,
        "pages": max(1, -(-len(shown) // PER_PAGE)),
        "step": look_at_step(asked, told, pipeline, chosen) if chosen is not None else None,
        "environment": asked.environment,
    }

    def drawn() -> Mapping[str, Any]:
        ended = found.ended_at if found.ended_at is not None else _last_sign(told)
        return {
            "graph": graph(pipeline, looks(asked, shaped(found.steps[:MOST_NODES]), _datasets(pipeline, found), found)),
            "rows": {
                step["step"]: row(told.spans.get(step["step"], ()), found.started_at, ended) for step in data["steps"]
            },
            "states": [each.value for each in StepState if data["run"]["counts"][each.value]],
        }

    return View(data, drawn)


def _branches(asked: Asked, found: Run) -> list[Branch]:
    """Return the branch of the run, if it is one's and is still there."""
    if found.namespace == MAIN or asked.environment:
        return []
    return [each for each in asked.project.branches.all() if each.name == found.namespace]


def _before(asked: Asked, found: Run) -> Sequence[Summary]:
    """Return the runs that this one is measured by: the newest of its pipeline in its namespace."""
    return asked.store.summaries.newest(found.pipeline, found.namespace, 25, state=RunState.SUCCEEDED)


def _chosen(found: Run, named: str) -> StepRun | None:
    if named:
        return next((each for each in found.steps if each.step == named), None)
    for state in (StepState.FAILED, StepState.RUNNING, StepState.RETRYING):
        first = next((each for each in found.steps if each.state is state), None)
        if first is not None:
            return first
    return None


def _sorted(steps: list[StepRun]) -> list[StepRun]:
    """Return the steps as they began; those that never did come last, and of many what is wrong comes first."""
    order = {state: i for i, state in enumerate(FIRST)} if len(steps) > PER_PAGE else {}
    return sorted(steps, key=lambda each: (order.get(each.state, len(order)), each.started_at or inf))


def _took(found: Run) -> float:
    """Return how long the run took, or has taken until now."""
    if found.ended_at is not None or found.state is RunState.DEAD:
        return found.seconds
    return max(0.0, time.time() - found.started_at)


def _last_sign(told: Told) -> float:
    """Return when a run that has not ended was last heard of: now, unless it is dead."""
    if told.run.state is RunState.RUNNING:
        return time.time()
    ends = [span.ended_at or span.started_at for spans in told.spans.values() for span in spans]
    return max([told.run.started_at, *ends])


def _step(pipeline: Pipeline, told: StepRun, spans: Sequence[Span], usual: float | None) -> Shape:
    defined = pipeline.step_by_id.get(told.step)
    broken = told.failure is not None and told.failure.kind == "contract"
    promised = defined is not None and any(
        pipeline.dataset_by_name[port.dataset].columns
        for port in defined.outputs
        if port.dataset in pipeline.dataset_by_name
    )
    return {
        "step": told.step,
        "state": told.state.value,
        "attempts": told.attempts,
        "seconds": told.seconds,
        "median_seconds": usual,
        "started_at": iso(told.started_at),
        "ended_at": iso(told.ended_at),
        "rows_in": total([port.rows for port in told.reads]),
        "rows_out": total([port.rows for port in told.writes]),
        "bytes_out": total([port.bytes for port in told.writes]),
        "because": told.because,
        "reused_of": told.of,
        "contract": "broken" if broken else "kept" if promised and told.state.ok else "",
        "message": told.failure.message if told.failure is not None else "",
        "spans": [span_shape(span) for span in spans],
    }


def span_shape(span: Span) -> Shape:
    """Return one attempt in time."""
    return {
        "attempt": span.attempt,
        "state": span.state.value,
        "queued_at": iso(span.queued_at),
        "started_at": iso(span.started_at),
        "running_at": iso(span.running_at),
        "ended_at": iso(span.ended_at),
        "failure": shapes.failure(span.failure),
    }


def _datasets(pipeline: Pipeline, found: Run) -> list[Shape]:
    """Return what the graph tells of the datasets of a run."""
    told = {port.dataset: port for step in found.steps for port in (*step.reads, *step.writes)}
    writer: dict[str, StepId] = pipeline.writer_of
    broken = {step.step for step in found.steps if step.failure is not None and step.failure.kind == "contract"}
    return [
        {
            "name": spec.name,
            "rows": told[spec.name].rows if spec.name in told else None,
            "bytes": told[spec.name].bytes if spec.name in told else None,
            "contract": "broken" if writer.get(spec.name) in broken else "",
        }
        for spec in pipeline.datasets
    ]
