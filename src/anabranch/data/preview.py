"""Some rows of a published dataset, for people; values that are sensitive are not read out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anabranch.data import stored
from anabranch.data.duck import connect, quote, schema
from anabranch.data.objects import mirror
from anabranch.model.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.model.dataset import DatasetSpec

LONGEST = 200
"""Characters of one value that are shown."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a dataset as text; None is null. `hidden` are sensitive columns: theirs are left out."""

    location: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str | None, ...], ...]
    hidden: tuple[str, ...] = ()


def preview(storage: Path, spec: DatasetSpec, limit: int) -> Preview:
    """Look at the first rows of a dataset.

    Raises:
        NotFoundError: `no-data`, nothing lies there.
        StepError: `unreadable-input`.
    """
    mirror.refresh(storage, spec)
    location = stored.place(storage, spec)
    if not stored.exists(storage, spec):
        message = f"dataset `{spec.name}` is not at {location}"
        raise NotFoundError(message, code="no-data", hint="run the pipeline that writes it")
    hidden = {column.name for column in spec.columns if column.sensitive}
    db = connect()
    try:
        relation = stored.scan(db, storage, spec)
        columns = tuple(schema(relation).items())
        shown = ", ".join(
            "NULL" if name in hidden else f"left(CAST({quote(name)} AS VARCHAR), {LONGEST + 1})" for name, _ in columns
        )
        with stored.reading(db, spec, location):
            rows: list[tuple[Any, ...]] = relation.project(shown).limit(limit).fetchall()
        cut = tuple(tuple(_cut(value) for value in row) for row in rows)
        return Preview(str(location), columns, cut, tuple(sorted(hidden & {name for name, _ in columns})))
    finally:
        db.close()


def _cut(value: str | None) -> str | None:
    return value if value is None or len(value) <= LONGEST else f"{value[:LONGEST]}…"
