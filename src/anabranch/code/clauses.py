"""Clauses of a query that decide whether it reads more than its ports, or gives other rows each time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTSIDE = re.compile(
    r"read_(?:csv|csv_auto|parquet|json|json_auto|json_objects|json_objects_auto|ndjson|ndjson_auto|ndjson_objects|text"
    r"|blob|xlsx)|parquet_(?:scan|metadata|schema|file_metadata)|glob|sniff_csv|iceberg_scan|delta_scan|arrow_scan"
    r"|postgres_(?:scan|query)|sqlite_scan|mysql_(?:scan|query)|st_read|getenv"
)
CHANCE = re.compile(
    r"now|today|random|uuid|uuidv4|uuidv7|gen_random_uuid|nextval|setseed|current_localtime\w*|get_current_time\w*"
    r"|transaction_timestamp|txid_current|current_(?:timestamp|date|time)|localtime(?:stamp)?"
)
MOMENTS = frozenset({"current_timestamp", "current_date", "current_time", "localtimestamp", "localtime"})
"""Functions that are called without parentheses."""

_FILE = re.compile(r"/|\.(?:csv|tsv|parquet|jsonl?|ndjson|xlsx|db|duckdb)(?:\.\w+)?\W?$", re.IGNORECASE)
_AFTER_FROM = frozenset({
    "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "SELECT", "UNION", "EXCEPT", "INTERSECT", "WINDOW",
    "QUALIFY",
})  # fmt: skip
_UNORDERED = "the query takes the first rows of no order: LIMIT without ORDER BY"


@dataclass(slots=True)
class _Level:
    """What has been seen between two parentheses, or of the whole.

    Attributes:
        query: it is a query, and no list of arguments.
        tables: the clause is that of FROM.
        next_table: the next word is a table.
        limit: there is a LIMIT.
        order: there is an ORDER BY.
    """

    query: bool = False
    tables: bool = False
    next_table: bool = False
    limit: bool = False
    order: bool = False


def suspicions(tokens: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Return why a query reaches outside of its ports, and why it may differ each time.

    Args:
        tokens: texts and their kinds, without comments.
    """
    impure: list[str] = []
    random: list[str] = []
    levels = [_Level()]
    for position, (text, kind) in enumerate(tokens):
        before = tokens[position - 1][0].upper() if position else ""
        after = tokens[position + 1][0] if position + 1 < len(tokens) else ""
        level = levels[-1]
        if text == "(":
            levels.append(_Level(tables=level.next_table, next_table=level.next_table))
            level.next_table = False
        elif text == ")":
            random += [_UNORDERED] if level.limit and not level.order else []
            levels = levels[:-1] or [_Level()]
        elif kind in {"string", "quoted"}:
            if level.next_table and (kind == "string" or _FILE.search(text)):
                impure.append(f"the query names a file: {text}")
            level.next_table = False
        elif kind in {"word", "keyword"}:
            _word(level, text.upper(), before)
            outside, chance = _called(text.lower(), before, after)
            impure += outside
            random += chance
        elif text == ",":
            level.next_table = level.tables
    random += [_UNORDERED for level in levels if level.limit and not level.order]
    return impure, random


def _word(level: _Level, text: str, before: str) -> None:
    """Note what a word begins."""
    if text == "FROM" and before != "DISTINCT" and (level.query or before in {"", "("}):
        level.query = level.tables = level.next_table = True
    elif text == "JOIN" and level.tables:
        level.next_table = True
    elif text != "LATERAL":
        level.next_table = False
        level.tables = level.tables and text not in _AFTER_FROM
    level.query = level.query or text in {"SELECT", "WITH"}
    level.limit = level.limit or (text == "LIMIT" and level.query)
    level.order = level.order or text == "ORDER"


def _called(text: str, before: str, after: str) -> tuple[list[str], list[str]]:
    """Tell whether a word calls something that reaches outside, or that differs each time."""
    if text == "tablesample" or (text == "sample" and before == "USING"):
        return [], ["the query calls tablesample" if text == "tablesample" else "the query calls using sample"]
    if before == ".":
        return [], []
    if after == "(" and OUTSIDE.fullmatch(text):
        return [f"the query calls {text}()"], []
    if CHANCE.fullmatch(text) and (after == "(" or (text in MOMENTS and before != "AS")):
        return [], [f"the query calls {text}"]
    return [], []
