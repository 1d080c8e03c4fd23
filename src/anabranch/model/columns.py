"""Column types of a contract: one small vocabulary, with the names engines use as aliases."""

from __future__ import annotations

import re
from dataclasses import dataclass

CANONICAL = frozenset(
    {
        "string",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float32",
        "float64",
        "bool",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "binary",
        "json",
    }
)
"""Types without parameters. Besides these: decimal(p,s), list<T>, struct<name: T, ...>, map<K, V>."""

ALIASES = {
    "str": "string",
    "text": "string",
    "varchar": "string",
    "utf8": "string",
    "int": "int64",
    "integer": "int32",
    "bigint": "int64",
    "long": "int64",
    "smallint": "int16",
    "tinyint": "int8",
    "float": "float64",
    "double": "float64",
    "real": "float32",
    "boolean": "bool",
    "datetime": "timestamp",
    "timestamp_ntz": "timestamp",
    "timestamp_tz": "timestamptz",
    "timestamp with time zone": "timestamptz",
    "bytes": "binary",
    "blob": "binary",
}
"""Other names people write, and what they mean here."""

_DECIMAL = re.compile(r"^(?:decimal|numeric)\((\d+)(?:,(\d+))?\)$")
_MAX_DECIMAL = 38


@dataclass(frozen=True, slots=True)
class Column:
    """One promised column. `type` is canonical, or empty when only the name is promised."""

    name: str
    type: str = ""
    nullable: bool = True
    sensitive: bool = False
    description: str = ""


def canonical_type(text: str) -> str:
    """Return the canonical spelling of a column type.

    >>> canonical_type("VARCHAR"), canonical_type("list<int>"), canonical_type("numeric(10, 2)")
    ('string', 'list<int64>', 'decimal(10,2)')
    >>> canonical_type("struct<a: int, b: list<str>>")
    'struct<a: int64, b: list<string>>'

    Raises:
        ValueError: no such type.
    """
    name = " ".join(text.strip().lower().split())
    name = ALIASES.get(name, name)
    if name in CANONICAL:
        return name
    if match := _DECIMAL.match(name.replace(" ", "")):
        precision, scale = int(match[1]), int(match[2] or 0)
        if not 1 <= precision <= _MAX_DECIMAL or scale > precision:
            message = f"decimal({precision},{scale}): precision is 1 to {_MAX_DECIMAL}, scale at most the precision"
            raise ValueError(message)
        return f"decimal({precision},{scale})"
    raw = text.strip()
    if raw.endswith(">") and "<" in raw:
        outer, inner = raw.split("<", 1)
        parts = split_arguments(inner[:-1])
        match outer.strip().lower(), len(parts):
            case (("list" | "array"), 1):
                return f"list<{canonical_type(parts[0])}>"
            case "map", 2:
                return f"map<{canonical_type(parts[0])}, {canonical_type(parts[1])}>"
            case "struct", n if n > 0 and all(":" in part for part in parts):
                fields = (part.split(":", 1) for part in parts)
                return "struct<" + ", ".join(f"{n.strip()}: {canonical_type(t)}" for n, t in fields) + ">"
            case _:
                pass
    message = f"no column type '{text}'"
    raise ValueError(message)


def split_arguments(text: str) -> list[str]:
    """Split at top-level commas.

    >>> split_arguments("a: int, b: struct<c: int, d: decimal(3,1)>")
    ['a: int', 'b: struct<c: int, d: decimal(3,1)>']
    """
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        if char in "<(":
            depth += 1
        elif char in ">)":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]
