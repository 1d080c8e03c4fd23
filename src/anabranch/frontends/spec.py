"""Pipelines written in YAML or JSON, to the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anabranch.frontends.calls import lower_call
from anabranch.frontends.functions import bind, signature
from anabranch.frontends.python import in_project, load_attribute
from anabranch.frontends.registry import lower_dataset
from anabranch.frontends.shape import PipelineShape, ReadShape, RetryShape, StepShape, TakeShape, TestShape
from anabranch.frontends.shorthand import PARAM_TYPES, param_text, parse_seconds
from anabranch.frontends.steps import FunctionStep
from anabranch.frontends.validate import validate
from anabranch.frontends.yamlfile import Document, read_document
from anabranch.model.call import PythonCall
from anabranch.model.errors import Diagnostic, InvalidProject, closest
from anabranch.model.pipeline import (
    DatasetInput,
    DatasetOutput,
    Input,
    Needs,
    ObjectCreated,
    Param,
    Pipeline,
    Retry,
    Rows,
    Schedule,
    Step,
    StepId,
    Table,
    TestCase,
    ValueInput,
    ValueOutput,
)
from anabranch.model.values import AnyType, Field, ListOf, Record, Scalar, ValueType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anabranch.frontends.shape import ParamShape
    from anabranch.model.pipeline import Trigger
    from anabranch.model.place import Place


class SpecFrontend:
    """Reads spec files: one pipeline each, chosen by a glob."""

    def read(self, root: Path, source: str, place: Place | None = None) -> Sequence[Pipeline]:
        """Read every file that the glob names.

        Raises:
            InvalidProject: `missing-file`, or what is wrong in the files, all of it at once.
        """
        files = sorted(path for path in root.glob(source) if path.is_file())
        if not files:
            known = [path.relative_to(root).as_posix() for path in root.rglob("*.y*ml") if ".venv" not in path.parts]
            raise InvalidProject(
                [Diagnostic("missing-file", f"no file is named `{source}`", closest(source, known), place)]
            )
        found: list[Pipeline] = []
        problems: list[Diagnostic] = []
        for file in files:
            try:
                found.append(read_spec(root, file))
            except InvalidProject as error:
                problems += error.diagnostics
        if problems:
            raise InvalidProject(problems)
        return found


def read_spec(root: Path, file: Path) -> Pipeline:
    """Read one spec.

    Raises:
        InvalidProject: with everything that is wrong in it.
    """
    document = read_document(file, file.relative_to(root).as_posix())
    return _Lowering(root, document, validate(PipelineShape, document)).pipeline()


def read_tests(root: Path, name: str) -> tuple[TestCase, ...]:
    """Read a file with `tests:` of a pipeline that is written in Python."""
    from anabranch.frontends.shape import TestsShape

    document = read_document(root / name, name)
    return lower_tests(document, validate(TestsShape, document).tests)


class _Lowering:
    def __init__(self, root: Path, document: Document, shape: PipelineShape) -> None:
        self._root, self._document, self._shape = root, document, shape
        self._problems: list[Diagnostic] = []
        self._place = document.place

    def pipeline(self) -> Pipeline:
        shape = self._shape
        params = tuple(self._param(name, given) for name, given in shape.params.items())
        steps = self._bound([self._step(StepId(name), given) for name, given in shape.steps.items()])
        datasets = []
        for name, given in shape.datasets.items():
            spec, problems = lower_dataset(name, given, self._document, ("datasets", name))
            datasets.append(spec)
            self._problems += problems
        if self._problems:
            raise InvalidProject(self._problems)
        return Pipeline(
            shape.pipeline,
            tuple(steps),
            tuple(datasets),
            params,
            self._trigger(),
            lower_tests(self._document, shape.tests),
            shape.description,
            self._place("pipeline"),
        )

    def _problem(self, code: str, message: str, hint: str, *path: str | int) -> None:
        self._problems.append(Diagnostic(code, message, hint, self._place(*path)))

    def _trigger(self) -> Trigger | None:
        schedule, trigger = self._shape.schedule, self._shape.trigger
        if trigger is not None:
            for scheme in ("s3", "gs", "az"):
                bucket = getattr(trigger, scheme)
                if bucket is not None:
                    return ObjectCreated(bucket.bucket, bucket.prefix, bucket.suffix, scheme)
        if schedule is None:
            return None
        return Schedule(schedule) if isinstance(schedule, str) else Schedule(schedule.cron, schedule.timezone)

    def _param(self, name: str, given: str | ParamShape) -> Param:
        kind = given if isinstance(given, str) else given.type
        place = self._place("params", name)
        if kind not in PARAM_TYPES:
            self._problem("bad-param", f"no param type `{kind}`", closest(kind, PARAM_TYPES), "params", name)
            return Param(name, place=place)
        if isinstance(given, str):
            return Param(name, PARAM_TYPES[kind], place=place)
        default = None if given.default is None else param_text(given.default)
        return Param(name, PARAM_TYPES[kind], default, tuple(map(param_text, given.choices)), given.description, place)

    def _step(self, name: StepId, given: StepShape) -> tuple[Step, StepShape]:
        path = ("steps", name)
        place = self._place(*path)
        call, problems = lower_call(given, name, place)
        self._problems += problems
        reads = self._reads(name, given)
        writes = self._writes(name, given)
        step = Step(
            name,
            call or PythonCall(""),
            reads,
            writes,
            None if given.gives is None else ValueOutput(self._type(given.gives, *path, "gives"), place),
            tuple(map(StepId, given.after)),
            (),
            self._retry(given.retry, *path, "retry"),
            self._seconds(given.timeout, *path, "timeout"),
            Needs(
                tuple(given.requirements),
                tuple(sorted((key, param_text(value)) for key, value in given.env.items())),
                tuple(sorted(given.secrets.items())),
                tuple(given.permissions),
                tuple(sorted((key, param_text(value)) for key, value in given.resources.items())),
            ),
            given.external,
            given.description,
            place,
        )
        if isinstance(call, PythonCall):
            step = self._function(step, call)
        else:
            step = replace(step, inputs=(*reads, *self._taken(name, given)))
        return step, given

    def _function(self, step: Step, call: PythonCall) -> Step:
        """Find the ports of a Python step from its function, just as Python code does."""
        module, _, attribute = call.entry.partition(":")
        try:
            found = load_attribute(self._root, module, attribute, step.place)
        except InvalidProject as error:
            self._problems += error.diagnostics
            return step
        function = found.function if isinstance(found, FunctionStep) else found
        if not callable(function):
            message = f"`{call.entry}` is a {type(function).__name__}, not a function"
            self._problem("not-a-function", message, "name a function", "steps", step.id, "python")
            return step
        told = signature(
            function, step=step.id, reads=step.reads, writes=step.outputs, params=self._shape.params, place=step.place
        )
        self._problems += told.problems
        text = (function.__doc__ or "").strip().partition("\n")[0]
        inputs = tuple(in_project(port, self._root) for port in told.inputs)
        return replace(step, inputs=inputs, value=told.value, params=told.params, description=step.description or text)

    def _reads(self, name: str, given: StepShape) -> tuple[DatasetInput, ...]:
        path = ("steps", name, "reads")
        if isinstance(given.reads, list):
            return tuple(DatasetInput(each, each, place=self._place(*path, i)) for i, each in enumerate(given.reads))
        ports: list[DatasetInput] = []
        for port, value in given.reads.items():
            read = value if isinstance(value, ReadShape) else ReadShape(dataset=value)
            columns, rows = tuple(read.columns), Rows(read.rows)
            ports.append(DatasetInput(port, read.dataset, columns, rows, self._place(*path, port)))
        return tuple(ports)

    def _writes(self, name: str, given: StepShape) -> tuple[DatasetOutput, ...]:
        path = ("steps", name, "writes")
        if isinstance(given.writes, list):
            return tuple(DatasetOutput(each, each, self._place(*path, i)) for i, each in enumerate(given.writes))
        return tuple(DatasetOutput(port, each, self._place(*path, port)) for port, each in given.writes.items())

    def _taken(self, name: str, given: StepShape) -> tuple[ValueInput, ...]:
        """The value ports of a process step: named as it says, or as the steps they come from."""
        path = ("steps", name, "takes")
        if isinstance(given.takes, list):
            return tuple(
                ValueInput(each, AnyType(), (StepId(each),), place=self._place(*path, i))
                for i, each in enumerate(given.takes)
            )
        ports: list[ValueInput] = []
        for port, value in given.takes.items():
            take = value if isinstance(value, TakeShape) else TakeShape.model_validate({"from": value})
            sources = [take.source] if isinstance(take.source, str) else take.source
            kind = AnyType() if take.type is None else self._type(take.type, *path, port)
            ports.append(
                ValueInput(
                    port,
                    kind,
                    tuple(map(StepId, sources)),
                    collect=isinstance(take.source, list),
                    place=self._place(*path, port),
                )
            )
        return tuple(ports)

    def _bound(self, pairs: Sequence[tuple[Step, StepShape]]) -> list[Step]:
        """Give Python steps' value ports their sources; unknown ones stay for `check` to tell."""
        types: dict[StepId, ValueType | None] = {step.id: step.value.type if step.value else None for step, _ in pairs}
        return [
            self._bind(step, given, types) if isinstance(step.call, PythonCall) and given.takes else step
            for step, given in pairs
        ]

    def _bind(self, step: Step, given: StepShape, types: Mapping[StepId, ValueType | None]) -> Step:
        path = ("steps", step.id, "takes")
        if isinstance(given.takes, list):
            known = [StepId(each) for each in given.takes]
            assumed = {each: types.get(each, AnyType()) for each in known}
            inputs, order, problems = bind(step.inputs, known, assumed, step=step.id, place=self._place(*path))
            self._problems += problems
            return replace(step, inputs=inputs, after=tuple(dict.fromkeys((*step.after, *order))))
        ports = {port.name: port for port in step.takes}
        chosen: dict[str, ValueInput] = {}
        for port, value in given.takes.items():
            if port not in ports:
                message = f"step `{step.id}` has no parameter `{port}` that takes a value"
                self._problem("unknown-port", message, closest(port, ports), *path, port)
                continue
            source = value.source if isinstance(value, TakeShape) else value
            several = isinstance(source, list)
            sources = tuple(map(StepId, source)) if isinstance(source, list) else (StepId(source),)
            chosen[port] = replace(ports[port], sources=sources, collect=several, place=self._place(*path, port))
        inputs_: tuple[Input, ...] = tuple(chosen.get(port.name, port) for port in step.inputs)
        return replace(step, inputs=inputs_)

    def _retry(self, given: int | RetryShape, *path: str | int) -> Retry:
        if isinstance(given, int):
            return Retry(given)
        delay, most = self._seconds(given.delay, *path), self._seconds(given.max_delay, *path)
        return Retry(given.attempts, delay or 0.0, given.backoff, most or 0.0, given.jitter)

    def _seconds(self, given: str | float | None, *path: str | int) -> float | None:
        if given is None:
            return None
        try:
            return parse_seconds(given)
        except ValueError as error:
            self._problem("bad-duration", str(error), "for example 5m", *path)
            return None

    def _type(self, given: Any, *path: str | int) -> ValueType:
        try:
            return value_type(given)
        except ValueError as error:
            self._problem("bad-type", str(error), "str, int, float, bool, [str], {field: int}, any", *path)
            return AnyType()


