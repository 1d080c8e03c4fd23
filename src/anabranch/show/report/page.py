"""Deltas as one HTML file: no script, no request, light and dark, below a megabyte."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from anabranch.model.delta import Verdict
from anabranch.show.graph.picture import Shape, draw
from anabranch.show.graph.svg import svg
from anabranch.show.human import clock
from anabranch.show.report import words
from anabranch.show.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anabranch.model.delta import ColumnDelta, DatasetDelta, Report, Row
    from anabranch.model.pipeline import Pipeline
    from anabranch.show.graph.picture import Node, Picture

DATASETS = 200
"""Datasets with details on one page; of further ones only the verdict is told."""

WIDE = 40
"""Columns of an example row."""

STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--dim:#5c6776;--paper:#fff;--card:#f7f8fa;--line:#dfe3ea;
--same:#17703a;--changed:#b3400f;--noise:#6036b0;--unsure:#8a6206}
@media(prefers-color-scheme:dark){:root{--ink:#e8edf4;--dim:#9aa6b6;--paper:#11161d;--card:#1a212b;--line:#2d3746;
--same:#6fcf8b;--changed:#ff9b6b;--noise:#b99cff;--unsure:#e8bf5a}}
*{box-sizing:border-box}body{margin:0 auto;max-width:76rem;padding:1.5rem 1rem 4rem;background:var(--paper);
color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
code,.v,td.n,th.n{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.87em}
.dim{color:var(--dim)}.banner{border:1px solid var(--unsure);border-left-width:5px;border-radius:6px;
padding:.5rem .8rem;margin:.8rem 0}
table{border-collapse:collapse;width:100%;font-size:.92em}th{text-align:left;font-weight:600;color:var(--dim)}
th,td{padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}
.wrap{overflow-x:auto}.tag{font-weight:650}.same{color:var(--same)}.changed{color:var(--changed)}.noise{color:var(--noise)}
.unsure{color:var(--unsure)}
details{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:.6rem 0;padding:.2rem .9rem}
summary{cursor:pointer;padding:.45rem 0;font-weight:600}summary .dim{font-weight:400}
.graph svg{max-width:100%;height:auto}
.graph{overflow-x:auto;border:1px solid var(--line);border-radius:8px;padding:.4rem}
.examples{margin:.15rem 0 .5rem;padding:0;list-style:none}.examples li{margin:.1rem 0}
del{color:var(--changed);text-decoration:none}ins{color:var(--same);text-decoration:none}
.bars{display:block;margin:.2rem 0}.bars .a{fill:var(--dim);opacity:.55}.bars .b{fill:var(--changed)}
a{color:inherit}
"""


def page(report: Report, pipeline: Pipeline) -> str:
    """Return the page.

    Args:
        report: the deltas.
        pipeline: the whole pipeline, for the graph.
    """
    title = f"Deltas of {report.branch} ({report.pipeline})"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{_(title)}</title><style>{STYLE}</style></head><body>",
            *_head(report),
            f'<div class="graph">{svg(coloured(draw(pipeline), report))}</div>',
            "<h2>Datasets</h2>",
            *sections(report),
            *_steps(report),
            "</body></html>\n",
        ]
    )


def sections(report: Report) -> Iterator[str]:
    """Yield what is to be said of the datasets as HTML, for a page that has a style of its own."""
    yield from _overview(report)
    yield from (line for delta in report.datasets[:DATASETS] for line in _dataset(delta))


def coloured(picture: Picture, report: Report) -> Picture:
    """Return the picture with each dataset in the colour of its verdict, and what was not run in grey."""
    tones = {delta.dataset: words.TONE[delta.verdict] for delta in report.datasets}
    redone = {step.id for step in report.steps if step.role not in {"reused", "skipped"}}

    def toned(node: Node) -> Node:
        name = node.id.partition(":")[2]
        if node.shape is Shape.DATASET:
            return replace(node, tone=tones.get(name, "reused"))
        return node if name in redone or node.shape is Shape.GROUP else replace(node, tone="reused")

    return replace(picture, nodes=tuple(toned(node) for node in picture.nodes))


def _head(report: Report) -> Iterator[str]:
    yield f"<h1>{_(report.branch)}: {_(words.headline(report))}</h1>"
    base = f", beside main's run {_(report.base_run)}" if report.base_run else ""
    yield f'<p class="dim">{_(report.pipeline)}{_(words.run_of(report))}{base}, {_(clock(report.at))}</p>'
    for name in report.stale:
        yield _banner(f"STALE: main's {name} has moved on since the branch read it: branch run --rebase")
    for name in report.floating:
        yield _banner(f"FLOATING: {name} has no version, so it may have changed in between")
    if report.sample:
        kept = "; ".join(f"{name}: {how}" for name, how in report.sampled)
        yield _banner(f"On a sample of main ({report.sample}), and so is what it is compared with. {kept}")
    yield from map(_banner, report.notes)
    yield from (_banner(f"CONTRACT: {breach}") for breach in report.breaches)


def _banner(text: str) -> str:
    return f'<p class="banner">{_(text)}</p>'


