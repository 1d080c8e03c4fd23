"""`pipeline(...)`, as Python code writes it, and its lowering to the one model."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from anabranch.frontends.dataset import caller, need_name, problem
from anabranch.frontends.functions import bind, signature
from anabranch.frontends.shorthand import PARAM_TYPES, param_text
from anabranch.frontends.steps import Flow, FunctionStep, StepDef
from anabranch.model.errors import Diagnostic, InvalidProject, closest
from anabranch.model.pipeline import Param as ModelParam
from anabranch.model.pipeline import Pipeline, Schedule, Step, StepId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Trigger
    from anabranch.model.place import Place
    from anabranch.model.values import ValueType


@dataclass(frozen=True, slots=True)
class Param:
    """A param of a pipeline: a type, and a default unless it must be given when a run starts."""

    type: type | str = str
    default: Any = None
    choices: tuple[Any, ...] = ()
    description: str = ""


Part: TypeAlias = "StepDef | Flow[Any] | PipelineDef"


@dataclass(frozen=True, eq=False)
class PipelineDef:
    """A pipeline that has been written down. `lower` makes the model's value of it."""

    name: str
    parts: tuple[Part, ...]
    trigger: Trigger | None
    params: tuple[ModelParam, ...]
    tests: str
    description: str
    place: Place

    def lower(self) -> Pipeline:
        """Return the pipeline as model; ports are found from the functions' signatures.

        Raises:
            InvalidProject: with every problem found.
        """
        members, edges = self.members()
        names = self.names()
        declared = self.all_params()
        params = set(declared)
        problems: list[Diagnostic] = []
        steps: dict[StepId, Step] = {}
        doubles: list[Step] = []
        for each in members:
            lowered, found = _lower(each, names[each], params)
            problems += found
            if lowered.id in steps:
                doubles.append(lowered)
            steps.setdefault(lowered.id, lowered)
        types: dict[StepId, ValueType | None] = {
            step.id: step.value.type if step.value else None for step in steps.values()
        }
        before: dict[StepDef, list[StepId]] = {}
        for source, target in edges:
            before.setdefault(target, []).append(names[source])
        for each in members:
            step = steps[names[each]]
            inputs, order, found = bind(
                step.inputs, list(dict.fromkeys(before.get(each, []))), types, step=step.id, place=step.place
            )
            problems += found
            problems += [_outside(step, other) for other in each.after if other not in names]
            after = [names[other] for other in each.after if other in names]
            steps[step.id] = replace(step, inputs=inputs, after=tuple(dict.fromkeys((*order, *after))))
        for double in doubles:
            first = steps[double.id].place
            message = f"two steps are named `{double.id}`; the other is at {first}"
            problems.append(Diagnostic("duplicate-step", message, "give one of them another name", double.place))
        datasets, differing = _datasets(members)
        problems += differing
        if problems:
            raise InvalidProject(problems)
        return Pipeline(
            self.name,
            tuple(steps.values()),
            datasets,
            tuple(declared.values()),
            self.trigger,
            description=self.description,
            place=self.place,
        )

    def members(self) -> tuple[list[StepDef], list[tuple[StepDef, StepDef]]]:
        """Its steps with those of inner pipelines, and the edges that `>>` made."""
        members: dict[StepDef, None] = {}
        edges: list[tuple[StepDef, StepDef]] = []
        for part in self.parts:
            if isinstance(part, PipelineDef):
                inner, links = part.members()
                members.update(dict.fromkeys(inner))
                edges += links
            else:
                flow = Flow.of(part)
                members.update(dict.fromkeys(flow.members))
                edges += flow.edges
        return list(members), edges

    def all_params(self) -> dict[str, ModelParam]:
        """Its own params and those of inner pipelines; its own win."""
        found: dict[str, ModelParam] = {}
        for part in self.parts:
            if isinstance(part, PipelineDef):
                found.update(part.all_params())
        found.update((param.name, param) for param in self.params)
        return found

    def names(self) -> dict[StepDef, StepId]:
        """The id of each step: its name, below the names of the inner pipelines that it is part of."""
        names: dict[StepDef, StepId] = {}
        for part in self.parts:
            if isinstance(part, PipelineDef):
                for each, inner in part.names().items():
                    names[each] = StepId(f"{part.name}/{inner}")
            else:
                for each in Flow.of(part).members:
                    names.setdefault(each, StepId(each.name))
        return names