_SCALARS = {"str": "str", "string": "str", "int": "int", "float": "float", "bool": "bool", "none": "none"}


def value_type(given: Any) -> ValueType:
    """Return the value type that a spec writes.

    >>> value_type({"name": "str", "sizes": ["int"]}).fields[1].type
    ListOf(item=Scalar(name='int'))

    Raises:
        ValueError: no such type.
    """
    match given:
        case "any" | "object":
            return AnyType()
        case str() if given in _SCALARS:
            return Scalar(_SCALARS[given])
        case [item]:
            return ListOf(value_type(item))
        case dict():
            fields = [(str(name), value_type(kind)) for name, kind in given.items()]
            return Record(
                "", tuple(Field(name.removesuffix("?"), kind, not name.endswith("?")) for name, kind in fields)
            )
        case _:
            message = f"`{given}` is no type of a value"
            raise ValueError(message)


def lower_tests(document: Document, given: Mapping[str, TestShape]) -> tuple[TestCase, ...]:
    """Return the test cases of a file."""
    return tuple(
        TestCase(
            name,
            tuple((dataset, _table(rows)) for dataset, rows in case.given.items()),
            tuple((dataset, _table(rows)) for dataset, rows in case.expect.items()),
            tuple((key, param_text(value)) for key, value in case.params.items()),
            case.input,
            tuple(case.values.items()),
            case.tolerance,
            document.place("tests", name),
        )
        for name, case in given.items()
    )


def _table(given: str | list[dict[str, Any]]) -> Table:
    if isinstance(given, str):
        return Table(file=given)
    return Table(tuple(tuple(row.items()) for row in given))
