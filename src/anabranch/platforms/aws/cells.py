"""What AWS can do of what a pipeline may ask, as data: `check -e` refuses the rest by name, with the limit's source."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from typing import TYPE_CHECKING

from anabranch.model.call import DbtCall, NativeCall, SparkCall, kind
from anabranch.model.environment import kept_there
from anabranch.model.errors import Diagnostic, Severity, closest
from anabranch.model.pipeline import ObjectCreated, Schedule
from anabranch.platforms.aws.cron import is_plain, names_both_days
from anabranch.platforms.aws.limits import (
    FEWEST_WORKERS,
    FUNCTION_SECONDS,
    GLUE,
    JOB_SECONDS,
    LAMBDA,
    MEMORY,
    MOST_WORKERS,
    PYTHONS,
    SHELL,
    SHELLS,
    SLACK,
    WORKERS,
)
from anabranch.platforms.aws.names import state_of
from anabranch.platforms.aws.native import COMMAND_LINES, NATIVE, NEEDED, PLAIN
from anabranch.platforms.aws.policies import reads_only
from anabranch.platforms.aws.secrets import HERE, MANAGER, STORE, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.model.environment import Aws, Environment
    from anabranch.model.pipeline import Pipeline, Step

CELLS = {
    ("python", LAMBDA): "a Lambda function, in the step's own packages",
    ("sql", LAMBDA): "a Lambda function, by DuckDB",
    ("shell", LAMBDA): "a Lambda function; what it calls must be in the project or in Lambda's image",
    ("python", GLUE): "a Glue job, in the step's own packages",
    ("sql", GLUE): "a Glue job, by DuckDB",
    ("shell", GLUE): "a Glue job; what it calls must be in the project or in Glue's image",
    ("spark", GLUE): "a Glue job with Spark, whose outputs are staged in S3 and published when they are whole",
    ("dbt", GLUE): "a Glue job, by the dbt that the step requires",
    **{("native", platform): cell.text for platform, cell in NATIVE.items()},
}
"""How each kind of call runs on each engine. What is not here cannot be deployed to AWS."""

DEFAULTS = {"python": LAMBDA, "sql": LAMBDA, "shell": LAMBDA, "spark": GLUE, "dbt": GLUE}
"""The engine of each kind of call, where the environment names none."""

STATE_BYTES = 262_144
"""Bytes of the input of an execution.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""


def engine_of(pipeline: Pipeline, step: Step, environment: Environment) -> str:
    """Return the engine that runs a step; empty where its kind of call has none."""
    if isinstance(step.call, NativeCall):
        return step.call.platform
    return environment.engine(pipeline.name, step) or DEFAULTS.get(kind(step.call), "")


def refusals(pipeline: Pipeline, environment: Environment, aws: Aws, *, branch: bool = False) -> list[Diagnostic]:
    """Return what of a pipeline AWS cannot do; in a branch, what it could not keep off main's data, too."""
    calls = [*_calls(pipeline, environment, aws), *(_unnarrowed(pipeline) if branch else ())]
    return [*calls, *_secrets(pipeline, environment), *_names(pipeline), *_trigger(pipeline), *_size(pipeline)]


def _calls(pipeline: Pipeline, environment: Environment, aws: Aws) -> Iterator[Diagnostic]:
    for step in pipeline.steps:
        what, engine = kind(step.call), engine_of(pipeline, step, environment)
        if (what, engine) not in CELLS:
            there = [each for known, each in CELLS if known == what]
            message = f"step `{step.id}` is a {what} call, which cannot be deployed to AWS yet"
            hint = f"use one of {', '.join(sorted({known for known, _ in CELLS}))}"
            if isinstance(step.call, NativeCall):
                message = f"step `{step.id}` is a job on {engine}, which nothing on AWS starts yet"
                hint = closest(engine, there)
            elif there:
                message = f"step `{step.id}` is a {what} call, which cannot run on {engine} on AWS"
                hint = f"engines: {{{what}: {' or '.join(there)}}}"
            yield Diagnostic("no-cell", message, hint, step.place)
        elif isinstance(step.call, NativeCall):
            yield from _native(step, step.call)
        elif engine == GLUE:
            yield from _job(step, aws)
            if isinstance(step.call, SparkCall):
                yield from _spark(step, step.call, aws)
            elif isinstance(step.call, DbtCall) and not step.needs.requirements:
                message = f"step `{step.id}` does not say which dbt it is built with"
                yield Diagnostic("no-cell", message, "requirements: [dbt-core==..., dbt-duckdb==...]", step.place)
        else:
            yield from _function(step)


