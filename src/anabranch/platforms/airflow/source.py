"""Values as Python source, as DAG files have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH = 112
"""Characters of a task that stands on one line."""


class Code(str):
    """Python source as it is, such as the call of a class."""

    __slots__ = ()


Value: TypeAlias = "str | bool | int | float | Sequence[Value] | dict[str, Value] | None"
"""What an operator is given."""


def source(value: Value) -> str:
    """Return a value as Python source on one line.

    >>> source({"--day": "13", "wait": True, "steps": ["x", 3]})
    '{"--day": "13", "wait": True, "steps": ["x", 3]}'
    """
    match value:
        case Code():
            return str(value)
        case str():
            single = '"' in value and "'" not in value and "\\" not in value and value.isprintable()
            return f"'{value}'" if single else json.dumps(value, ensure_ascii=False)
        case bool() | int() | float() | None:
            return repr(value)
        case dict():
            return "{" + ", ".join(f"{source(key)}: {source(each)}" for key, each in value.items()) + "}"
        case _:
            return "[" + ", ".join(source(each) for each in value) + "]"


def lines(value: Value, before: str = "", after: str = "") -> Iterator[str]:
    """Yield a value as Python source, over as many lines as people need to read it.

    Args:
        value: what is written.
        before: what stands before it on its first line.
        after: what stands behind it on its last.
    """
    whole = f"{before}{source(value)}{after}"
    if len(whole) <= WIDTH or not isinstance(value, dict | list) or not value:
        yield whole
        return
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    yield f"{before}{opening}"
    inside = [(f"{source(k)}: ", v) for k, v in value.items()] if isinstance(value, dict) else [("", v) for v in value]
    for name, each in inside:
        yield from (f"    {line}" for line in lines(each, name, ","))
    yield f"{closing}{after}"