def pipeline(  # noqa: PLR0913
    name: str,
    parts: Part | Sequence[Part],
    *,
    schedule: str = "",
    timezone: str = "UTC",
    trigger: Trigger | None = None,
    params: Mapping[str, Any] | None = None,
    tests: str = "",
    description: str = "",
) -> PipelineDef:
    """Write a pipeline down. Data edges come from what the steps read and write, value edges from `>>`.

    Args:
        name: unique in the project.
        parts: steps, flows made by `>>`, and other pipelines, whose steps are named `inner/step` here.
        schedule: a five-field cron expression.
        timezone: of the schedule, from the IANA database.
        trigger: what else starts it, such as `S3ObjectCreated("inbox", suffix=".json")`.
        params: a type, a `Param` or a default by name: `{"day": date, "limit": 10}`.
        tests: a YAML file with test cases, relative to the project.
        description: for people.

    Raises:
        InvalidProject: `bad-name`, `bad-pipeline`, `bad-param`, with the place of the call.
    """
    place = caller()
    need_name(name, "pipeline", place)
    if schedule and trigger is not None:
        message = f"pipeline `{name}` has a schedule and a trigger"
        raise problem("bad-pipeline", message, "keep one, or make a second pipeline", place)
    given = (parts,) if isinstance(parts, StepDef | Flow | PipelineDef) else tuple(parts)
    return PipelineDef(
        name,
        given,
        Schedule(schedule, timezone) if schedule else trigger,
        tuple(_param(each, value, place) for each, value in (params or {}).items()),
        tests,
        description,
        place,
    )


def _param(name: str, given: Any, place: Place) -> ModelParam:
    need_name(name, "param", place)
    declared = (
        given if isinstance(given, Param) else Param(given) if isinstance(given, type) else Param(type(given), given)
    )
    written = declared.type if isinstance(declared.type, str) else declared.type.__name__
    kind = PARAM_TYPES.get(written)
    if kind is None:
        raise problem("bad-param", f"param `{name}`: no param type `{written}`", closest(written, PARAM_TYPES), place)
    default = None if declared.default is None else param_text(declared.default)
    choices = tuple(param_text(choice) for choice in declared.choices)
    return ModelParam(name, kind, default, choices, declared.description, place)


def _lower(each: StepDef, step_id: StepId, params: set[str]) -> tuple[Step, tuple[Diagnostic, ...]]:
    step = Step(
        step_id,
        each.call,
        each.reads,
        each.writes,
        None,
        (),
        (),
        each.retry,
        each.timeout,
        each.needs,
        each.external,
        each.description,
        each.place,
    )
    if not isinstance(each, FunctionStep):
        return step, ()
    found = signature(
        each.function, step=step_id, reads=each.reads, writes=each.writes, params=params, place=each.place
    )
    problems = (*found.problems, *_importable(each))
    return replace(step, inputs=found.inputs, value=found.value, params=found.params), problems


def _importable(each: FunctionStep[..., Any]) -> tuple[Diagnostic, ...]:
    """A worker finds the function by its name, so it must be there under its name."""
    entry = f"{each.function.__module__}:{each.function.__qualname__}"
    module, _, path = entry.partition(":")
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    if found is each.function or (isinstance(found, FunctionStep) and found.function is each.function):
        return ()
    message = f"step `{each.name}`: `{entry}` does not lead to its function, so a worker could not find it"
    return (Diagnostic("not-importable", message, "define the function at the top level of a module", each.place),)


def _outside(step: Step, other: StepDef) -> Diagnostic:
    message = f"step `{step.id}` is after `{other.name}`, which is not in this pipeline"
    return Diagnostic(
        "unknown-step", message, f"add `{other.name}` to the pipeline, or drop it from `after`", step.place
    )


def _datasets(members: Iterable[StepDef]) -> tuple[tuple[DatasetSpec, ...], list[Diagnostic]]:
    found: dict[str, DatasetSpec] = {}
    problems: list[Diagnostic] = []
    for each in members:
        for spec in each.datasets:
            first = found.setdefault(spec.name, spec)
            if first != spec:
                message = f"two datasets are named `{spec.name}` and differ; the other is at {first.place}"
                problems.append(Diagnostic("duplicate-dataset", message, "define it once and import it", spec.place))
    return tuple(found.values()), list(dict.fromkeys(problems))
