"""Queries, as their tokens: comments, layout and the case of keywords do not count."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from anabranch.code import clauses

_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<string>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)"
    r"|(?P<quoted>\"(?:[^\"]|\"\")*\")|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<other>\S)",
    re.DOTALL,
)
_NEVER_NAMES = frozenset({"ASC", "DESC", "END", "NULL", "PRECEDING", "FOLLOWING", "ROW", "ROWS", "ISNULL", "NOTNULL"})
"""Keywords that end an expression; any other may be what a column is called."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query as read: its canonical text, why it reaches outside, and why it may differ each time."""

    canonical: str
    impure: tuple[str, ...]
    random: tuple[str, ...]


@lru_cache(10_000)  # two snapshots have most of their queries in common
def read(query: str) -> Query:
    r"""Return a query as its tokens, one space between them, and what is suspicious in it.

    >>> read("select  a, -- the first\n 'X' from t").canonical
    "SELECT a , 'X' FROM t"
    """
    tokens = _tokens(query)
    impure, random = clauses.suspicions(tokens)
    return Query(" ".join(_canonical(tokens)), tuple(dict.fromkeys(impure)), tuple(dict.fromkeys(random)))


def _canonical(tokens: list[tuple[str, str]]) -> list[str]:
    """Return texts with keywords in capitals, but where they name something, which then is called as written."""
    edged = [("", ""), ("", ""), *tokens, ("", "")]
    openers = [""]
    found: list[str] = []
    for earlier, (before, kind_before), (text, kind), (after, _) in zip(
        edged, edged[1:], edged[2:], edged[3:], strict=False
    ):
        upper = text.upper()
        if text == "(":
            openers.append(before.upper())
        elif text == ")" and len(openers) > 1:
            openers.pop()
        named = before == "." or after == "." or (before.upper() == "AS" and "CAST" not in openers[-1])
        ends = kind_before in {"word", "quoted", "string", "number"} or before == ")"
        implied = ends and (after in {",", ")", ""} or after.upper() == "FROM") and upper not in _NEVER_NAMES
        implied = implied and earlier[0].upper() != "INTERVAL"
        found.append(upper if kind == "keyword" and not named and not implied else text)
    return found


def _tokens(query: str) -> list[tuple[str, str]]:
    """Return the query's tokens, without comments and the last semicolon, each with its kind."""
    keywords = _keywords(query)
    found = [
        (match[0], "keyword" if match.lastgroup == "word" and match.start() in keywords else match.lastgroup or "")
        for match in _TOKEN.finditer(query)
        if match.lastgroup != "comment"
    ]
    while found and found[-1][0] == ";":
        found.pop()
    return [(text, "string" if kind == "tag" else kind) for text, kind in found]


def _keywords(query: str) -> set[int]:
    """Return where keywords begin; none where DuckDB is not installed, so that their case counts."""
    if find_spec("duckdb") is None:
        return set()
    import duckdb

    starts = [start for start, kind in duckdb.tokenize(query) if kind == duckdb.token_type.keyword]
    if query.isascii():
        return set(starts)
    encoded = query.encode()
    return {len(encoded[:start].decode(errors="ignore")) for start in starts}
