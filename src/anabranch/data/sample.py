"""Samples of main's data that joins survive: the same keys in every table, whatever engine draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.data import stored
from anabranch.data.duck import canonical, quote

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from anabranch.model.dataset import DatasetSpec

DIGITS = 8
"""Hexadecimal digits of a hash that decide: shares are exact to 1 in 4 billion."""


def cut(
    db: duckdb.DuckDBPyConnection, storage: Path, rows: duckdb.DuckDBPyRelation, spec: DatasetSpec
) -> duckdb.DuckDBPyRelation:
    """Return the rows of a dataset of main that are in the sample of the branch in this storage.

    A row whose reference is null has no parent to be with; its own key decides.
    """
    if spec.bound is None or spec.bound.sample is None:
        return rows
    rule = spec.bound.sample
    if rule.parent is None:
        return rows.filter(kept(rows, rule.columns, rule.share))
    parents = f"__parents_of_{spec.name}"
    whole = stored.scan(db, storage, rule.parent)
    cut(db, storage, whole, rule.parent).create_view(parents, replace=True)
    columns, key = ", ".join(map(quote, rule.columns)), ", ".join(map(quote, rule.parent.primary_key))
    orphan = " OR ".join(f"{quote(name)} IS NULL" for name in rule.columns)
    own = kept(rows, spec.primary_key or rule.columns, rule.share)
    return rows.filter(f"({columns}) IN (SELECT ({key}) FROM {quote(parents)}) OR (({orphan}) AND {own})")


def kept(rows: duckdb.DuckDBPyRelation, columns: tuple[str, ...], share: float) -> str:
    """Return the condition that a row's key hashes into the share.

    The hash is MD5 of the values as text, each with its length before it; every engine has that. Equal keys are equal
    text whatever integer or decimal type holds them.
    """
    kinds = dict(zip(rows.columns, rows.types, strict=True))
    parts = " || ".join(_text(name, canonical(kinds[name])) for name in columns)
    return f"left(md5({parts}), {DIGITS}) < '{limit(share)}'"


def limit(share: float) -> str:
    """Return the first hash that is not in the share; `g` is past all.

    >>> limit(0.5), limit(1.0)
    ('80000000', 'g')
    """
    whole = 16**DIGITS
    first = round(share * whole)
    return "g" if first >= whole else f"{first:0{DIGITS}x}"


def _text(name: str, kind: str) -> str:
    """Return SQL for the canonical text of a value."""
    column = quote(name)
    if kind.startswith("timestamp"):
        text = f"CAST(epoch_us({column}) AS VARCHAR)"
    elif kind.startswith("decimal"):
        text = f"rtrim(rtrim(CAST({column} AS VARCHAR), '0'), '.')" if not kind.endswith(",0)") else _plain(column)
    elif kind in {"float32", "float64"}:
        text = f"CASE WHEN {column} = trunc({column}) AND abs({column}) < 1e18 THEN CAST(CAST({column} AS BIGINT) AS "
        text += f"VARCHAR) ELSE CAST({column} AS VARCHAR) END"
    else:
        text = _plain(column)
    return f"coalesce(CAST(length({text}) AS VARCHAR) || ':' || {text}, 'null;')"


def _plain(column: str) -> str:
    return f"CAST({column} AS VARCHAR)"
