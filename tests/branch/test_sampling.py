"""Samples: whatever the references, every reference of a kept row finds its row."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.branch.sampling import parse, plan
from anabranch.data import sample
from anabranch.data.duck import connect
from anabranch.model.branch import SampleRate
from anabranch.model.dataset import Bound, DatasetSpec, Format, Reference
from anabranch.model.errors import UsageError


def made(seed: int) -> tuple[dict[str, DatasetSpec], dict[str, int], dict[tuple[str, str], list[int | None]]]:
    """Return tables that refer to each other at random, and what their columns hold."""
    draw = random.Random(seed)
    names = [f"t{i}" for i in range(draw.randint(2, 5))]
    rows = {name: draw.choice([5, 300, 2000]) for name in names}
    specs: dict[str, DatasetSpec] = {}
    held: dict[tuple[str, str], list[int | None]] = {}
    for i, name in enumerate(names):
        others = [other for other in names if draw.random() < 0.4 and (other != name or draw.random() < 0.2)]
        if draw.random() < 0.7:
            others = [other for other in others if names.index(other) < i]  # mostly without circles
        references = tuple(Reference((f"to_{other}",), other) for other in others)
        key = ("id",) if draw.random() < 0.85 or any(r.dataset == name for r in references) else ()
        specs[name] = DatasetSpec(name, format=Format.PARQUET, primary_key=key, references=references)
    for name in names:
        held[name, "id"] = list(range(rows[name]))
    for name, spec in specs.items():
        kept = tuple(ref for ref in spec.references if specs[ref.dataset].primary_key)
        specs[name] = replace(spec, references=kept)
        for ref in kept:
            held[name, ref.columns[0]] = [
                None if draw.random() < 0.05 else draw.randrange(rows[ref.dataset]) for _ in range(rows[name])
            ]
    return specs, rows, held


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_reference_of_a_kept_row_finds_its_row(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """In any graph of references, with circles, tables without keys, and nulls."""
    root: Path = tmp_path_factory.mktemp("lake")
    specs, rows, held = made(seed)
    db = connect()
    for name, spec in specs.items():
        columns = {"id": held[name, "id"], **{ref.columns[0]: held[name, ref.columns[0]] for ref in spec.references}}
        path = root / spec.location
        path.parent.mkdir(parents=True, exist_ok=True)
        import polars as pl

        pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64)).write_parquet(path)
    bound = {name: replace(spec, bound=Bound(str(root))) for name, spec in specs.items()}
    told = plan(bound, rows, SampleRate(0.1))
    kept: dict[str, Any] = {}
    for name, spec in bound.items():
        rule = told.rules.get(name)
        sampled = replace(spec, bound=Bound(str(root), "", rule))
        from anabranch.data import stored

        own = root / "branch"
        relation = sample.cut(db, own, stored.scan(db, own, sampled), sampled)
        kept[name] = relation.fetchall()
        columns = relation.columns
        kept[name] = [dict(zip(columns, row, strict=True)) for row in kept[name]]
        if rule is None:
            assert len(kept[name]) == rows[name]
    for name, spec in specs.items():
        for ref in spec.references:
            there = {row["id"] for row in kept[ref.dataset]}
            lost = [row for row in kept[name] if row[ref.columns[0]] is not None and row[ref.columns[0]] not in there]
            assert not lost, (name, ref, told.told)
    assert {each.dataset for each in told.told} == set(specs)
    db.close()


def test_a_share_is_about_kept_and_the_same_keys_whatever_type_holds_them() -> None:
    """Integers, wider ones and decimals hash alike; another engine's MD5 gives the same rows."""
    import hashlib

    db = duckdb.connect()
    kept: list[set[int]] = []
    for kind in ("INTEGER", "BIGINT", "DECIMAL(12,2)", "DOUBLE"):
        rows = db.sql(f"SELECT i::{kind} AS id FROM range(10000) t(i)")
        kept.append({int(row[0]) for row in rows.filter(sample.kept(rows, ("id",), 0.05)).fetchall()})
    assert kept[0] == kept[1] == kept[2] == kept[3]
    assert 400 < len(kept[0]) < 600
    texts = (f"{len(str(i))}:{i}" for i in range(10000))
    hashes = [hashlib.md5(text.encode()).hexdigest()[:8] for text in texts]
    assert kept[0] == {i for i, each in enumerate(hashes) if each < sample.limit(0.05)}


@pytest.mark.parametrize("text", ["", "5", "0%", "101%", "-1%", "rows=0", "rows=x", "half"])
def test_what_is_no_sample_is_refused(text: str) -> None:
    """With an example of what is."""
    with pytest.raises(UsageError, match="no sample"):
        parse(text)
