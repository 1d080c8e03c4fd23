"""Values of text formats, parsed as promised: exactly, or not at all.

DuckDB's own casts round: `1.5` becomes the integer 2, `1.999` the decimal 2.00, a time of day is cut off a date, an
offset off a timestamp. Here such a text has no value, which is an error of the one who wrote it.
"""

from __future__ import annotations

from anabranch.data.duck import literal, quote, sql_type

MARK = "no exact value of the promised type in column "
"""What the error of a query says before the column's name, and never the value: it may be sensitive."""

JSON_DIGITS = 15
"""Digits of a JSON number that survive every reader: DuckDB's makes numbers with a point a double."""

_INTEGERS = ("int", "uint")
_NESTED = ("list<", "struct<", "map<")


def is_nested(kind: str) -> bool:
    """Tell whether values of a type have parts."""
    return kind.startswith(_NESTED)


def strict(column: str, kind: str) -> str:
    """Return SQL for a column of text as its promised type; the query fails where a value is not exactly of it."""
    text = quote(column)
    if kind == "string":
        return text
    given = f"{text} IS NULL" if kind == "binary" else f"({text} IS NULL OR {text} = '')"
    failed = f"error({literal(MARK + column)})"
    return f"CASE WHEN {given} THEN NULL ELSE coalesce({parsed(text, kind)}, {failed}) END AS {text}"


def broken(column: str, kind: str) -> str:
    """Return the condition that a column's text has no value of a type."""
    text = quote(column)
    empty = "" if kind == "binary" else f" AND {text} <> ''"
    return f"{text} IS NOT NULL{empty} AND ({parsed(text, kind)}) IS NULL"


def parsed(text: str, kind: str) -> str:
    """Return SQL for what a text says as a type; null where it does not say it exactly."""
    cast = f"TRY_CAST({text} AS {sql_type(kind)})"
    if kind.startswith(_INTEGERS):
        plain = f"NOT (contains({text}, '.') OR contains({text}, 'e') OR contains({text}, 'E'))"
        return f"CASE WHEN {plain} OR regexp_full_match({text}, '\\s*[+-]?[0-9]+\\.0*\\s*') THEN {cast} END"
    if kind.startswith("decimal("):
        scale = int(kind.rpartition(",")[2].rstrip(")"))
        fits = f"regexp_full_match({text}, '\\s*[+-]?[0-9]*(\\.[0-9]{{0,{scale}}}0*)?\\s*')"
        return f"CASE WHEN {fits} THEN {cast} END"
    if kind.startswith("float"):
        return f"CASE WHEN NOT coalesce(isinf({cast}), false) OR contains(lower({text}), 'inf') THEN {cast} END"
    match kind:
        case "date":
            day = f"TRY_CAST({text} AS TIMESTAMP) = {cast}"
            return f"CASE WHEN NOT contains({text}, ':') OR {day} THEN {cast} END"
        case "time":
            return f"CASE WHEN NOT ({_finer(text)}) AND NOT contains({text}, '+') THEN {cast} END"
        case "timestamp":
            instant = f"TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
            return f"CASE WHEN length({text}) <= 19 OR ({instant} = {cast} AND NOT ({_finer(text)})) THEN {cast} END"
        case "timestamptz":
            return f"CASE WHEN NOT ({_finer(text)}) THEN {cast} END"
        case "json":
            return f"CASE WHEN json_valid({text}) THEN {cast} END"
        case _:
            return cast


def _finer(text: str) -> str:
    """Return the condition that a time has digits beyond microseconds that say something."""
    return f"length({text}) > 15 AND regexp_matches({text}, '\\.[0-9]{{6}}0*[1-9]')"


def number_digits(text: str, kind: str) -> str:
    """Return SQL for a JSON value as text, null where it is a number with more digits than its reader kept.

    >>> "length" in number_digits('"a"', "decimal(38,8)"), number_digits('"a"', "decimal(10,2)")
    (True, '"a"')
    """
    if not kind.startswith("decimal(") or precision(kind) <= JSON_DIGITS:
        return text
    plain = f"({text} ->> '$')"
    digits = f"length(regexp_replace({plain}, '[^0-9]', '', 'g'))"
    kept = f"json_type({text}) = 'VARCHAR' OR NOT contains({plain}, '.') OR {digits} <= {JSON_DIGITS}"
    # An impossible decimal, so that the value is refused and not taken for a missing one.
    missing = f"{text} IS NULL OR json_type({text}) = 'NULL'"
    return f"CASE WHEN {missing} THEN NULL WHEN {kept} THEN {plain} ELSE '?' || {plain} END"


def json_number(column: str, kind: str) -> str:
    """Return SQL for a column as JSON is to hold it: decimals with more digits than readers keep become strings.

    >>> json_number("a", "int64"), "to_json" in json_number("a", "decimal(38,2)")
    ('"a"', True)
    """
    name = quote(column)
    if not kind.startswith("decimal(") or precision(kind) <= JSON_DIGITS:
        return name
    text = f"CAST({name} AS VARCHAR)"
    digits = f"length(regexp_replace({text}, '[^0-9]', '', 'g'))"
    return f"CASE WHEN {digits} <= {JSON_DIGITS} THEN CAST({text} AS JSON) ELSE to_json({text}) END AS {name}"


def precision(kind: str) -> int:
    """Return the digits of a decimal type.

    >>> precision("decimal(38,8)")
    38
    """
    return int(kind.partition("(")[2].partition(",")[0])
