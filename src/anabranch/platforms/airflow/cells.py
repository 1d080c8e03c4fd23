"""What Airflow can do of what a pipeline may ask, as data: `check -e` refuses the rest by name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from anabranch.model.call import ContainerCall, NativeCall, kind
from anabranch.model.dataset import Ingestion
from anabranch.model.errors import Diagnostic, Severity
from anabranch.model.pipeline import ObjectCreated, Rows, Schedule
from anabranch.platforms.airflow import native, pod
from anabranch.platforms.airflow.names import LONGEST, LONGEST_TAG, task_id, variable
from anabranch.platforms.airflow.native import NATIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.environment import Airflow, Environment
    from anabranch.model.pipeline import Pipeline, Step

CELLS = {
    "python": "a process on a worker, in the step's own environment",
    "sql": "a process on a worker, by DuckDB",
    "shell": "a process on a worker",
    "spark": "spark-submit on a worker",
    "dbt": "dbt's command line on a worker",
    "container": "a pod, by KubernetesPodOperator",
    **{f"native {platform}": f"{each.job}, by {each.operator}" for platform, each in NATIVE.items()},
}
"""How each kind of call runs; native calls by platform. What is not here cannot be deployed to Airflow."""

PROVIDERS = {
    "container": pod.PACKAGE,
    **{f"native {platform}": each.package for platform, each in NATIVE.items()},
}
"""What must be installed on the Airflow for some kinds of calls; for the others nothing."""

ID_SOURCE = "https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/dags.html"
TAG_SOURCE = "https://github.com/apache/airflow/blob/3.3.2/airflow-core/src/airflow/models/dag.py"
"""Where limits are told."""

IMPORT_SECONDS = 30
"""Seconds in which Airflow must have imported a DAG file, by default."""
IMPORT_SECONDS_OF_A_STEP = 0.002
"""Seconds that one of our tasks takes of that: 3,000 took 5.7 on a busy machine of two cores."""
IMPORT_SOURCE = "https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html#dagbag-import-timeout"

WORKER = "worker"
"""The engine of all of them."""


def refusals(pipeline: Pipeline) -> list[Diagnostic]:
    """Return what of a pipeline Airflow cannot do."""
    return [*_calls(pipeline), *_names(pipeline), *_trigger(pipeline), *_size(pipeline)]


def unknown_connections(environment: Environment, airflow: Airflow) -> Iterator[Diagnostic]:
    """Return connections that an environment names for what has none."""
    known = ["container", *(platform for platform, each in NATIVE.items() if each.connection)]
    for name, _ in airflow.connections:
        if name not in known:
            message = f"environment `{environment.name}` names an Airflow connection for `{name}`, which uses none"
            yield Diagnostic("no-connection", message, f"they are for {', '.join(known)}", environment.place)


def long_tags(environment: Environment) -> Iterator[Diagnostic]:
    """Yield tags that a DAG cannot have. Each is there as `name:value`."""
    for name, value in environment.tags:
        if len(f"{name}:{value}") > LONGEST_TAG:
            message = (
                f"the tag `{name}` of environment `{environment.name}` is longer with its value than Airflow allows: "
                f"{LONGEST_TAG} characters (source: {TAG_SOURCE})"
            )
            yield Diagnostic("tag-too-long", message, "shorten its value", environment.place)


def engines(pipeline: Pipeline, environment: Environment) -> Iterator[Diagnostic]:
    """Yield what is to run on an engine that Airflow cannot start."""
    for step in pipeline.steps:
        if (engine := environment.engine(pipeline.name, step)) not in {"", WORKER}:
            message = f"step `{step.id}` is to run on {engine}, which Airflow cannot start for a {kind(step.call)} call"
            yield Diagnostic("no-cell", message, f"use {WORKER}, or leave it out", step.place)


def _calls(pipeline: Pipeline) -> Iterator[Diagnostic]:
    for step in pipeline.steps:
        for what, hint in _wrong_with(step, pipeline):
            yield Diagnostic("no-cell", f"step `{step.id}` {what}", hint, step.place)


def _wrong_with(step: Step, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Yield what Airflow cannot do of a step, each with what to try."""
    match step.call:
        case NativeCall() as call:
            yield from native.wrong_with(step, call)
            yield from _beyond(step, pipeline, "a job that exists already")
            own = (("variables", step.needs.env), ("secrets", step.needs.secrets), ("resources", step.needs.resources))
            for word, given in own:
                if given:
                    yield f"has {word}, which a job that exists already has itself", "say them where the job is defined"
        case ContainerCall():
            yield from pod.wrong_with(step)
            yield from _beyond(step, pipeline, "a container")
        case _ if step.needs.resources:
            yield "asks for resources, which a task on an Airflow worker cannot be given", "leave them out"
        case _:
            pass


def _beyond(step: Step, pipeline: Pipeline, what: str) -> Iterator[tuple[str, str]]:
    """Yield what our own runtime does for a step, which is not where a job or a container runs."""
    if step.needs.requirements:
        yield f"has requirements, which {what} brings itself", "leave them out"
    if step.value is not None:
        yield f"gives a value, which {what} cannot hand back", "write a dataset instead"
    if step.takes:
        yield f"takes a value, which {what} cannot be handed", "read a dataset, or a param"
    for port in step.reads:
        spec = pipeline.dataset_by_name[port.dataset]
        if port.rows is Rows.AUTO and spec.ingestion is Ingestion.INCREMENTAL:
            hint = f"reads: {{{port.name}: {{dataset: {port.dataset}, rows: all}}}}"
            yield f"reads the new rows of `{port.dataset}`, and {what} can be handed only all", hint
        if spec.bound is not None and spec.bound.sample is not None:
            yield f"reads a sample of `{port.dataset}`, and {what} can be handed only all", "a branch without --sample"


def _size(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Yield that a DAG file may be too long to be imported; how long Airflow waits is its own setting."""
    if len(pipeline.steps) * IMPORT_SECONDS_OF_A_STEP > IMPORT_SECONDS:
        message = (
            f"pipeline `{pipeline.name}` has {len(pipeline.steps):,} steps, which Airflow may not import within the "
            f"{IMPORT_SECONDS} s that it waits by default (source: {IMPORT_SOURCE})"
        )
        hint = "make several pipelines of it, or raise core.dagbag_import_timeout there"
        yield Diagnostic("too-many-steps", message, hint, pipeline.place, Severity.WARNING)


def _names(pipeline: Pipeline) -> Iterator[Diagnostic]:
    for step in pipeline.steps:
        if len(task_id(step.id)) > LONGEST:
            message = f"step `{step.id}` would have a longer id on Airflow than it allows: {LONGEST} characters"
            yield Diagnostic(
                "name-too-long", f"{message} (source: {ID_SOURCE})", "shorten its name, or its pipeline's", step.place
            )
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
