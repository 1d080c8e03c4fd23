"""Datasets: named data at a location below a storage root, and the contract that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anabranch.model.columns import Column
    from anabranch.model.place import Place


class Stage(StrEnum):
    """How far data has come: as received, cleaned, or for its readers."""

    RAW = "raw"
    CLEANED = "cleaned"
    FINAL = "final"


class Format(StrEnum):
    """How a dataset is stored."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    DELTA = "delta"
    ICEBERG = "iceberg"

    @property
    def suffix(self) -> str:
        """The suffix of the default location; table formats are folders and have none.

        >>> Format.JSONL.suffix, Format.DELTA.suffix
        ('.jsonl', '')
        """
        return "" if self in {Format.DELTA, Format.ICEBERG} else f".{self.value}"


class Ingestion(StrEnum):
    """Whether readers get a dataset whole, or only rows past the last committed value of its `incremental_field`."""

    FULL = "full"
    INCREMENTAL = "incremental"


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns whose values are the primary key of a row of another dataset."""

    columns: tuple[str, ...]
    dataset: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Which rows of a dataset a branch sees: those whose key hashes into the first `share` (0 to 1) of all hashes.

    With `parent`, a row is kept when `columns` name a row of the parent that is kept, so that joins still meet.
    """

    share: float
    columns: tuple[str, ...]
    parent: DatasetSpec | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a branch finds a dataset that it has not written itself: below another storage root, read only.

    `version` pins what is read; empty where the data has none.
    """

    root: str
    version: str = ""
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One dataset of the registry.

    `path` is relative to the storage root; empty means `{stage}/{name}{suffix}`.
    `columns` are promises: further columns are allowed. Empty means that nothing is promised.
    A step that reads an *incremental* dataset gets the rows past the last value that it committed, and its outputs
    grow (upsert on `primary_key`, append without one) instead of being replaced.
    """

    name: str
    stage: Stage = Stage.RAW
    format: Format = Format.PARQUET
    path: str = ""
    columns: tuple[Column, ...] = ()
    primary_key: tuple[str, ...] = ()
    incremental_field: str = ""
    partition_by: tuple[str, ...] = ()
    ingestion: Ingestion = Ingestion.FULL
    references: tuple[Reference, ...] = ()
    description: str = ""
    bound: Bound | None = None
    """Set in a branch; None means that it lies below the run's own storage."""
    place: Place | None = field(default=None, compare=False)

    @property
    def location(self) -> str:
        """Where it lies, relative to a storage root, with `/` as separator."""
        return self.path or f"{self.stage}/{self.name}{self.format.suffix}"

    def column(self, name: str) -> Column | None:
        """Return the promised column of that name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)
