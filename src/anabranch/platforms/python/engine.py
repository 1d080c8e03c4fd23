"""Runs a Python function as a step: hands each port over by annotation, takes back what it returns."""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import AnabranchError, StepError
from anabranch.model.pipeline import ValueInput
from anabranch.model.traces import user_place
from anabranch.platforms.python import values
from anabranch.ports import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.model.call import PythonCall
    from anabranch.model.pipeline import Step
    from anabranch.model.task import Task
    from anabranch.ports import Staging


class PythonEngine:
    """The `Engine` of `PythonCall`."""

    def run(self, call: PythonCall, task: Task, staging: Staging) -> Result:
        """Call the function; save what it returns.

        Raises:
            StepError: `step-failed` for the user's own exception, `wrong-outputs`, `bad-value`, `import-error`.
        """
        function = find(call.entry, task.root)
        hints, taken = _annotated(function)
        arguments = {name: staging.load(name, hints.get(name)) for name in (port.name for port in task.step.reads)}
        arguments |= _values(task, hints)
        arguments |= _params(task)
        located = [name for name in staging.targets if name in taken]
        for name in located:
            kind = hints.get(name)
            location = staging.targets[name].location
            arguments[name] = kind(location) if isinstance(kind, type) and kind is not str else location
        try:
            result = function(**arguments)
        except AnabranchError:
            raise
        except Exception as error:
            kind, place = type(error).__name__, user_place(error, task.root)
            raise StepError(f"{kind}: {error}" if str(error) else kind, place=place) from error
        returned = [port.name for port in task.step.outputs if port.name not in located]
        if returned:
            _save(returned, result, task.step, staging)
            return Result()
        return Result(values.encode(result, task.step.id)) if task.step.value is not None else Result()


def find(entry: str, root: str) -> Callable[..., Any]:
    """Import `module:qualname` from the project and return the plain function.

    Raises:
        StepError: `import-error`, with the user's own frame.
    """
    if root not in sys.path:
        sys.path.insert(0, root)
    module, _, path = entry.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except Exception as error:
        place = user_place(error, root)
        message = f"importing `{entry}` failed: {type(error).__name__}: {error}"
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        hint = f"add {missing} to what the step requires: there is nothing else then" if missing else "anabranch check"
        raise StepError(message, code="import-error", hint=hint, place=place) from error
    function: Callable[..., Any] = getattr(found, "function", found)
    return function


@cache
def _annotated(function: Callable[..., Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a function's annotations and the names of its parameters; a worker may run it many times."""
    return _hints(function), frozenset(inspect.signature(function).parameters)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations, resolved one by one: a frame type may be imported for type checkers only."""
    scope = getattr(function, "__globals__", {})
    found: dict[str, Any] = {}
    for name, raw in getattr(function, "__annotations__", {}).items():
        holder = SimpleNamespace(__annotations__={name: raw})
        try:
            found[name] = typing.get_type_hints(holder, scope, scope)[name]
        except NameError:
            found[name] = raw
    return found


def _values(task: Task, hints: dict[str, Any]) -> dict[str, object]:
    given = dict(task.values)
    ports = (port for port in task.step.inputs if isinstance(port, ValueInput) and port.name in given)
    return {port.name: values.decode(given[port.name], hints.get(port.name), port.name) for port in ports}


def _params(task: Task) -> dict[str, object]:
    declared = {param.name: param for param in task.declared}
    given = dict(task.params)
    return {name: declared[name].parse(given[name]) for name in task.step.params if name in given}


def _save(names: list[str], result: Any, step: Step, staging: Staging) -> None:
    """Write what the function returned to its ports: one frame, a tuple in order, or a dict by name."""
    if len(names) == 1 and not (isinstance(result, dict) and set(result) == set(names)):
        frames = {names[0]: result}
    elif isinstance(result, dict):
        frames = result
    elif isinstance(result, tuple) and len(result) == len(names):
        frames = dict(zip(names, result, strict=True))
    else:
        frames = {}
    if set(frames) != set(names) or any(frame is None for frame in frames.values()):
        wanted = ", ".join(names)
        got = f"a dict of {', '.join(map(str, result))}" if isinstance(result, dict) else _count(result)
        message = f"step `{step.id}` writes {wanted}, but its function returned {got}"
        hint = "return a frame" if len(names) == 1 else f"return a tuple in the order {wanted}, or a dict by name"
        raise StepError(message, code="wrong-outputs", hint=hint, place=step.place)
    for name in names:
        staging.save(name, frames[name])


def _count(result: object) -> str:
    if result is None:
        return "nothing"
    return f"a tuple of {len(result)}" if isinstance(result, tuple) else f"a {type(result).__name__}"
