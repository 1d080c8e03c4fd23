"""A Python function's signature to ports; the one way for both front ends."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anabranch.frontends.types import annotation, value_type
from anabranch.model.errors import Diagnostic, closest
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Input, StepId, ValueInput, ValueOutput
from anabranch.model.values import AnyType, ListOf, Scalar, ValueType, accepts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from anabranch.model.place import Place


@dataclass(frozen=True, slots=True)
class Signature:
    """The ports of a function: what it takes, in the order of its parameters, and the value that it returns."""

    inputs: tuple[Input, ...]
    value: ValueOutput | None
    params: tuple[str, ...]
    problems: tuple[Diagnostic, ...] = ()


def signature(
    function: Callable[..., object],
    *,
    step: str,
    reads: Sequence[DatasetInput],
    writes: Sequence[DatasetOutput],
    params: Collection[str],
    place: Place | None,
) -> Signature:
    """Tell each parameter's port: a dataset read or written, a param of the pipeline, or else a value.

    Args:
        function: the plain function of the step.
        step: its name, for messages.
        reads: ports that read datasets; each must be a parameter.
        writes: ports that write datasets; a parameter of that name is handed the location to write to.
        params: the names of the pipeline's params.
        place: where the step is defined.
    """
    problems: list[Diagnostic] = []
    by_name = {port.name: port for port in reads}
    written = {port.name for port in writes}
    taken: list[Input] = []
    used: list[str] = []
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            message = f"step `{step}`: parameter `{name}` takes any number of arguments, so it has no port"
            problems.append(Diagnostic("bad-parameter", message, "name each input", place))
        elif name in by_name:
            taken.append(by_name[name])
        elif name in params:
            used.append(name)
        elif name not in written:
            kind, problem = _hint(function, name, step, place)
            problems += problem
            taken.append(ValueInput(name, kind, required=parameter.default is parameter.empty, place=place))
    for port in reads:
        if port.name not in parameters:
            message = f"step `{step}` reads `{port.name}`, but its function has no parameter `{port.name}`"
            hint = f"name a parameter `{port.name}` ({closest(port.name, parameters)})"
            problems.append(Diagnostic("port-not-taken", message, hint, port.place or place))
    value: ValueOutput | None = None
    if not (written - set(parameters)):
        kind, problem = _hint(function, "return", step, place)
        problems += problem
        if kind != Scalar("none"):
            value = ValueOutput(kind)
    return Signature(tuple(taken), value, tuple(used), tuple(problems))


def _hint(function: Any, name: str, step: str, place: Place | None) -> tuple[ValueType, tuple[Diagnostic, ...]]:
    try:
        found = annotation(function, name)
    except NameError as error:
        message = f"step `{step}`: the annotation of `{name}` cannot be resolved: {error}"
        hint = "import that name in the module of the function, not only under TYPE_CHECKING"
        return AnyType(), (Diagnostic("unresolved-annotation", message, hint, place),)
    if found is None and name not in getattr(function, "__annotations__", {}):
        return AnyType(), ()
    return value_type(found), ()


def bind(
    inputs: Sequence[Input],
    sources: Sequence[StepId],
    types: Mapping[StepId, ValueType | None],
    *,
    step: str,
    place: Place | None,
) -> tuple[tuple[Input, ...], tuple[StepId, ...], tuple[Diagnostic, ...]]:
    """Give the values of upstream steps to value ports: by name where a port is named as a step, else in order.

    Args:
        inputs: the step's ports.
        sources: the steps before it, in the order they were written.
        types: the type of the value that each step returns, None when it returns none.
        step: the step's name, for messages.
        place: where the step is defined.

    Returns:
        The ports with their sources, the steps that give no value and only come before, and problems.
    """
    ports = [port for port in inputs if isinstance(port, ValueInput)]
    giving = [source for source in sources if types.get(source) is not None]
    order_only = tuple(source for source in sources if types.get(source) is None)
    if not ports:
        return tuple(inputs), tuple(sources), ()
    if len(ports) == 1 and giving:
        port, first = ports[0], types[giving[0]]
        item = port.type.item if isinstance(port.type, ListOf) else None
        several = item is not None and (len(giving) > 1 or (first is not None and not accepts(port.type, first)))
        if several or len(giving) == 1:
            bound = replace(port, sources=tuple(giving), collect=several)
            return tuple(bound if each is port else each for each in inputs), order_only, ()
    named = {port.name: source for port in ports for source in giving if port.name == source.rpartition("/")[2]}
    rest = [source for source in giving if source not in named.values()]
    chosen: dict[str, StepId] = dict(named)
    for port in ports:
        if port.name not in chosen and rest:
            chosen[port.name] = rest.pop(0)
    problems: tuple[Diagnostic, ...] = ()
    if rest:
        message = f"step `{step}` gets values from {len(giving)} steps but takes {len(ports)}: `{rest[0]}` has no port"
        hint = "add a parameter for it, or take one list of them: `items: list[T]`"
        problems = (Diagnostic("too-many-sources", message, hint, place),)
    done = tuple(
        replace(port, sources=(chosen[port.name],)) if isinstance(port, ValueInput) and port.name in chosen else port
        for port in inputs
    )
    return done, order_only, problems
