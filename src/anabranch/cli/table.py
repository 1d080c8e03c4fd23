"""Aligned columns, without a library: widths by what the cells hold, never wrapped, no trailing blanks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.cli.terminal import Terminal
from anabranch.show.text import printable, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GAP = "  "


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell in a style."""

    text: str
    styles: tuple[str, ...] = ()


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    *,
    right: Iterable[int] = (),
    terminal: Terminal | None = None,
    indent: str = "",
) -> Iterator[str]:
    r"""Yield the lines of a table. Columns in which every cell is empty are left out.

    Args:
        headers: the columns' names; all empty for no header line.
        rows: cells, as many in each row as there are headers.
        right: numbers of the columns to align to the right.
        terminal: where it will be shown.
        indent: what every line starts with.

    >>> print("\n".join(table(["step", "rows"], [["clean", "336,776"], ["sum", "16"]], right=[1])))
    step      rows
    clean  336,776
    sum         16
    """
    out = terminal or Terminal()
    cells = [[_cell(value) for value in row] for row in rows]
    used = [i for i in range(len(headers)) if any(row[i].text for row in cells)]
    widths = {i: max(width(headers[i]), *(width(row[i].text) for row in cells)) for i in used}
    to_right = set(right)

    def line(row: Sequence[Cell]) -> str:
        parts: list[str] = []
        for i in used:
            blank = " " * (widths[i] - width(row[i].text))
            text = out.paint(row[i].text, *row[i].styles)
            parts.append(blank + text if i in to_right else text + blank)
        return (indent + GAP.join(parts)).rstrip()

    if cells and any(headers):
        yield line([Cell(name, ("dim",)) for name in headers])
    for row in cells:
        yield line(row)


def _cell(value: str | Cell) -> Cell:
    cell = Cell(value) if isinstance(value, str) else value
    return cell if cell.text.isprintable() else Cell(printable(cell.text), cell.styles)
