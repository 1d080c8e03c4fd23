"""What Airflow can do of what a pipeline may ask, as data: `check -e` refuses the rest by name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from anabranch.model.call import kind
from anabranch.model.errors import Diagnostic
from anabranch.model.pipeline import ObjectCreated, Schedule
from anabranch.platforms.airflow.names import task_id, variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.environment import Environment
    from anabranch.model.pipeline import Pipeline

CELLS = {
    "python": "a process on a worker, in the step's own environment",
    "sql": "a process on a worker, by DuckDB",
    "shell": "a process on a worker",
    "spark": "spark-submit on a worker",
    "dbt": "dbt's command line on a worker",
}
"""How each kind of call runs. A kind that is not here cannot be deployed to Airflow."""

WORKER = "worker"
"""The engine of all of them."""


def refusals(pipeline: Pipeline) -> list[Diagnostic]:
    """Return what of a pipeline Airflow cannot do."""
    return [*_calls(pipeline), *_names(pipeline), *_trigger(pipeline)]


def engines(pipeline: Pipeline, environment: Environment) -> Iterator[Diagnostic]:
    """Yield what is to run on an engine that Airflow cannot start."""
    for step in pipeline.steps:
        if (engine := environment.engine(pipeline.name, step)) not in {"", WORKER}:
            message = f"step `{step.id}` is to run on {engine}, which Airflow cannot start for a {kind(step.call)} call"
            yield Diagnostic("no-cell", message, f"use {WORKER}, or leave it out", step.place)


def _calls(pipeline: Pipeline) -> Iterator[Diagnostic]:
    for step in pipeline.steps:
        if kind(step.call) not in CELLS:
            message = f"step `{step.id}` is a {kind(step.call)} call, which cannot be deployed to Airflow yet"
            yield Diagnostic("no-cell", message, f"use one of {', '.join(CELLS)}", step.place)
        if step.needs.resources:
            message = f"step `{step.id}` asks for resources, which a task on an Airflow worker cannot be given"
            yield Diagnostic("no-cell", message, "leave them out, or size the workers", step.place)


def _names(pipeline: Pipeline) -> Iterator[Diagnostic]:
    for name in (task_id, variable):
        counts = Counter(name(step.id) for step in pipeline.steps)
        for step in pipeline.steps:
            if counts[name(step.id)] > 1:
                message = f"step `{step.id}` would share the name `{name(step.id)}` on Airflow with another step"
                yield Diagnostic("name-collision", message, "rename one of them", step.place)


def _trigger(pipeline: Pipeline) -> Iterator[Diagnostic]:
    match pipeline.trigger:
        case ObjectCreated(bucket):
            message = (
                f"pipeline `{pipeline.name}` starts when an object is created in {bucket}, which Airflow cannot see"
            )
            yield Diagnostic("no-cell", message, "give it a schedule, or start its runs yourself", pipeline.place)
        case Schedule():
            for param in pipeline.params:
                if param.default is None:
                    message = f"param `{param.name}` has no default, and a scheduled run gives it no value"
                    yield Diagnostic("param-without-default", message, "give it a default", param.place)
            for step in pipeline.steps:
                if any(not port.sources and port.required for port in step.takes):
                    message = f"step `{step.id}` takes the trigger's event, and a schedule has none"
                    yield Diagnostic("no-event", message, "give the port a default", step.place)
        case None:
            pass
