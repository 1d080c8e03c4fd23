"""The start page: every pipeline, what is failing, what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.branch import MAIN
from anabranch.model.run import RunState, StepState
from anabranch.show import shapes
from anabranch.show.human import iso
from anabranch.web.draw.bars import spark
from anabranch.web.look.starts import starts
from anabranch.web.page import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.model.pipeline import Pipeline
    from anabranch.model.summary import Summary
    from anabranch.show.shapes import Shape
    from anabranch.web.page import Asked

RECENT = 25
"""Runs of each pipeline that are looked at."""

TROUBLES = 5
"""Failed steps of one run that are named here."""


def home(asked: Asked) -> View:
    """Look at all pipelines of one namespace."""
    project, store = asked.project, asked.store.summaries
    known = dict(project.pipelines)
    recent = {name: store.newest(name, asked.namespace, RECENT) for name in sorted(known)}
    data = {
        "project": project.name,
        **places(asked),
        "pipelines": [_pipeline(known[name], runs) for name, runs in recent.items()],
        "failing": [trouble for runs in recent.values() for trouble in _troubles(asked, runs)],
        "running": [shapes.summary(run) for runs in recent.values() for run in runs if run.state is RunState.RUNNING],
        "problems": [shapes.diagnostic(each) for each in asked.site.problems],
    }
    return View(data, lambda: {"sparks": {name: spark(runs) for name, runs in recent.items()}})


def places(asked: Asked) -> Shape:
    """Return which namespace and environment is looked at, and which others there are."""
    branches = [branch.name for branch in asked.project.branches.all()] if asked.project.runs.path.exists() else []
    return {
        "namespace": asked.namespace,
        "namespaces": [MAIN, *branches],
        "environment": asked.environment,
        "environments": sorted(asked.project.file.environments),
    }


def succeeded(runs: Sequence[Summary]) -> Shape:
    """Return how many of the runs that ended did so well."""
    ended = [run for run in runs if run.state is not RunState.RUNNING]
    return {"succeeded": sum(run.state is RunState.SUCCEEDED for run in ended), "ended": len(ended)}


def _pipeline(pipeline: Pipeline, runs: Sequence[Summary]) -> Shape:
    return {
        "name": pipeline.name,
        "description": pipeline.description,
        "steps": len(pipeline.steps),
        **starts(pipeline),
        "last": shapes.summary(runs[0]) if runs else None,
        **succeeded(runs),
        "recent": [{"id": run.id, "state": run.state.value, "seconds": run.seconds} for run in runs],
    }


def _troubles(asked: Asked, runs: Sequence[Summary]) -> list[Shape]:
    """Return why a pipeline's newest run that has ended did not end well."""
    last = next((run for run in runs if run.state is not RunState.RUNNING), None)
    if last is None or last.state is RunState.SUCCEEDED:
        return []
    steps = asked.site.told(last.id, asked.environment).run.steps if last.state is RunState.FAILED else ()
    failed = [step for step in steps if step.state is StepState.FAILED]
    head = {
        "pipeline": last.pipeline,
        "run": last.id,
        "state": last.state.value,
        "started_at": iso(last.started_at),
    }
    if not failed:
        return [{**head, "step": None, "message": last.message, "place": "", "more": 0}]
    return [
        {
            **head,
            "step": step.step,
            "message": step.failure.message if step.failure else "",
            "place": step.failure.place if step.failure else "",
            "more": len(failed) - TROUBLES if i == TROUBLES - 1 and len(failed) > TROUBLES else 0,
        }
        for i, step in enumerate(failed[:TROUBLES])
    ]
