"""Queries, as their tokens: comments, layout and the case of keywords do not count."""

from __future__ import annotations

import re
from importlib.util import find_spec

OUTSIDE = re.compile(
    r"\b(?:read_(?:csv|csv_auto|parquet|json|json_auto|ndjson|text|blob|xlsx)|parquet_scan|glob|sniff_csv|iceberg_scan|"
    r"delta_scan|postgres_scan|sqlite_scan|mysql_scan|getenv)\s*\(",
    re.IGNORECASE,
)
FILE = re.compile(r"\b(?:from|join)\s+'[^']+'", re.IGNORECASE)
RANDOM = re.compile(
    r"\b(?:now|today|random|uuid|uuidv4|uuidv7|gen_random_uuid|nextval|current_localtime\w*|get_current_time\w*|"
    r"transaction_timestamp|setseed)\s*\(|\b(?:current_timestamp|current_date|current_time|localtimestamp|localtime)\b|"
    r"\btablesample\b|\busing\s+sample\b",
    re.IGNORECASE,
)
LIMIT, ORDER = re.compile(r"\blimit\b", re.IGNORECASE), re.compile(r"\border\s+by\b", re.IGNORECASE)


def canonical(query: str) -> str:
    r"""Return a query as its tokens, one space between them.

    >>> canonical("select  a, -- the first\n 'X' from t")
    "SELECT a , 'X' FROM t"
    """
    pieces: list[str] = []
    for text, kind in _tokens(query):
        pieces.append(text.upper() if kind == "keyword" else text)
    return " ".join(pieces)


def suspicions(query: str) -> tuple[list[str], list[str]]:
    """Return why a query reaches outside of its ports, and why it may differ each time."""
    bare = " ".join(text for text, kind in _tokens(query) if kind != "string")
    text = canonical(query)
    impure = [f"the query calls {match[0].rstrip('( ').lower()}()" for match in OUTSIDE.finditer(bare)]
    impure += [f"the query names a file: {match[0]}" for match in FILE.finditer(text)]
    random = [f"the query calls {match[0].rstrip('( ').lower()}" for match in RANDOM.finditer(bare)]
    if LIMIT.search(bare) and not ORDER.search(bare):
        random.append("the query takes the first rows of no order: LIMIT without ORDER BY")
    return list(dict.fromkeys(impure)), list(dict.fromkeys(random))


_PLAIN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<string>'(?:[^']|'')*')|(?P<quoted>\"(?:[^\"]|\"\")*\")|"
    r"(?P<word>[A-Za-z_]\w*)|(?P<number>\d[\w.]*)|(?P<other>[^\s\w])",
    re.DOTALL,
)


def _tokens(query: str) -> list[tuple[str, str]]:
    """Return the query's tokens, without comments; `keyword`, `string` or another kind."""
    keywords = _keyword_spans(query)
    found: list[tuple[str, str]] = []
    for match in _PLAIN.finditer(query):
        kind = match.lastgroup or ""
        if kind == "comment":
            continue
        if kind == "word" and match.start() in keywords:
            kind = "keyword"
        found.append((match[0], kind))
    if found and found[-1][0] == ";":
        found.pop()
    return found


def _keyword_spans(query: str) -> set[int]:
    """Return where keywords begin; none where DuckDB is not installed, so that their case counts."""
    if find_spec("duckdb") is None:
        return set()
    import duckdb

    keyword = duckdb.token_type.keyword
    encoded = query.encode()
    return {len(encoded[:start].decode(errors="ignore")) for start, kind in duckdb.tokenize(query) if kind == keyword}
