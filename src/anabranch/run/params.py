"""Params of a run: what was given, checked against what the pipeline declares."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from anabranch.model.errors import UsageError, closest
from anabranch.model.pipeline import Param, ParamType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.model.pipeline import Pipeline


def bind_params(pipeline: Pipeline, given: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return every declared param with its value as canonical text.

    Raises:
        UsageError: `unknown-param`, `bad-param`, `missing-param`.
    """
    declared = {param.name: param for param in pipeline.params}
    for name in given:
        if name not in declared:
            message = f"pipeline `{pipeline.name}` has no param `{name}`"
            raise UsageError(message, code="unknown-param", hint=closest(name, declared))
    found: list[tuple[str, str]] = []
    for name, param in declared.items():
        value = given.get(name, param.default)
        if value is None:
            message = f"pipeline `{pipeline.name}` needs the param `{name}` ({param.type})"
            raise UsageError(
                message, code="missing-param", hint=f"-p {name}={_EXAMPLES[param.type]}", place=param.place
            )
        found.append((name, canonical(param, value)))
    return tuple(found)


_EXAMPLES = {
    ParamType.STRING: "text",
    ParamType.INT: "3",
    ParamType.FLOAT: "0.5",
    ParamType.BOOL: "true",
    ParamType.DATE: "2013-01-05",
    ParamType.DATETIME: "2013-01-05T06:00:00",
}
_BOOLS = {"true": "true", "1": "true", "yes": "true", "false": "false", "0": "false", "no": "false"}


def canonical(param: Param, value: object) -> str:
    """Return the value's one spelling.

    >>> canonical(Param("n", ParamType.INT), " 07 "), canonical(Param("b", ParamType.BOOL), True)
    ('7', 'true')

    Raises:
        UsageError: `bad-param`, it is not of the param's type, or none of its choices.
    """
    text = value.isoformat() if isinstance(value, date) else str(value)
    try:
        shown = _parse(param.type, text)
    except (ValueError, KeyError):
        message = f"param `{param.name}` must be of type {param.type}, and `{text}` is not"
        raise UsageError(message, code="bad-param", hint=f"-p {param.name}={_EXAMPLES[param.type]}") from None
    if param.choices and shown not in param.choices:
        message = f"param `{param.name}` cannot be `{shown}`"
        raise UsageError(message, code="bad-param", hint=closest(shown, param.choices))
    return shown


def _parse(kind: ParamType, text: str) -> str:
    match kind:
        case ParamType.STRING:
            return text
        case ParamType.INT:
            return str(int(text))
        case ParamType.FLOAT:
            return repr(float(text))
        case ParamType.BOOL:
            return _BOOLS[text.strip().lower()]
        case ParamType.DATE:
            return date.fromisoformat(text.strip()).isoformat()
        case ParamType.DATETIME:
            return datetime.fromisoformat(text.strip()).isoformat()
