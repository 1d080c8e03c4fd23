"""The grid of a pipeline's steps by its runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from anabranch.web.render import MARKS

if TYPE_CHECKING:
    from collections.abc import Sequence


def grid(steps: Sequence[str], runs: Sequence[str], states: Sequence[Sequence[str | None]]) -> Markup:
    """Return the rows of a table: a header for each step, a cell for each run.

    Args:
        steps: names, one for each row.
        runs: ids, one for each column.
        states: for each run the state of each step; None where it had no such step.

    >>> str(grid(["a"], ["r"], [[None]]))
    '<tr><th scope="row">a</th><td></td></tr>'
    """
    looks = [{state: _cell(run, state) for state in {*column}} for run, column in zip(runs, states, strict=True)]
    columns = [[look[state] for state in column] for look, column in zip(looks, states, strict=True)]
    rows = zip(*columns, strict=True) if columns else [()] * len(steps)
    lines = (
        f'<tr><th scope="row">{escape(step if len(step) <= 40 else step[:39] + "…")}</th>{"".join(cells)}</tr>'  # noqa: PLR2004 - characters
        for step, cells in zip(steps, rows, strict=True)
    )
    return Markup("\n".join(lines))  # noqa: S704 - names are escaped, the rest is ours


def _cell(run: str, state: str | None) -> str:
    if state is None:
        return "<td></td>"
    title = f"{escape(run)}: {state}"
    mark = f'<span aria-hidden="true">{MARKS[state]}</span><span class="hidden">{state}</span>'
    return f'<td><span class="cell s-{state}" title="{title}">{mark}</span></td>'
