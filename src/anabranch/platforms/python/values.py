"""Values between steps: JSON on the way, the annotated type at both ends."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from anabranch.model.pipeline import Json

_PLAIN = {None, type(None), Any, object, str, int, float, bool, dict, list}


def decode(value: Json, annotation: Any, port: str) -> object:
    """Return a value of the annotated type.

    Args:
        value: what the upstream step returned, or the trigger's event, as JSON.
        annotation: a pydantic model, dataclass, TypedDict, built-in, or a list or union of these; None without.
        port: for messages.

    Raises:
        StepError: `bad-value`, the value is not of that type.
    """
    if annotation in {None, Any, object}:
        return value
    if annotation in _PLAIN and type(value) is annotation:
        return value
    import msgspec

    try:
        return msgspec.convert(value, annotation, dec_hook=_decode_other)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        message = f"the value of `{port}` does not fit {_show(annotation)}: {error}"
        hint = "compare what the step before returns, or the trigger's event, with the annotation"
        raise StepError(message, code="bad-value", hint=hint) from error


def encode(value: object, step: str) -> Json:
    """Return a step's result as JSON-ready data.

    Raises:
        StepError: `bad-value`, JSON cannot hold it.
    """
    if value is None or type(value) in {str, int, bool}:
        return typing.cast("Json", value)
    import msgspec

    try:
        return typing.cast("Json", msgspec.to_builtins(value, enc_hook=_encode_other, str_keys=True))
    except (TypeError, ValueError, NotImplementedError) as error:
        message = f"step `{step}` returned a {type(value).__name__}, which cannot be handed on: {error}"
        hint = "return a pydantic model, dataclass, TypedDict, built-in or a list of them; write tables to a dataset"
        raise StepError(message, code="bad-value", hint=hint) from error


def _decode_other(kind: type, value: Any) -> object:
    if kind is object:
        return value
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    if issubclass(kind, Path):
        return kind(value)
    message = f"no way to make a {_show(kind)} of JSON"
    raise TypeError(message)


def _encode_other(value: Any) -> object:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, types.GeneratorType):
        return list(value)
    raise NotImplementedError(type(value).__name__)


def _show(annotation: Any) -> str:
    return str(annotation) if typing.get_args(annotation) else getattr(annotation, "__qualname__", str(annotation))
