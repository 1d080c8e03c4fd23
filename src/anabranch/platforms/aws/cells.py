"""What AWS can do of what a pipeline may ask, as data: `check -e` refuses the rest by name, with the limit's source."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from anabranch.model.call import kind
from anabranch.model.errors import Diagnostic
from anabranch.model.pipeline import ObjectCreated, Schedule
from anabranch.platforms.aws.cron import is_plain, names_both_days
from anabranch.platforms.aws.machine import FUNCTION_SECONDS, SLACK
from anabranch.platforms.aws.names import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.pipeline import Pipeline, Step

CELLS = {
    "python": "a Lambda function, in the step's own packages",
    "sql": "a Lambda function, by DuckDB",
    "shell": "a Lambda function; what it calls must be in the project or in Lambda's image",
}
"""How each kind of call runs. A kind that is not here cannot be deployed to AWS."""

MEMORY = (128, 10_240)
"""MB of a function. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
STATE_BYTES = 262_144
"""Bytes of the input of an execution.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""


def refusals(pipeline: Pipeline) -> list[Diagnostic]:
    """Return what of a pipeline AWS cannot do."""
    return [*_calls(pipeline), *_names(pipeline), *_trigger(pipeline), *_size(pipeline)]


def _calls(pipeline: Pipeline) -> Iterator[Diagnostic]:
    for step in pipeline.steps:
        if kind(step.call) not in CELLS:
            message = f"step `{step.id}` is a {kind(step.call)} call, which cannot be deployed to AWS yet"
            yield Diagnostic("no-cell", message, f"use one of {', '.join(CELLS)}", step.place)
        longest = FUNCTION_SECONDS - SLACK
        if step.timeout is not None and step.timeout > longest:
            message = f"step `{step.id}` may take {step.timeout:g} s, and a Lambda function {FUNCTION_SECONDS} s"
            yield Diagnostic("limit", message, f"a timeout of at most {longest} s, or another orchestrator", step.place)
        yield from _resources(step)


def _resources(step: Step) -> Iterator[Diagnostic]:
    for name, value in step.needs.resources:
        if name != "memory":
            message = f"step `{step.id}` asks for {name}, which a Lambda function cannot be given"
            yield Diagnostic("no-cell", message, "its share of processors grows with its memory, in MB", step.place)
        elif not value.isdigit() or not MEMORY[0] <= int(value) <= MEMORY[1]:
            most = f"a Lambda function has {MEMORY[0]} to {MEMORY[1]} MB"
            message = f"step `{step.id}` asks for {value} MB of memory, and {most}"
            yield Diagnostic("limit", message, "ask for that, or use another orchestrator", step.place)


def memory_of(step: Step, usual: int) -> int:
    """Return the memory of a step's function, in MB."""
    return int(dict(step.needs.resources).get("memory", usual))


def _names(pipeline: Pipeline) -> Iterator[Diagnostic]:
    counts = Counter(state_of(step.id) for step in pipeline.steps)
    for step in pipeline.steps:
        if counts[state_of(step.id)] > 1:
            message = f"step `{step.id}` would share the state `{state_of(step.id)}` with another step"
            yield Diagnostic("name-collision", message, "rename one of them", step.place)


def _trigger(pipeline: Pipeline) -> Iterator[Diagnostic]:
    match pipeline.trigger:
        case ObjectCreated(bucket):
            message = f"pipeline `{pipeline.name}` starts when an object is created in {bucket}: not on AWS yet"
            yield Diagnostic("no-cell", message, "give it a schedule, or start its runs yourself", pipeline.place)
        case Schedule(cron):
            if not is_plain(cron) or names_both_days(cron):
                message = f"pipeline `{pipeline.name}` has the schedule `{cron}`, which EventBridge cannot tell"
                hint = "numbers, names, ranges and steps; days of the month or of the week, not both"
                yield Diagnostic("no-cell", message, hint, pipeline.place)
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


def _size(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Refuse what flows from state to state when it could pass the limit: the names of all steps."""
    names = len(json.dumps({step.id: True for step in pipeline.steps}).encode())
    if names > STATE_BYTES * 3 // 4:
        message = f"the names of the steps of `{pipeline.name}` are {names:,} bytes, too much to flow between states"
        yield Diagnostic("limit", message, "shorter names, or two pipelines", pipeline.place)
