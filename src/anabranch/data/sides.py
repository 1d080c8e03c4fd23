"""Two datasets side by side in one database, for a comparison: main's and the branch's."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from anabranch.data import contract, disk, stored
from anabranch.data.duck import connect, first_lines
from anabranch.data.objects import mirror
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import duckdb

    from anabranch.model.dataset import DatasetSpec

BEFORE, AFTER = "before", "after"

MEMORY = "768MB"
"""What a comparison takes before it spills to disk."""


@contextmanager
def database(scratch: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """Give a database that spills to a folder, which is gone afterwards."""
    db = connect(scratch)
    db.execute(f"SET memory_limit = '{MEMORY}'")
    db.execute("SET preserve_insertion_order = false")
    try:
        yield db
    finally:
        db.close()
        disk.remove(scratch)


def show(db: duckdb.DuckDBPyConnection, name: str, root: Path, spec: DatasetSpec) -> None:
    """Make a dataset that lies below a root a view of that name.

    Raises:
        StepError: `unreadable-input`.
        FileNotFoundError: it is not there.
    """
    own = replace(spec, bound=None)
    mirror.refresh(root, own)
    location = stored.locate(root, own)
    if not stored.lies(root, own):
        raise FileNotFoundError(location)
    with stored.reading(db, own, location):
        stored.scan(db, root, own).create_view(name, replace=True)


@contextmanager
def telling(
    db: duckdb.DuckDBPyConnection, before: tuple[Path, DatasetSpec], after: tuple[Path, DatasetSpec]
) -> Generator[None]:
    """Turn the system's and DuckDB's errors while two datasets are compared into ours: which of them cannot be read.

    Raises:
        StepError: `unreadable-input`, `missing-input`, `disk-full`.
    """
    import duckdb

    try:
        with disk.told(after[0]):
            yield
    except FileNotFoundError as error:
        message = f"the data of `{after[1].name}` has vanished: {error}"
        raise StepError(message, code="missing-input", hint="run the branch again") from None
    except duckdb.Error as error:
        if "No space left" in str(error):
            message = f"the disk is full, at {after[0]}"
            raise StepError(message, code="disk-full", hint="free some space, then compare again") from None
        for root, spec in (before, after):
            own = replace(spec, bound=None)
            with stored.reading(db, own, stored.locate(root, own)):
                stored.scan(db, root, own).aggregate("count(*)").fetchall()
        said = contract.discreet(after[1], first_lines(error))
        message = f"dataset `{after[1].name}` cannot be compared: {said}"
        raise StepError(message, code="unreadable-input", hint="look at the data of both sides") from None
