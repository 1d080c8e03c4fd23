"""The value that a process gives: JSON that it wrote to a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, assert_never

from anabranch.model.errors import StepError
from anabranch.model.values import AnyType, ListOf, MapOf, OneOf, Record, Scalar, ValueType, show

if TYPE_CHECKING:
    from anabranch.model.pipeline import Json
    from anabranch.model.task import Task
    from anabranch.platforms.process.context import Context

_PLAIN: dict[str, tuple[type, ...]] = {
    "none": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "Decimal": (int, float, str),
    "timedelta": (int, float, str),
}
"""What JSON has for each built-in type; for all others, such as dates, it has text."""


def returned(context: Context, task: Task) -> Json:
    """Return the value that the process wrote, if the step gives one.

    Raises:
        StepError: `value-not-written`; `bad-value`, it is not JSON or not of the type that the step gives.
    """
    if context.value_file is None or task.step.value is None:
        return None
    try:
        value: Json = json.loads(context.value_file.read_bytes())
    except FileNotFoundError:
        message = f"step `{task.step.id}` gives a value, but wrote none"
        hint = "write JSON to ${out.value}, or to the file named by ANABRANCH_OUT_VALUE"
        raise StepError(message, code="value-not-written", hint=hint, place=task.step.value.place) from None
    except ValueError as error:
        message = f"the value that step `{task.step.id}` wrote is not JSON: {error}"
        hint = 'a text needs quotation marks, as in "done"'
        raise StepError(message, code="bad-value", hint=hint, place=task.step.value.place) from None
    if wrong := mismatch(value, task.step.value.type):
        message = f"the value that step `{task.step.id}` wrote is not what it gives: {wrong}"
        hint = "correct the type that the step `gives`, or what it writes"
        raise StepError(message, code="bad-value", hint=hint, place=task.step.value.place)
    return value


def mismatch(value: Json, wanted: ValueType, path: str = "value") -> str:
    """Return in what a JSON value is not of a type; empty if it is.

    >>> mismatch([1, "2"], ListOf(Scalar("int")))
    'value[1] is a str, not int'
    """
    match wanted:
        case AnyType():
            return ""
        case Scalar(name):
            kinds = _PLAIN.get(name, (str,))
            fits = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
            return "" if fits else _wrong(value, wanted, path)
        case ListOf(item):
            if not isinstance(value, list):
                return _wrong(value, wanted, path)
            return next(filter(None, (mismatch(each, item, f"{path}[{i}]") for i, each in enumerate(value))), "")
        case MapOf(item):
            if not isinstance(value, dict):
                return _wrong(value, wanted, path)
            return next(filter(None, (mismatch(each, item, f"{path}.{key}") for key, each in value.items())), "")
        case OneOf(options):
            return _wrong(value, wanted, path) if all(mismatch(value, each, path) for each in options) else ""
        case Record():
            return _record(value, wanted, path)
        case _:
            assert_never(wanted)


def _record(value: Json, wanted: Record, path: str) -> str:
    if not isinstance(value, dict):
        return _wrong(value, wanted, path)
    for field in wanted.fields:
        if field.name in value:
            if wrong := mismatch(value[field.name], field.type, f"{path}.{field.name}"):
                return wrong
        elif field.required:
            return f"{path} has no `{field.name}`"
    return ""


def _wrong(value: Json, wanted: ValueType, path: str) -> str:
    given = "null" if value is None else f"a {type(value).__name__}"
    return f"{path} is {given}, not {show(wanted)}"
