"""`Dataset`, as Python code writes it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from anabranch.frontends.shorthand import NAME, NAME_HINT
from anabranch.model.columns import Column, canonical_type
from anabranch.model.dataset import DatasetSpec, Format, Ingestion, Reference, Stage
from anabranch.model.errors import Diagnostic, InvalidProject, closest
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Rows
from anabranch.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

E = TypeVar("E", bound=StrEnum)

Columns: TypeAlias = "Mapping[str, str | Column] | Iterable[str | Column]"
"""Promised columns: names with types, or only names."""


class Dataset:
    """Named data at a location below the storage root, and the contract that it keeps.

    Args:
        name: unique in the project.
        stage: raw, cleaned or final.
        format: csv, jsonl, parquet, delta or iceberg.
        path: relative to the storage root; by default `{stage}/{name}` with the format's suffix.
        columns: what is promised: `{"carrier": "string"}`, or only names. Further columns are allowed.
        primary_key: columns that are never null and together unique.
        incremental_field: the column by whose value new rows are known.
        partition_by: columns that become folders.
        ingestion: full, or incremental: steps that read it are handed only rows past the last committed value.
        references: columns whose values are the primary key of another dataset: `{"carrier": "carriers"}`, with
            several columns `{("origin", "time_hour"): "weather"}`. Samples follow them.
        description: for people.

    Raises:
        InvalidProject: `bad-name`, `bad-dataset`, with the place of the call.
    """

    def __init__(  # noqa: PLR0913 - the registry's fields, all of them by name
        self,
        name: str,
        *,
        stage: str = "raw",
        format: str = "parquet",  # noqa: A002 - the noun of the field
        path: str | None = None,
        columns: Columns = (),
        primary_key: Iterable[str] = (),
        incremental_field: str = "",
        partition_by: Iterable[str] = (),
        ingestion: str = "full",
        references: Mapping[str | tuple[str, ...], str | Dataset] | None = None,
        description: str = "",
    ) -> None:
        """Describe the dataset; nothing is read."""
        place = caller()
        need_name(name, "dataset", place)
        self.spec = DatasetSpec(
            name,
            _member(Stage, stage, name, place),
            _member(Format, format, name, place),
            path or "",
            _columns(columns, name, place),
            _names(primary_key),
            incremental_field,
            _names(partition_by),
            _member(Ingestion, ingestion, name, place),
            _references(references or {}),
            description,
            place=place,
        )

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.spec.name

    def all(self) -> Read:
        """Read every row, even of an incremental dataset."""
        return Read(self).all()

    def needs(self, *columns: str) -> Read:
        """Read it, and say which columns the step cannot do without, so that `check` can compare promises."""
        return Read(self).needs(*columns)

    def __repr__(self) -> str:
        """Show the name and where it lies."""
        return f"Dataset({self.name!r}, {self.spec.location!r})"


class Read:
    """How a step reads a dataset, where that differs from the default."""

    def __init__(self, dataset: Dataset | str, port: DatasetInput | None = None) -> None:
        """Read the dataset as the port says."""
        self.dataset = dataset
        name = dataset if isinstance(dataset, str) else dataset.name
        self.port = port or DatasetInput(name, name)

    def all(self) -> Read:
        """Read every row, even of an incremental dataset."""
        return Read(self.dataset, replace(self.port, rows=Rows.ALL))

    def needs(self, *columns: str) -> Read:
        """Say which columns the step cannot do without."""
        return Read(self.dataset, replace(self.port, columns=columns))


One: TypeAlias = "Dataset | Read | str"
Reads: TypeAlias = "One | Iterable[One] | Mapping[str, One]"
"""One dataset or several, by themselves or by port."""


def read_ports(reads: Reads, place: Place) -> tuple[tuple[DatasetInput, ...], tuple[DatasetSpec, ...]]:
    """Return the input ports, and the datasets that were given as such and not by name."""
    pairs = [(port, each if isinstance(each, Read) else Read(each)) for port, each in _pairs(reads)]
    ports = tuple(replace(read.port, name=port or read.port.name, place=place) for port, read in pairs)
    return ports, tuple(read.dataset.spec for _, read in pairs if isinstance(read.dataset, Dataset))


def write_ports(writes: Reads, place: Place) -> tuple[tuple[DatasetOutput, ...], tuple[DatasetSpec, ...]]:
    """Return the output ports, and the datasets that were given as such and not by name."""
    ports: list[DatasetOutput] = []
    specs: list[DatasetSpec] = []
    for port, each in _pairs(writes):
        target = each.dataset if isinstance(each, Read) else each
        name = target if isinstance(target, str) else target.name
        ports.append(DatasetOutput(port or name, name, place))
        if isinstance(target, Dataset):
            specs.append(target.spec)
    return tuple(ports), tuple(specs)


def _pairs(given: Reads) -> list[tuple[str, One]]:
    if isinstance(given, Dataset | Read | str):
        return [("", given)]
    if isinstance(given, Mapping):
        return list(cast("Mapping[str, One]", given).items())
    return [("", each) for each in given]


def caller() -> Place:
    """Return the place outside of anabranch that is running now."""
    frame = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - inspect.stack reads source files
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("anabranch."):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


def need_name(name: str, what: str, place: Place) -> None:
    """Refuse what is not a name in a spec, either.

    Args:
        name: as it was written.
        what: it is to be the name of.
        place: where.

    Raises:
        InvalidProject: `bad-name`.
    """
    if not re.fullmatch(NAME, name):
        raise problem("bad-name", f"`{name}` is not a name of a {what}", NAME_HINT, place)


def problem(code: str, message: str, hint: str, place: Place) -> InvalidProject:
    """Return an error with one diagnostic."""
    return InvalidProject([Diagnostic(code, message, hint, place)])


def _member(kind: type[E], text: str, name: str, place: Place) -> E:
    try:
        return kind(text)
    except ValueError:
        message = f"dataset `{name}`: `{text}` is not a {kind.__name__.lower()}"
        raise problem("bad-dataset", message, closest(text, [member.value for member in kind]), place) from None


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _references(given: Mapping[str | tuple[str, ...], str | Dataset]) -> tuple[Reference, ...]:
    return tuple(
        Reference(_names(columns), other.name if isinstance(other, Dataset) else other)
        for columns, other in given.items()
    )


def _columns(given: Columns, name: str, place: Place) -> tuple[Column, ...]:
    pairs: list[tuple[str, str | Column]]
    if isinstance(given, Mapping):
        pairs = list(cast("Mapping[str, str | Column]", given).items())
    else:
        pairs = [(each.name, each) if isinstance(each, Column) else (each, "") for each in given]
    found: list[Column] = []
    for key, value in pairs:
        column = replace(value, name=key) if isinstance(value, Column) else Column(key, value)
        try:
            kind = canonical_type(column.type) if column.type else ""
        except ValueError as error:
            hint = "types are string, int64, float64, bool, date, timestamp, decimal(p,s), list<T>, ..."
            raise problem("bad-dataset", f"dataset `{name}`, column `{column.name}`: {error}", hint, place) from error
        found.append(replace(column, type=kind))
    return tuple(found)