def _secrets(pipeline: Pipeline, environment: Environment) -> Iterator[Diagnostic]:
    """Refuse secrets that only a machine of yours has: nothing of it reaches a function or a job."""
    common = [(name, value) for name, value in environment.variables if value.startswith("secret://")]
    for step in pipeline.steps:
        if isinstance(step.call, NativeCall):
            continue
        for name, reference in kept_there(step.needs, common):
            if split(reference)[0] in HERE:
                message = f"step `{step.id}` is given {name} by {reference}, which nobody can read on AWS"
                hint = f"secret://{MANAGER}/NAME, or secret://{STORE}/NAME, as one of the environment's variables"
                yield Diagnostic("missing-secret", message, hint, step.place)


def _native(step: Step, call: NativeCall) -> Iterator[Diagnostic]:
    if step.takes or step.value is not None:
        message = f"step `{step.id}` is a job that exists, which takes no values from steps and gives none"
        yield Diagnostic("no-cell", message, "pass data by datasets, or params by its arguments", step.place)
    if step.needs.resources or step.needs.requirements:
        message = f"step `{step.id}` is a job that exists: its resources and packages are its own"
        yield Diagnostic("no-cell", message, "leave them out", step.place)
    told = dict(call.arguments)
    for name in NEEDED.get(call.platform, ()):
        if name not in told:
            message = f"step `{step.id}` does not give its {call.platform} job the argument `{name}`"
            yield Diagnostic("missing-argument", message, f"arguments: {{{name}: ...}}", step.place)
    for name in (each for each in COMMAND_LINES.get(call.platform, ()) if each in told):
        try:
            shlex.split(told[name])
        except ValueError as error:
            message = f"step `{step.id}` has an argument `{name}` that is no command line: {str(error).lower()}"
            yield Diagnostic("no-cell", message, "look at its quotes", step.place)
    for name in (each for each in PLAIN if each in NEEDED.get(call.platform, ()) and each in told):
        if "${" in told[name] or not told[name]:
            message = f"step `{step.id}` leaves the {name} of its job open, and the state machine's rights name it"
            yield Diagnostic("open-argument", message, "name it without placeholders", step.place)


