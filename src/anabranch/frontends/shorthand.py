"""What people write alike in Python and in specs: names, durations, params."""

from __future__ import annotations

import re
from datetime import date, datetime

from anabranch.model.pipeline import Json, ParamType

NAME = r"^[A-Za-z_][A-Za-z0-9_.-]{0,127}$"
"""What pipelines, steps, datasets and params may be called: platforms make ids, and files, of it."""
NAME_HINT = "start with a letter; then letters, digits, `_`, `-` or `.`: 128 in all at most"

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)$")


def parse_seconds(text: str | float) -> float:
    """Return a duration in seconds.

    >>> parse_seconds("90s"), parse_seconds("5m"), parse_seconds(1.5)
    (90.0, 300.0, 1.5)

    Raises:
        ValueError: not a duration.
    """
    match = _DURATION.match(str(text).strip().lower())
    if match is None:
        message = f"'{text}' is not a duration: write seconds, or 90s, 5m, 2h, 1d"
        raise ValueError(message)
    return float(match[1]) * _UNITS[match[2]]


PARAM_TYPES = {
    "string": ParamType.STRING,
    "str": ParamType.STRING,
    "int": ParamType.INT,
    "integer": ParamType.INT,
    "float": ParamType.FLOAT,
    "bool": ParamType.BOOL,
    "boolean": ParamType.BOOL,
    "date": ParamType.DATE,
    "datetime": ParamType.DATETIME,
}
"""Names of param types, as they are written."""


def param_text(value: Json | date | datetime) -> str:
    """Return a param's value as it would be written on a command line.

    >>> param_text(date(2013, 1, 5)), param_text(True), param_text(3)
    ('2013-01-05', 'true', '3')
    """
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() | date():
            return value.isoformat()
        case _:
            return str(value)
