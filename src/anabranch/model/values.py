"""Types of the values that flow from step to step: plain data, so that `check` compares them without any import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, assert_never


@dataclass(frozen=True, slots=True)
class AnyType:
    """Unknown, or deliberately anything."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A built-in by its Python name: str, int, float, bool, none, bytes, date, datetime, Decimal, UUID, Path, ..."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, tuple or set of one type."""

    item: ValueType


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping with keys that JSON can hold (text)."""

    value: ValueType


@dataclass(frozen=True, slots=True)
class OneOf:
    """A union; `None` in it makes the value optional."""

    options: tuple[ValueType, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record."""

    name: str
    type: ValueType
    required: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """A pydantic model, dataclass, TypedDict, or a record that a spec describes.

    `name` is `module:qualname`, empty for a record of a spec. `bases` are the names of its base classes.
    """

    name: str
    fields: tuple[Field, ...]
    bases: tuple[str, ...] = ()


ValueType: TypeAlias = AnyType | Scalar | ListOf | MapOf | OneOf | Record
"""A closed union: end each `match` on it with `assert_never`."""


def accepts(wanted: ValueType, given: ValueType) -> bool:
    """Tell whether a port of type `wanted` takes a value of type `given`.

    Named records match by name or base class, as mypy matches classes; a record without a name matches by its fields.

    >>> accepts(Scalar("float"), Scalar("int")), accepts(Scalar("int"), Scalar("str"))
    (True, False)
    >>> accepts(ListOf(Scalar("str")), ListOf(AnyType()))
    True
    """
    if isinstance(wanted, AnyType) or isinstance(given, AnyType):
        return True
    if isinstance(given, OneOf):
        return all(accepts(wanted, option) for option in given.options)
    match wanted:
        case OneOf(options):
            return any(accepts(option, given) for option in options)
        case Scalar(name):
            return isinstance(given, Scalar) and (given.name == name or (name == "float" and given.name == "int"))
        case ListOf(item):
            return isinstance(given, ListOf) and accepts(item, given.item)
        case MapOf(value):
            if isinstance(given, Record):
                return all(accepts(value, field.type) for field in given.fields)
            return isinstance(given, MapOf) and accepts(value, given.value)
        case Record():
            return isinstance(given, Record) and _record_accepts(wanted, given)
        case _:
            assert_never(wanted)


def _record_accepts(wanted: Record, given: Record) -> bool:
    if wanted.name and given.name:
        return wanted.name == given.name or wanted.name in given.bases
    have = {field.name: field for field in given.fields}
    for field in wanted.fields:
        other = have.get(field.name)
        if field.required and (other is None or not other.required):
            return False
        if other is not None and not accepts(field.type, other.type):
            return False
    return True


def show(value_type: ValueType) -> str:
    """Return the type as a person would write it.

    >>> show(ListOf(OneOf((Scalar("int"), Scalar("none")))))
    'list[int | None]'
    """
    match value_type:
        case AnyType():
            return "Any"
        case Scalar(name):
            return "None" if name == "none" else name
        case ListOf(item):
            return f"list[{show(item)}]"
        case MapOf(value):
            return f"dict[str, {show(value)}]"
        case OneOf(options):
            return " | ".join(show(option) for option in options)
        case Record(name, fields):
            if name:
                return name.rpartition(":")[2]
            return "{" + ", ".join(f"{f.name}{'' if f.required else '?'}: {show(f.type)}" for f in fields) + "}"
        case _:
            assert_never(value_type)