def only_in_main(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Warn of what steps may do in main and not in a branch, where it would change what is main's."""
    for step in pipeline.steps:
        if denied := [] if step.external else [each for each in step.needs.permissions if not reads_only(each)]:
            message = f"step `{step.id}` asks for {', '.join(denied)}, which is denied in a branch: it is no read"
            hint = "name what it reads (dynamodb:Get*), or leave the step out of branches: external: true"
            yield Diagnostic("only-in-main", message, hint, step.place, Severity.WARNING)


def _unnarrowed(pipeline: Pipeline) -> Iterator[Diagnostic]:
    for step in pipeline.steps:
        cell = NATIVE.get(step.call.platform) if isinstance(step.call, NativeCall) else None
        if isinstance(step.call, NativeCall) and cell is not None and not cell.narrows:
            message = f"step `{step.id}` is a job on {step.call.platform}, whose calls cannot be kept off main's data"
            yield Diagnostic("not-narrowed", message, f"leave it out of the branch: --skip {step.id}", step.place)


def _function(step: Step) -> Iterator[Diagnostic]:
    longest = FUNCTION_SECONDS - SLACK
    if step.timeout is not None and step.timeout > longest:
        message = f"step `{step.id}` may take {step.timeout:g} s, and a Lambda function {FUNCTION_SECONDS} s"
        hint = f"a timeout of at most {longest} s, or the engine {GLUE}"
        yield Diagnostic("limit", message, hint, step.place)
    yield from _resources(step, "a Lambda function", *MEMORY)


def _job(step: Step, aws: Aws) -> Iterator[Diagnostic]:
    if step.timeout is not None and step.timeout > JOB_SECONDS - SLACK:
        message = f"step `{step.id}` may take {step.timeout:g} s, and a Glue job {JOB_SECONDS} s"
        yield Diagnostic("limit", message, "a shorter timeout", step.place)
    python = PYTHONS.get(aws.glue)
    if aws.glue != SHELL and python != aws.runtime:
        message = f"step `{step.id}` is built for {aws.runtime}, and Glue {aws.glue} has {python or 'another Python'}"
        hint = 'aws: {runtime: python3.11, glue: "5.0"}, or glue: shell with an interpreter'
        yield Diagnostic("no-cell", message, hint, step.place)
    most = (SHELLS if aws.glue == SHELL else WORKERS)[-1][0]
    workers = () if aws.glue == SHELL else ("workers",)
    yield from _resources(step, "a Glue job", 1, most, workers)
    for name, value in step.needs.resources:
        if name in workers and not (value.isdigit() and FEWEST_WORKERS <= int(value) <= MOST_WORKERS):
            message = (
                f"step `{step.id}` asks for {value} workers, and a Glue job has {FEWEST_WORKERS} to {MOST_WORKERS}"
            )
            yield Diagnostic("limit", message, "one of them is the driver", step.place)


def _spark(step: Step, call: SparkCall, aws: Aws) -> Iterator[Diagnostic]:
    """Refuse what Glue cannot be told: it has started Spark before the application begins."""
    here = [each for each in (*call.py_files, *call.jars) if not each.startswith("s3://")]
    open_conf = [name for name, value in call.conf if "${" in value]
    odd = [
        (aws.glue == SHELL, "is a Spark application, and Python shell jobs have no Spark", 'aws: {glue: "5.0"}'),
        (
            bool(call.main_class),
            "is a class of a JAR, and our Glue jobs start Python applications",
            "a native Glue job",
        ),
        ("://" in call.main, "has an application that is not in the project", "put it into the project"),
        (not call.master.startswith("local"), f"names the master {call.master}, and Glue has its own", "no master"),
        (bool(here), f"names files that Glue's workers cannot fetch: {', '.join(here)}", "put them into S3: s3://..."),
        (bool(open_conf), f"leaves settings open until it runs: {', '.join(open_conf)}", "set them in the application"),
    ]
    for wrong, message, hint in odd:
        if wrong:
            yield Diagnostic("no-cell", f"step `{step.id}` {message}", hint, step.place)


def _resources(step: Step, what: str, least: int, most: int, others: Sequence[str] = ()) -> Iterator[Diagnostic]:
    for name, value in step.needs.resources:
        if name in others:
            continue
        if name != "memory":
            message = f"step `{step.id}` asks for {name}, which {what} cannot be given"
            yield Diagnostic("no-cell", message, "its share of processors grows with its memory, in MB", step.place)
        elif not value.isdigit() or not least <= int(value) <= most:
            message = f"step `{step.id}` asks for {value} MB of memory, and {what} has {least} to {most} MB"
            yield Diagnostic("limit", message, "ask for that, or use another engine", step.place)


def _names(pipeline: Pipeline) -> Iterator[Diagnostic]:
    counts = Counter(state_of(step.id) for step in pipeline.steps)
    for step in pipeline.steps:
        if counts[state_of(step.id)] > 1:
            message = f"step `{step.id}` would share the state `{state_of(step.id)}` with another step"
            yield Diagnostic("name-collision", message, "rename one of them", step.place)


def _trigger(pipeline: Pipeline) -> Iterator[Diagnostic]:
    match pipeline.trigger:
        case ObjectCreated(bucket, scheme=scheme):
            if scheme != "s3":
                message = f"pipeline `{pipeline.name}` starts when an object is created in {scheme}://{bucket}"
                yield Diagnostic("no-cell", message, "AWS hears of objects in S3 only", pipeline.place)
            yield from _without_default(pipeline, "one that an object starts")
        case Schedule(cron):
            if not is_plain(cron) or names_both_days(cron):
                message = f"pipeline `{pipeline.name}` has the schedule `{cron}`, which EventBridge cannot tell"
                hint = "numbers, names, ranges and steps; days of the month or of the week, not both"
                yield Diagnostic("no-cell", message, hint, pipeline.place)
            yield from _without_default(pipeline, "a scheduled run")
            for step in pipeline.steps:
                if any(not port.sources and port.required for port in step.takes):
                    message = f"step `{step.id}` takes the trigger's event, and a schedule has none"
                    yield Diagnostic("no-event", message, "give the port a default", step.place)
        case None:
            pass


def _without_default(pipeline: Pipeline, run: str) -> Iterator[Diagnostic]:
    for param in pipeline.params:
        if param.default is None:
            message = f"param `{param.name}` has no default, and {run} gives it no value"
            yield Diagnostic("param-without-default", message, "give it a default", param.place)


def _size(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Refuse what flows from state to state when it could pass the limit: the names of all steps."""
    names = len(json.dumps({step.id: True for step in pipeline.steps}).encode())
    if names > STATE_BYTES * 3 // 4:
        message = f"the names of the steps of `{pipeline.name}` are {names:,} bytes, too much to flow between states"
        yield Diagnostic("limit", message, "shorter names, or two pipelines", pipeline.place)
