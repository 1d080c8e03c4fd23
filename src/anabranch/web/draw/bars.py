"""Runs side by side as bars: as high as they took, in the look of how they ended."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from markupsafe import Markup

from anabranch.show.human import plural, seconds
from anabranch.web.render import MARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anabranch.model.summary import Summary, Write

STEP, HIGH = 9, 26
"""Pixels from one small bar to the next, and of the highest."""

WIDE, TALL = 24, 120


def spark(runs: Sequence[Summary], most: int = 25) -> Markup:
    """Return the newest runs, oldest at the left, without links: it stands beside the words that tell the same."""
    shown = list(reversed(runs[:most]))
    longest = max((run.seconds for run in shown), default=0.0) or 1.0
    parts = []
    for i, run in enumerate(shown):
        high = max(4.0, round(HIGH * run.seconds / longest, 1))
        x = i * STEP
        parts.append(
            f'<rect class="bar s-{run.state}" x="{x}" y="{HIGH - high:g}" width="{STEP - 2}" height="{high:g}" rx="1"/>'
        )
        if run.state not in {"succeeded", "running"}:
            parts.append(f'<text class="bar-mark" x="{x + 3.5:g}" y="{HIGH + 9}">{MARKS[run.state]}</text>')
    size = f'width="{most * STEP}" height="{HIGH + 11}" viewBox="0 0 {most * STEP} {HIGH + 11}"'
    return Markup(f'<svg class="spark" {size} aria-hidden="true">{"".join(parts)}</svg>')  # noqa: S704 - numbers and states


def durations(runs: Sequence[Summary], href: Callable[[str], str]) -> Markup:
    """Return how long each run took, oldest at the left; each bar leads to its run, a line marks the median."""
    shown = list(reversed(runs))
    if not shown:
        return Markup("")
    longest = max(run.seconds for run in shown) or 1.0
    usual = median([run.seconds for run in shown if run.ended_at is not None] or [0.0])
    wide = max(len(shown) * WIDE, 240)
    parts: list[Markup] = []
    for i, run in enumerate(shown):
        high = max(4.0, round(TALL * run.seconds / longest, 1))
        parts.append(
            Markup(
                '<a href="{href}" aria-label="run {id}, {state}, {took}"><g class="bar s-{state}">'
                "<title>{id}: {state}, {took}</title>"
                '<rect class="hit" x="{x}" y="0" width="{wide}" height="{all}"/>'
                '<rect x="{x}" y="{y}" width="{thin}" height="{high}" rx="2"/>'
                '<text x="{middle}" y="{below}" text-anchor="middle">{mark}</text></g></a>'
            ).format(
                href=href(run.id),
                id=run.id,
                state=run.state.value,
                took=seconds(run.seconds),
                x=i * WIDE,
                y=f"{TALL - high + 6:g}",
                wide=WIDE,
                thin=WIDE - 6,
                all=TALL + 24,
                high=f"{high:g}",
                middle=i * WIDE + WIDE // 2 - 3,
                below=TALL + 20,
                mark=MARKS[run.state],
            )
        )
    line = TALL + 6 - round(TALL * usual / longest, 1)
    guide = Markup(
        '<path class="guide" d="M0 {y}H{wide}"/><text class="guide-name" x="{right}" y="{above}">median {took}</text>'
    ).format(y=f"{line:g}", wide=wide, right=wide + 6, above=f"{line + 4:g}", took=seconds(usual))
    size = f'width="{wide + 120}" height="{TALL + 26}" viewBox="0 0 {wide + 120} {TALL + 26}"'
    head = Markup(f'<svg class="durations" {size} role="group" aria-label="How long each run took">')  # noqa: S704 - numbers
    return head + guide + Markup("").join(parts) + Markup("</svg>")


def rows_over_time(writes: Sequence[Write], href: Callable[[str], str]) -> Markup:
    """Return how many rows a dataset had, oldest at the left; each bar leads to the run that wrote it."""
    shown = [each for each in reversed(writes) if each.rows is not None]
    if not shown:
        return Markup("")
    most = max(each.rows or 0 for each in shown) or 1
    parts: list[Markup] = []
    for i, each in enumerate(shown):
        high = max(2.0, round(TALL / 2 * (each.rows or 0) / most, 1))
        parts.append(
            Markup(
                '<a href="{href}" aria-label="{rows} by run {run}"><g class="bar s-running"><title>{rows} by run {run}'
                '</title><rect class="hit" x="{x}" y="0" width="{wide}" height="{all}"/>'
                '<rect x="{x}" y="{y}" width="{thin}" height="{high}" rx="2"/></g></a>'
            ).format(
                href=href(each.run),
                rows=plural(each.rows or 0, "row"),
                run=each.run,
                x=i * WIDE,
                wide=WIDE,
                thin=WIDE - 6,
                all=TALL // 2 + 4,
                y=f"{TALL / 2 - high + 2:g}",
                high=f"{high:g}",
            )
        )
    wide, tall = max(len(shown) * WIDE, 240), TALL // 2 + 6
    size = f'width="{wide}" height="{tall}" viewBox="0 0 {wide} {tall}"'
    head = Markup(f'<svg class="durations" {size} role="group" aria-label="How many rows it had">')  # noqa: S704 - numbers
    return head + Markup("").join(parts) + Markup("</svg>")
