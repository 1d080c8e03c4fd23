"""Which rows of main's data a branch sees: the same keys in every table, so that joins still meet."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anabranch.model.branch import Sampled, SampleRate
from anabranch.model.dataset import Sample
from anabranch.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.model.dataset import DatasetSpec

ENOUGH = 20
"""Rows that a parent must be expected to keep to be followed: 5 % of 16 carriers would be none."""

_PERCENT = re.compile(r"^(\d+(?:\.\d+)?)\s*%$")
_ROWS = re.compile(r"^rows=([\d_,]+)$")


def parse(text: str) -> SampleRate:
    """Return what `--sample` says.

    >>> parse("5%"), parse("rows=10_000")
    (SampleRate(share=0.05, rows=0), SampleRate(share=0.0, rows=10000))

    Raises:
        UsageError: `bad-sample`.
    """
    if match := _PERCENT.match(text.strip()):
        share = float(match[1]) / 100
        if 0 < share <= 1:
            return SampleRate(share)
    elif match := _ROWS.match(text.strip()):
        rows = int(match[1].replace("_", "").replace(",", ""))
        if rows:
            return SampleRate(rows=rows)
    raise UsageError(f"--sample {text} is no sample", code="bad-sample", hint="--sample 5%, or --sample rows=10000")


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """How each input is sampled. `rules` has those that are cut; every other stays whole, as `told` says."""

    share: float
    rules: Mapping[str, Sample]
    told: tuple[Sampled, ...]


def plan(tables: Mapping[str, DatasetSpec], rows: Mapping[str, int], rate: SampleRate) -> SamplePlan:
    """Decide how each input of a branch is sampled.

    A table follows, of all that it refers to, the largest parent that leaves enough rows: its rows are kept with
    their parent's. A parent that some table refers to without following it stays whole, so that every reference of a
    kept row finds its row. A table that follows nobody goes by its own key.

    Args:
        tables: the inputs, bound to main.
        rows: how many rows each has.
        rate: how much is wanted.
    """
    share = rate.share or _share(tables, rows, rate.rows)
    parents, whole = _followed(tables, rows, share)
    rules: dict[str, Sample] = {}
    how = dict(whole)

    def decide(name: str) -> None:
        if name in how:
            return
        spec, parent = tables[name], parents[name]
        if parent:
            decide(parent)
            columns = next(ref.columns for ref in spec.references if ref.dataset == parent)
            rules[name] = _with_parent(tables[parent], rules[parent], columns)
            how[name] = f"rows whose {' and '.join(columns)} is in the sample of `{parent}`"
        else:
            rules[name] = Sample(share, spec.primary_key)
            how[name] = f"{share * 100:g}% of its keys ({', '.join(spec.primary_key)})"

    for name in sorted(tables):
        decide(name)
    return SamplePlan(share, rules, tuple(Sampled(name, how[name]) for name in sorted(how)))


def _share(tables: Mapping[str, DatasetSpec], rows: Mapping[str, int], wanted: int) -> float:
    largest = max((rows[name] for name, spec in tables.items() if spec.primary_key), default=0)
    return min(1.0, wanted / largest) if largest else 1.0


def _with_parent(parent: DatasetSpec, rule: Sample, columns: tuple[str, ...]) -> Sample:
    if rule.parent is None and rule.columns == parent.primary_key:
        return replace(rule, columns=columns)  # our columns hold its key: the same hash keeps the same rows
    bound = parent.bound
    return Sample(rule.share, columns, replace(parent, bound=replace(bound, sample=rule) if bound else None))


def _followed(
    tables: Mapping[str, DatasetSpec], rows: Mapping[str, int], share: float
) -> tuple[dict[str, str], dict[str, str]]:
    """Return whom each table follows (nobody: empty), and the tables that stay whole, with why."""
    whole = {name: "whole: its references lead back to it" for name in tables if _circular(name, tables)}
    refers = {name: sorted({ref.dataset for ref in spec.references} & set(tables)) for name, spec in tables.items()}
    while True:
        enough = {n for n in tables if n not in whole and tables[n].primary_key and rows[n] * share >= ENOUGH}
        parents = {
            name: "" if name in whole else max((o for o in others if o in enough), key=lambda o: rows[o], default="")
            for name, others in refers.items()
        }
        more = {
            other: f"whole: `{name}` refers to it"
            for name, others in refers.items()
            for other in others
            if other not in whole and parents[name] != other
        }
        more |= {
            name: "whole: it has no primary key"
            for name, parent in parents.items()
            if name not in whole and not parent and not tables[name].primary_key
        }
        if not more:
            return parents, whole
        whole |= more


def _circular(name: str, tables: Mapping[str, DatasetSpec]) -> bool:
    """Tell whether references lead from a table back to it."""
    seen: set[str] = set()
    stack = [name]
    while stack:
        for reference in tables[stack.pop()].references:
            if reference.dataset == name:
                return True
            if reference.dataset in tables and reference.dataset not in seen:
                seen.add(reference.dataset)
                stack.append(reference.dataset)
    return False
