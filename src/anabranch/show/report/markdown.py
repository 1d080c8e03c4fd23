"""Deltas as Markdown, for a pull request. Values of sensitive columns are not in a report to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.delta import Verdict
from anabranch.show.report import words
from anabranch.show.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.delta import DatasetDelta, Report

SIGNS = {"same": "🟢", "changed": "🔴", "noise": "🟣", "unsure": "🟡"}
EXAMPLES = 3
COLUMNS = 30


def markdown(report: Report, *, rows: bool = True) -> str:
    """Return the report; without `rows` no value of the data is in it."""
    return "\n".join(_lines(report, rows=rows)) + "\n"


def _lines(report: Report, *, rows: bool) -> Iterator[str]:
    yield f"### Deltas of branch {_code(report.branch)} ({_plain(report.pipeline)}): {words.headline(report)}"
    yield ""
    for name in report.stale:
        yield f"> **STALE**: main's {_code(name)} has moved on since the branch read it: `branch run --rebase`"
        yield ""
    for text in (*(f"**CONTRACT**: {_plain(breach)}" for breach in report.breaches), *map(_plain, report.notes)):
        yield f"> {text}"
        yield ""
    if report.sample:
        yield f"On a sample of main ({report.sample}), and so is what it is compared with."
        yield ""
    bases = {each.dataset: each for each in report.bases}
    if report.datasets:
        yield "| | dataset | verdict | rows | changed | added | removed | compared with |"
        yield "|---|---|---|---:|---:|---:|---:|---|"
    for delta in report.datasets:
        count = f"{delta.before:,} → {delta.after:,}" if delta.before != delta.after else f"{delta.after:,}"
        base = bases.get(delta.dataset)
        yield (
            f"| {SIGNS[words.TONE[delta.verdict]]} | {_code(delta.dataset)} | {delta.verdict.value} | {count} "
            f"| {delta.changed:,} | {delta.added:,} | {delta.removed:,} | {base.of if base else ''} |"
        )
    for delta in report.datasets:
        if delta.verdict is not Verdict.IDENTICAL and (words.interesting(delta) or delta.notes):
            yield ""
            yield from _dataset(delta, rows=rows)
    steps = [step for step in report.steps if step.role not in {"reused", "downstream"}]
    if steps:
        yield ""
        yield "<details><summary>Why these steps ran</summary>"
        yield ""
        for step in steps:
            yield f"- {_code(step.id)}: {step.role}, {_plain('; '.join(step.why))}"
        yield ""
        yield "</details>"


def _dataset(delta: DatasetDelta, *, rows: bool) -> Iterator[str]:
    columns = words.interesting(delta)
    matched = _plain(words.matched(delta))
    yield f"<details><summary><b>{_plain(delta.dataset)}</b>: {words.rows(delta)} {matched}</summary>"
    yield ""
    if columns:
        yield "| column | type | | before → after | example |" if rows else "| column | type | | before → after |"
        yield "|---|---|---|---|---|" if rows else "|---|---|---|---|"
    for column in columns[:COLUMNS]:
        numbers = "; ".join(f"{what} {a} → {b}" for what, a, b in words.profile(column, delta.before, delta.after))
        numbers = (
            numbers
            if rows
            else "; ".join(
                f"{what} {a} → {b}"
                for what, a, b in words.profile(column, delta.before, delta.after)
                if what not in {"min", "max"}
            )
        )
        told = (words.types(column), words.told(column), numbers)
        line = f"| {_code(column.name)} | {' | '.join(map(_plain, told))} |"
        if rows:
            cells = (
                f"{_key(cell.key)}: {_value(words.brief(cell.before))} → {_value(words.brief(cell.after))}"
                for cell in column.examples[:EXAMPLES]
            )
            line += f" {'<br>'.join(_plain(cell) for cell in cells)} |"
        yield line
    if len(columns) > COLUMNS:
        yield ""
        yield f"and {len(columns) - COLUMNS:,} more columns"
    for note in delta.notes:
        yield ""
        yield f"- {_plain(note)}"
    yield ""
    yield "</details>"


def _key(key: tuple[tuple[str, str | None], ...]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in key)


def _value(value: str | None) -> str:
    return "null" if value is None else value


def _code(text: str) -> str:
    r"""Return text as code, whatever it holds; a table's cell ends at no `|` in it.

    >>> _code("a_b"), _code("a`|b")
    ('`a_b`', "`a'\\|b`")
    """
    return "`" + printable(text).replace("`", "'").replace("|", "\\|") + "`"


def _plain(text: str) -> str:
    r"""Return text that cannot be taken for Markdown or HTML.

    >>> _plain("a|b <i>*x*</i> `y`")
    'a\\|b &lt;i&gt;\\*x\\*&lt;/i&gt; \\`y\\`'
    """
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for char in "|*_`[]":
        text = text.replace(char, f"\\{char}")
    return text
