"""Model values to plain JSON and back, without loss. Defaults are left out; union members say what they are."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from anabranch.model import branch, call, columns, dataset, delta, pipeline, place, run, task, values
from anabranch.model.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
"""Version of the JSON form of a `Pipeline`; readers refuse a newer one."""

T = TypeVar("T")
_NAMESPACE = {
    name: thing
    for module in (columns, place, values, dataset, call, pipeline, run, task, branch, delta)
    for name, thing in vars(module).items()
}


def dump(pipe: pipeline.Pipeline, *, places: bool = True) -> dict[str, Any]:
    """Return the pipeline as versioned, JSON-ready data.

    Args:
        pipe: what to write.
        places: keep where each node was written.
    """
    return {"anabranch": VERSION, "pipeline": encode(pipe, places=places)}


def load(data: dict[str, Any]) -> pipeline.Pipeline:
    """Return the pipeline that `dump` wrote.

    Raises:
        ConflictError: `newer-version`, the data was written by a newer anabranch.
    """
    if data["anabranch"] > VERSION:
        message = f"the pipeline was written in form {data['anabranch']}, this anabranch reads up to {VERSION}"
        raise ConflictError(message, code="newer-version", hint="upgrade anabranch")
    return decode(pipeline.Pipeline, data["pipeline"])


def fingerprint(pipe: pipeline.Pipeline) -> str:
    """Return the SHA-256 of what the pipeline means: the same however and wherever it was written down."""
    # Datasets and params are sets with names; the order of steps and of inputs means nothing, nor do words for people.
    steps = (
        dataclasses.replace(
            step,
            inputs=tuple(sorted(step.inputs, key=lambda port: port.name)),
            after=tuple(sorted(step.after)),
            description="",
        )
        for step in pipe.steps
    )
    ordered = dataclasses.replace(
        pipe,
        steps=tuple(sorted(steps, key=lambda step: step.id)),
        datasets=tuple(sorted((dataclasses.replace(d, description="") for d in pipe.datasets), key=lambda d: d.name)),
        params=tuple(sorted((dataclasses.replace(p, description="") for p in pipe.params), key=lambda p: p.name)),
        tests=(),
        description="",
    )
    text = json.dumps(encode(ordered, places=False), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def encode(value: object, *, places: bool = True) -> Any:
    """Return a model value as JSON-ready data."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, tuple | list):
        return [item if type(item) in _PLAIN else encode(item, places=places) for item in value]
    if isinstance(value, dict):
        return {key: encode(item, places=places) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    data: dict[str, Any] = {"is": kind.__name__} if kind in _union_members() else {}
    for name, default in _defaults(kind):
        item = getattr(value, name)
        if item is default or item == default or (name == "place" and not places):
            continue
        data[name] = item if type(item) in _PLAIN else encode(item, places=places)
    return data


def decode(kind: type[T], data: Any) -> T:
    """Return the value of type `kind` that `encode` wrote as `data`."""
    result: T = _decoder(kind)(data)
    return result


_PLAIN = frozenset({type(None), bool, int, float, str})
_MISSING = object()


def _find_defaults(kind: type) -> tuple[tuple[str, object], ...]:
    """Names and default values of a dataclass's fields."""
    found: list[tuple[str, object]] = []
    for item in dataclasses.fields(kind):
        default: object = _MISSING
        if item.default is not dataclasses.MISSING:
            default = item.default
        elif item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        found.append((item.name, default))
    return tuple(found)


# `cache` alone would tell type checkers that classes cannot be hashed.
_defaults: Callable[[Any], tuple[tuple[str, object], ...]] = cache(_find_defaults)
_UNIONS = (call.Call, values.ValueType, pipeline.Input, pipeline.Trigger, run.Event, task.Outcome)


@cache
def _union_members() -> frozenset[type]:
    return frozenset(member for union in _UNIONS for member in typing.get_args(union))


def _find_decoder(kind: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        members = {str(member.__name__): member for member in arguments if _is_record(member)}
        if not members:
            return _as_it_is
        decoders: dict[str, Callable[[Any], Any]] = {}

        def union(data: Any) -> Any:
            if data is None:
                return None
            if not decoders:
                decoders.update((name, _decoder(member)) for name, member in members.items())
            return decoders[data["is"] if len(members) > 1 else next(iter(members))](data)

        return union
    if origin is tuple and arguments[-1] is Ellipsis:
        item = _decoder(arguments[0])
        return tuple if item is _as_it_is else lambda data: tuple(map(item, data))
    if origin is tuple:
        return lambda data: tuple(_decoder(part)(value) for part, value in zip(arguments, data, strict=True))
    if _is_record(kind):
        return _record_decoder(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _as_it_is


def _as_it_is(data: Any) -> Any:
    return data


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


_decoder: Callable[[Any], Callable[[Any], Any]] = cache(_find_decoder)


def _record_decoder(kind: type) -> Callable[[Any], Any]:
    fields: dict[str, Callable[[Any], Any] | None] = {"is": None}  # None for what is as it is written

    def record(data: dict[str, Any]) -> Any:
        if len(fields) == 1:  # on first use, because types refer to each other
            hints = typing.get_type_hints(kind, {**_NAMESPACE, **vars(typing)})
            found = {name: _decoder(hint) for name, hint in hints.items()}
            fields.update((name, None if act is _as_it_is else act) for name, act in found.items())
        given = {name: value if (act := fields[name]) is None else act(value) for name, value in data.items()}
        given.pop("is", None)
        return kind(**given)

    return record
