"""What differs between two runs of the same code on the same inputs is noise, and no effect of a change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from anabranch.model.delta import Status, Verdict

if TYPE_CHECKING:
    from anabranch.model.delta import DatasetDelta


def with_noise(delta: DatasetDelta, noise: DatasetDelta) -> DatasetDelta:
    """Return a delta with what is noise in it marked as such.

    Args:
        delta: how the branch differs from main's code.
        noise: how main's code differs from itself, run twice on the same inputs.
    """
    noisy = {column.name for column in noise.columns if column.status is Status.CHANGED}
    noisy_rows = bool(noise.added or noise.removed)
    if not (noisy or noisy_rows):
        return delta
    columns = tuple(
        replace(column, status=Status.NOISE) if column.status is Status.CHANGED and column.name in noisy else column
        for column in delta.columns
    )
    told = f"columns {', '.join(sorted(noisy))}" if noisy else ""
    told += " and " if noisy and noisy_rows else ""
    told += "rows added and removed" if noisy_rows else ""
    note = f"noise: {told} differ also between two runs of main's code on the same inputs"
    marked = replace(delta, columns=columns, noisy_rows=noisy_rows, notes=(*delta.notes, note))
    calm = {Status.KEY, Status.SAME, Status.NOISE}
    quiet = all(column.status in calm and not (column.retyped or column.why) for column in columns)
    rows_quiet = noisy_rows or not (delta.added or delta.removed)
    if delta.verdict is Verdict.CHANGED and quiet and rows_quiet:
        return replace(marked, verdict=Verdict.NOISE)
    return marked
