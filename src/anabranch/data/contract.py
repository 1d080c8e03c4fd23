"""Contracts: promised columns, their types, nulls and keys, checked on the data that is about to be published."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from anabranch.data.duck import fetched, first_lines, quote, schema
from anabranch.data.formats.exact import MARK
from anabranch.model.dataset import Format
from anabranch.model.errors import ContractError, closest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import duckdb

    from anabranch.model.columns import Column
    from anabranch.model.dataset import DatasetSpec

BadValues: TypeAlias = "list[tuple[Column, int, list[tuple[str, str]]]]"
"""Columns with values that are not of their promised type: how many, and the first of them by place."""

SHOWN = 5
"""Rows that a message names."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One way in which data breaks its contract."""

    code: str
    text: str
    hint: str


def raise_for(breaches: Sequence[tuple[DatasetSpec, Breach]]) -> None:
    """Raise one error for all breaches, if there are any.

    Raises:
        ContractError: the code is the first breach's.
    """
    if not breaches:
        return
    lines = [f"dataset `{spec.name}`: {breach.text}" for spec, breach in breaches]
    raise ContractError("\n".join(lines), code=breaches[0][1].code, hint=breaches[0][1].hint)


def columns(spec: DatasetSpec, have: dict[str, str]) -> list[Breach]:
    """Compare promised columns and types with those that are there."""
    found: list[Breach] = []
    needed = [column.name for column in spec.columns]
    needed += [name for name in spec.primary_key if name not in needed]
    found += [
        Breach("missing-column", f"column `{name}` is missing", closest(name, have))
        for name in needed
        if name not in have
    ]
    for column in spec.columns:
        given = have.get(column.name)
        if given is not None and column.type and not _same(given, column.type):
            text = f"column `{column.name}` is {given}, promised is {column.type}"
            found.append(Breach("wrong-type", text, f"cast it to {column.type}, or promise {given}"))
    return found


def _same(given: str, wanted: str) -> bool:
    return given == wanted or (wanted == "json" and given in {"string", "JSON"})


def check(
    spec: DatasetSpec, scan: Callable[[], duckdb.DuckDBPyRelation], bad: Callable[[], BadValues] | None = None
) -> tuple[int, list[Breach]]:
    """Check data against its dataset's contract.

    Args:
        spec: what is promised.
        scan: gives the rows.
        bad: finds the values of text that are not of their promised type.

    Returns:
        The number of rows, and every breach found.
    """
    import duckdb

    try:
        relation = scan()
        found = columns(spec, schema(relation))
        if any(breach.code == "missing-column" for breach in found):
            return 0, found
        rows, nulls = _nulls(spec, relation)
    except duckdb.Error as error:
        hint = "mend the value, or promise another type"
        if bad is not None and MARK in str(error):
            return 0, [Breach("bad-value", text, hint) for text in bad_texts(bad())]
        return 0, [Breach("bad-value", discreet(spec, first_lines(error)), hint)]
    return rows, [*found, *nulls, *_duplicates(spec, relation)]


def bad_texts(found: BadValues) -> list[str]:
    """Say which values are not of their promised type, a line for each column; never those of sensitive columns."""
    texts: list[str] = []
    for column, count, rows in found:
        shown = "; ".join(place + ("" if column.sensitive else f" {_short(value)}") for place, value in rows)
        many = "1 row" if count == 1 else f"{count:,} rows"
        texts.append(f"column `{column.name}` is not exactly {column.type} in {many}: {shown}")
    return texts


def discreet(spec: DatasetSpec, text: str) -> str:
    """Return a message of DuckDB's, without the values it quotes where a column is sensitive."""
    hidden = any(column.sensitive for column in spec.columns)
    return re.sub(r"(\"[^\"]*\"|value [^ ]+)", "***", text) if hidden else text


def _short(value: str, most: int = 60) -> str:
    return repr(value) if len(value) <= most else f"{value[:most]!r}..."


def _nulls(spec: DatasetSpec, relation: duckdb.DuckDBPyRelation) -> tuple[int, list[Breach]]:
    names = list(dict.fromkeys([*spec.primary_key, *(column.name for column in spec.columns if not column.nullable)]))
    # Text is parsed only where it is looked at: counting every promised column finds values of another type.
    looked = [column.name for column in spec.columns] if spec.format in {Format.CSV, Format.JSONL} else []
    counts = relation.aggregate(
        ", ".join(
            [
                "count(*)",
                *(f"count(*) FILTER (WHERE {quote(name)} IS NULL)" for name in names),
                *(f"count({quote(name)})" for name in looked),
            ]
        )
    ).fetchall()[0]
    found: list[Breach] = []
    for name, count in zip(names, counts[1 : len(names) + 1], strict=True):
        if count:
            rows = _rows(spec, relation, f"{quote(name)} IS NULL")
            why = "part of the primary key" if name in spec.primary_key else "promised not to be null"
            text = f"column `{name}`, {why}, is null in {count:,} {'row' if count == 1 else 'rows'}: {rows}"
            found.append(Breach("null-value", text, "drop these rows or fill them in, or allow null"))
    return int(counts[0]), found


def _duplicates(spec: DatasetSpec, relation: duckdb.DuckDBPyRelation) -> list[Breach]:
    if not spec.primary_key:
        return []
    key, shown_key = ", ".join(map(quote, spec.primary_key)), _fetched_key(spec, relation)
    numbered = cast(
        "duckdb.DuckDBPyRelation",  # None only for statements that are no query
        relation.project("row_number() OVER () AS __row, *").query(
            "numbered",
            f"SELECT {shown_key}, count(*), list(__row ORDER BY __row)[1:{SHOWN}] FROM numbered GROUP BY {key} "
            f"HAVING count(*) > 1 ORDER BY min(__row)",
        ),
    )
    twice = numbered.limit(SHOWN).fetchall()
    if not twice:
        return []
    total = numbered.aggregate("count(*)").fetchall()[0][0]
    shown = "; ".join(
        f"{_key(spec, row[:-2])} in rows {', '.join(map(str, row[-1]))}{' and more' if row[-2] > SHOWN else ''}"
        for row in twice
    )
    count = f"{total:,} {'key' if total == 1 else 'keys'}"
    text = f"primary key ({', '.join(spec.primary_key)}) is not unique for {count}: {shown}"
    return [Breach("duplicate-key", text, "remove the duplicates, or name more columns in primary_key")]


def _rows(spec: DatasetSpec, relation: duckdb.DuckDBPyRelation, condition: str) -> str:
    key = _fetched_key(spec, relation)
    found = (
        relation.project("row_number() OVER () AS __row, *")
        .filter(condition)
        .project(f"__row{', ' + key if key else ''}")
        .limit(SHOWN)
        .fetchall()
    )
    return "; ".join(f"row {row[0]}" + (f" {_key(spec, row[1:])}" if key else "") for row in found)


def _fetched_key(spec: DatasetSpec, relation: duckdb.DuckDBPyRelation) -> str:
    kinds = dict(zip(relation.columns, relation.types, strict=True))
    return ", ".join(fetched(name, kinds[name]) for name in spec.primary_key)


def _key(spec: DatasetSpec, values: Sequence[object]) -> str:
    """Show a key; values of sensitive columns never."""
    pairs = zip(spec.primary_key, values, strict=True)
    shown = []
    for name, value in pairs:
        column = spec.column(name)
        hidden = column is not None and column.sensitive
        text = str(value) if hasattr(value, "isoformat") else repr(value)
        shown.append(f"{name}={'***' if hidden else text}")
    return f"({', '.join(shown)})"
