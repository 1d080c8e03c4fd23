"""Python annotations to value types, by looking at classes; nothing is imported for it."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections import abc
from enum import Enum
from typing import TYPE_CHECKING, Any

from anabranch.model.values import AnyType, Field, ListOf, MapOf, OneOf, Record, Scalar, ValueType

if TYPE_CHECKING:
    from collections.abc import Callable

_SCALARS = {
    "builtins.str": "str",
    "builtins.int": "int",
    "builtins.float": "float",
    "builtins.bool": "bool",
    "builtins.bytes": "bytes",
    "builtins.NoneType": "none",
    "datetime.date": "date",
    "datetime.datetime": "datetime",
    "datetime.time": "time",
    "datetime.timedelta": "timedelta",
    "decimal.Decimal": "Decimal",
    "uuid.UUID": "UUID",
    "pathlib.Path": "Path",
    "pathlib._local.Path": "Path",
}
_LISTS = {list, tuple, set, frozenset, abc.Sequence, abc.Iterable, abc.Collection}
_MAPS = {dict, abc.Mapping, abc.MutableMapping}


def annotation(function: Callable[..., object], name: str) -> Any:
    """Return one resolved annotation of a function ("return" for its result), or None when there is none.

    Only this one is resolved, so that the data library that another parameter names is not loaded.

    Raises:
        NameError: the annotation names something that its module does not define.
    """
    raw = getattr(function, "__annotations__", {})
    if name not in raw:
        return None
    if raw[name] is None:
        return type(None)
    holder = types.SimpleNamespace(__annotations__={name: raw[name]})
    scope = getattr(function, "__globals__", {})
    return typing.get_type_hints(holder, scope, scope, include_extras=False)[name]


def value_type(hint: Any) -> ValueType:
    """Return the value type that an annotation means; what is not known is any type.

    >>> value_type(list[int | None])
    ListOf(item=OneOf(options=(Scalar(name='int'), Scalar(name='none'))))
    """
    return _value_type(hint, ())


def _value_type(hint: Any, within: tuple[Any, ...]) -> ValueType:  # noqa: C901 - one line for each form
    if hint is None or hint is type(None):
        return Scalar("none")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return OneOf(tuple(_value_type(option, within) for option in arguments))
    if origin is typing.Annotated:
        return _value_type(arguments[0], within)
    if origin is typing.Literal:
        kinds = sorted({type(value).__name__ for value in arguments})
        return Scalar(kinds[0]) if len(kinds) == 1 else AnyType()
    base = origin or hint
    if base in _LISTS:
        items = {_value_type(item, within) for item in arguments if item is not Ellipsis}
        return ListOf(items.pop() if len(items) == 1 else AnyType())
    if base in _MAPS:
        return MapOf(_value_type(arguments[1], within) if len(arguments) > 1 else AnyType())
    if not isinstance(hint, type):
        return AnyType()
    if scalar := _SCALARS.get(f"{hint.__module__}.{hint.__qualname__}"):
        return Scalar(scalar)
    if issubclass(hint, Enum):
        return Scalar("str") if issubclass(hint, str) else AnyType()
    if hint in within:  # a record that contains itself: the name is enough
        return Record(_name(hint), ())
    return _record(hint, (*within, hint))


def _record(kind: type, within: tuple[Any, ...]) -> ValueType:
    if not (dataclasses.is_dataclass(kind) or typing.is_typeddict(kind) or hasattr(kind, "model_fields")):
        return AnyType()
    try:
        hints = typing.get_type_hints(kind, include_extras=False)
    except NameError:
        return Record(_name(kind), (), _bases(kind))
    fields = tuple(
        Field(name, _value_type(_unwrap(hints.get(name, Any)), within), required) for name, required in _fields(kind)
    )
    return Record(_name(kind), fields, _bases(kind))


def _fields(kind: Any) -> list[tuple[str, bool]]:
    """Names of a record's fields, and whether each must be given."""
    if dataclasses.is_dataclass(kind):
        return [
            (f.name, f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING)
            for f in dataclasses.fields(kind)
            if f.init
        ]
    if typing.is_typeddict(kind):
        required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
        return [(name, name in required) for name in kind.__annotations__]
    return [(name, field.is_required()) for name, field in kind.model_fields.items()]


def _unwrap(hint: Any) -> Any:
    """Take `Required[...]` and `NotRequired[...]` off."""
    if typing.get_origin(hint) in {typing.Required, typing.NotRequired}:
        return typing.get_args(hint)[0]
    return hint


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _bases(kind: type) -> tuple[str, ...]:
    skipped = {"builtins", "typing", "abc", "pydantic.main", "typing_extensions"}
    return tuple(_name(base) for base in kind.__mro__[1:] if base.__module__ not in skipped)