def _overview(report: Report) -> Iterator[str]:
    bases = {each.dataset: words.basis(each) for each in report.bases}
    yield '<div class="wrap"><table><thead><tr><th>dataset<th>verdict<th class="n">rows<th class="n">changed'
    yield '<th class="n">added<th class="n">removed<th>compared with</tr></thead><tbody>'
    for delta in report.datasets:
        tone = words.TONE[delta.verdict]
        count = f"{delta.before:,} → {delta.after:,}" if delta.before != delta.after else f"{delta.after:,}"
        counts = (delta.changed, delta.added, delta.removed)
        numbers = "".join(f'<td class="n">{n:,}' if n else '<td class="n dim">0' for n in counts)
        yield (
            f'<tr><td><a href="#{_(delta.dataset)}"><code>{_(delta.dataset)}</code></a>'
            f'<td class="tag {tone}">{delta.verdict.value}<td class="n">{count}{numbers}'
            f'<td class="dim">{_(bases.get(delta.dataset, ""))}'
        )
    yield "</tbody></table></div>"


def _dataset(delta: DatasetDelta) -> Iterator[str]:
    tone = words.TONE[delta.verdict]
    opened = " open" if delta.differs else ""
    yield f'<details id="{_(delta.dataset)}"{opened}><summary><code>{_(delta.dataset)}</code> '
    yield f'<span class="{tone}">{delta.verdict.value}</span> '
    yield f'<span class="dim">{_(words.rows(delta))} {_(words.matched(delta))}</span></summary>'
    yield from map(_banner, delta.notes)
    if delta.contract:
        yield f'<p class="dim">contract {_(delta.contract)}</p>'
    columns = words.interesting(delta)
    if columns:
        heads = "".join(f"<th>{name}" for name in ("column", "type", "", "main → branch", "spread"))
        yield f'<div class="wrap"><table><thead><tr>{heads}</tr></thead><tbody>'
        for column in columns[: words.SHOWN]:
            yield from _column(column, delta)
        yield "</tbody></table></div>"
    if len(columns) > words.SHOWN:
        yield f'<p class="dim">and {len(columns) - words.SHOWN:,} more columns</p>'
    yield from _rows("added", "ins", delta.added_rows)
    yield from _rows("removed", "del", delta.removed_rows)
    if delta.verdict in {Verdict.IDENTICAL, Verdict.EQUAL}:
        same = (
            "the same bytes" if delta.verdict is Verdict.IDENTICAL else "the same rows, in other files or another order"
        )
        yield f'<p class="dim">{same}</p>'
    yield "</details>"


def _column(column: ColumnDelta, delta: DatasetDelta) -> Iterator[str]:
    tone = {"unknown": "unsure", "noise": "noise", "same": "same"}.get(column.status.value, "changed")
    numbers = "<br>".join(
        f'<span class="dim">{_(what)}</span> <span class="v">{_(a)} → {_(b)}</span>'
        for what, a, b in words.profile(column, delta.before, delta.after)
    )
    examples = "".join(
        f'<li><span class="dim v">{_key(cell.key)}</span> <del class="v">{_value(words.brief(cell.before))}</del> → '
        f'<ins class="v">{_value(words.brief(cell.after))}</ins></li>'
        for cell in column.examples
    )
    listed = f'<ul class="examples">{examples}</ul>' if examples else ""
    yield (
        f'<tr><td><code>{_(column.name)}</code><td class="v">{_(words.types(column))}'
        f'<td><span class="{tone}">{_(words.told(column))}</span>{listed}<td>{numbers}<td>{_bars(column)}'
    )


def _bars(column: ColumnDelta) -> str:
    """Return a column's histogram: main's behind, the branch's before it."""
    most = max((max(bucket.before, bucket.after) for bucket in column.histogram), default=0)
    if not most:
        return ""
    bars = []
    for i, bucket in enumerate(column.histogram):
        for look, rows, x, wide in (("a", bucket.before, 0, 11), ("b", bucket.after, 4, 4)):
            high = round(34 * rows / most, 1)
            if rows:
                bars.append(
                    f'<rect class="{look}" x="{i * 12 + x}" y="{36 - high:g}" width="{wide}" height="{high:g}"/>'
                )
    label = "rows by value, main behind the branch"
    size = f'class="bars" width="120" height="37" role="img" aria-label="{label}"'
    return f"<svg {size}><title>{label}</title>{''.join(bars)}</svg>"


def _rows(what: str, tag: str, rows: Iterable[Row]) -> Iterator[str]:
    some = list(rows)
    if some:
        yield f'<p class="dim">some of the rows {what}:</p><ul class="examples">'
        for row in some:
            text = ", ".join(f"{_(name)}={_value(value)}" for name, value in row[:WIDE])
            yield f'<li class="v"><{tag}>{text}{", …" if len(row) > WIDE else ""}</{tag}></li>'
        yield "</ul>"


def _steps(report: Report) -> Iterator[str]:
    redone = [step for step in report.steps if step.role != "reused"]
    yield "<h2>Steps</h2>"
    yield f'<p class="dim">{len(redone):,} of {len(report.steps):,} were run or left out; the others are main\'s.</p>'
    yield '<div class="wrap"><table><tbody>'
    for step in redone[:1000]:
        yield f'<tr><td><code>{_(step.id)}</code><td>{_(step.role)}<td class="dim">{_("; ".join(step.why))}'
    yield "</tbody></table></div>"


def _key(key: tuple[tuple[str, str | None], ...]) -> str:
    return ", ".join(f"{_(name)}={_value(value)}" for name, value in key)


def _value(value: str | None) -> str:
    return "<i>null</i>" if value is None else _(value)


def _(text: str) -> str:
    """Return text for HTML: whatever it holds, it is only shown."""
    return escape(printable(text), quote=True)
