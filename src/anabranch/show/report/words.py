"""What every report says of a delta, in words. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anabranch.model.delta import Status, Verdict
from anabranch.show.human import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.delta import Basis, ColumnDelta, DatasetDelta, Profile, Report

SHOWN = 200
"""Columns of one dataset that a report shows; further ones are counted."""

TONE = {
    Verdict.IDENTICAL: "same",
    Verdict.EQUAL: "same",
    Verdict.NOISE: "noise",
    Verdict.SCHEMA: "changed",
    Verdict.CHANGED: "changed",
    Verdict.UNKNOWN: "unsure",
    Verdict.ADDED: "changed",
}
"""The colour of each verdict, by its name in the graph."""


def rows(delta: DatasetDelta) -> str:
    """Return what became of the rows.

    >>> from anabranch.model.delta import DatasetDelta
    >>> rows(DatasetDelta("a", Verdict.CHANGED, ("k",), 10, 11, 7, 2, 2, 1))
    '10 → 11 rows: 2 changed, 2 added, 1 removed'
    """
    counts = (
        f"{delta.before:,} → {plural(delta.after, 'row')}"
        if delta.before != delta.after
        else plural(delta.after, "row")
    )
    parts = [
        f"{number:,} {what}"
        for number, what in ((delta.changed, "changed"), (delta.added, "added"), (delta.removed, "removed"))
        if number
    ]
    return f"{counts}: {', '.join(parts)}" if parts and delta.verdict is not Verdict.ADDED else counts


def matched(delta: DatasetDelta) -> str:
    """Return how rows were matched."""
    if delta.verdict in {Verdict.IDENTICAL, Verdict.ADDED}:
        return ""
    return f"by ({', '.join(delta.key)})" if delta.key else "as whole rows: it has no key"


def interesting(delta: DatasetDelta) -> tuple[ColumnDelta, ...]:
    """Return the columns that there is something to say of."""
    return tuple(c for c in delta.columns if c.status not in {Status.SAME, Status.KEY} or c.retyped or c.why)


def types(column: ColumnDelta) -> str:
    """Return a column's type, both where they differ."""
    if column.retyped:
        compared = f", compared as {column.compared_as}" if column.compared_as else ""
        return f"{column.before} → {column.after}{compared}"
    return column.after or column.before


def told(column: ColumnDelta) -> str:
    """Return how a column differs, in a few words."""
    match column.status:
        case Status.CHANGED | Status.NOISE:
            cells = plural(column.changed, "cell") if column.changed is not None else "values"
            text = f"{cells} changed" if column.status is Status.CHANGED else f"{cells} differ, as noise"
        case Status.UNKNOWN:
            text = f"UNKNOWN: {column.why}"
        case Status.KEY | Status.SAME:
            text = "same values" + (f", {column.why}" if column.why else "")
        case _:
            text = column.status.value
    return text + (f" (tolerance {column.tolerance:g})" if column.tolerance else "")


def profile(column: ColumnDelta, before: int, after: int) -> Iterator[tuple[str, str, str]]:
    """Yield a column in numbers: what, in main, in the branch; rows are counts. Only what differs or is a mean."""
    mine, theirs = column.profile_before, column.profile_after
    if mine is None or theirs is None:
        return
    for what, a, b in (
        ("nulls", _share(mine, before), _share(theirs, after)),
        ("distinct ≈", _count(mine.distinct), _count(theirs.distinct)),
        ("min", brief(mine.min), brief(theirs.min)),
        ("max", brief(mine.max), brief(theirs.max)),
        ("mean", _number(mine.mean), _number(theirs.mean)),
    ):
        if a != b and a is not None and b is not None:
            yield what, a, b


def brief(value: str | None) -> str | None:
    """Return a value without digits that nobody reads.

    >>> brief("0.31137549653399"), brief("2013-01-05"), brief("12"), brief(None)
    ('0.311375', '2013-01-05', '12', None)
    """
    if value is None or not re.fullmatch(r"-?\d+\.\d{7,}(?:e[+-]?\d+)?", value):
        return value
    return f"{float(value):.6g}"


def _share(side: Profile, rows: int) -> str:
    return f"{side.nulls / rows:.2%}" if rows else "0.00%"


def _count(number: int | None) -> str | None:
    return None if number is None else f"{number:,}"


def _number(number: float | None) -> str | None:
    return None if number is None else f"{number:,.6g}"


def basis(each: Basis) -> str:
    """Return what a dataset was compared with."""
    if each.of == "control":
        return "a control: main's code on the branch's inputs" + (f" ({each.why})" if each.why else "")
    return "main's own output" if each.of == "main" else "nothing"


def run_of(report: Report) -> str:
    """Return the run that is told of; nothing where no step had to run."""
    return f", run {report.run}" if report.run else ""


def headline(report: Report) -> str:
    """Return what all of it comes to."""
    differing = [delta for delta in report.datasets if delta.differs]
    if not report.datasets:
        return (
            "the branch wrote no dataset, so there is nothing to compare" if report.run else "no step differs from main"
        )
    if not differing:
        noisy = any(delta.verdict is Verdict.NOISE for delta in report.datasets)
        return f"no difference in {plural(len(report.datasets), 'dataset')}" + (", but noise" if noisy else "")
    verb = "differs" if len(differing) == 1 else "differ"
    return f"{len(differing):,} of {plural(len(report.datasets), 'dataset')} {verb}"
