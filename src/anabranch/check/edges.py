"""Rules about what waits for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model import graph
from anabranch.model.errors import Diagnostic, closest
from anabranch.model.values import ListOf, ValueType, accepts, show

if TYPE_CHECKING:
    from anabranch.check.subject import Subject
    from anabranch.model.pipeline import Step, ValueInput


def known_steps(subject: Subject) -> list[Diagnostic]:
    """Every step that is named exists, and is not the step itself; one id is one step."""
    pipeline = subject.pipeline
    found: list[Diagnostic] = []
    seen: dict[str, Step] = {}
    for step in pipeline.steps:
        if step.id in seen:
            message = f"two steps are named `{step.id}`; the other is at {seen[step.id].place}"
            found.append(Diagnostic("duplicate-step", message, "give one of them another name", step.place))
        seen[step.id] = step
        named = [(name, step.place) for name in step.after]
        named += [(name, port.place or step.place) for port in step.takes for name in port.sources]
        for name, place in named:
            if name == step.id:
                message = f"step `{step.id}` waits for itself"
                found.append(Diagnostic("cycle", message, "remove it from its own inputs", place))
            elif name not in pipeline.step_by_id:
                message = f"step `{step.id}` waits for `{name}`, which is no step"
                found.append(Diagnostic("unknown-step", message, closest(name, pipeline.step_by_id), place))
    return found


def no_cycles(subject: Subject) -> list[Diagnostic]:
    """No step waits for itself by way of others."""
    return [
        Diagnostic(
            "cycle",
            "these steps wait for each other: " + " -> ".join((*cycle, cycle[0])),
            "take one of these edges out, or split a step",
            subject.pipeline.step_by_id[cycle[0]].place,
        )
        for cycle in graph.cycles(subject.pipeline)
    ]


def reachable_steps(subject: Subject) -> list[Diagnostic]:
    """Every step can start: each value that it takes comes from somewhere, also for the steps before it."""
    pipeline = subject.pipeline
    stuck: dict[str, str] = {}
    found: list[Diagnostic] = []
    for step in pipeline.steps:
        # A first step's value comes from the trigger, or from `run --input`.
        if pipeline.upstream[step.id] or step.after:
            for port in step.takes:
                if port.required and not port.sources:
                    stuck[step.id] = port.name
                    message = f"step `{step.id}` takes `{port.name}`, and no step gives it"
                    hint = f"give `{port.name}` a source, or a default"
                    found.append(Diagnostic("unreachable-step", message, hint, port.place or step.place))
    on_cycles = {step for cycle in graph.cycles(pipeline) for step in cycle}
    starts = [step.id for step in pipeline.steps if step.id in stuck] + sorted(on_cycles)
    for step_id in sorted(graph.reachable(pipeline.downstream, starts) - set(stuck) - on_cycles):
        step = pipeline.step_by_id[step_id]
        message = f"step `{step_id}` can never start: it waits for one that cannot"
        hint = "mend the step before it"
        found.append(Diagnostic("unreachable-step", message, hint, step.place))
    return found


def fitting_values(subject: Subject) -> list[Diagnostic]:
    """The value that a step gives is of the type that the next one takes."""
    steps = subject.pipeline.step_by_id
    found: list[Diagnostic] = []
    for step in subject.pipeline.steps:
        for port in step.takes:
            for source in port.sources:
                if source not in steps or source == step.id:
                    continue
                place = port.place or step.place
                value = steps[source].value
                if value is None:
                    message = f"step `{step.id}` takes `{port.name}` from `{source}`, which gives no value"
                    hint = f"let `{source}` return one, or wait for it with `after`"
                    found.append(Diagnostic("no-value", message, hint, place))
                elif not accepts(wanted := _wanted(port), value.type):
                    message = (
                        f"`{source}` gives {show(value.type)}, but `{step.id}` takes `{port.name}` as {show(wanted)}"
                    )
                    hint = f"change one of the two, or put a step between them (`{source}` is at {steps[source].place})"
                    found.append(Diagnostic("type-mismatch", message, hint, place))
    return found


def _wanted(port: ValueInput) -> ValueType:
    """The type that each source must fit: a collecting port takes a list with one item of each."""
    several = port.collect or len(port.sources) > 1
    return port.type.item if several and isinstance(port.type, ListOf) else port.type
