"""Datasets listed in files, one row or one entry each, as data teams keep them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from anabranch.frontends.shape import ColumnShape, DatasetShape, RegistryShape
from anabranch.frontends.validate import validate
from anabranch.frontends.yamlfile import Document, read_document
from anabranch.model.columns import Column, canonical_type
from anabranch.model.dataset import DatasetSpec, Format, Ingestion, Reference, Stage
from anabranch.model.errors import Diagnostic, InvalidProject, closest
from anabranch.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIELDS = (
    "name",
    "stage",
    "format",
    "path",
    "columns",
    "primary_key",
    "incremental_field",
    "partition_by",
    "ingestion",
    "references",
    "description",
)
"""The columns of a registry file; lists are separated by `;`. After `:` follow a column's type, and the dataset that
columns refer to."""

_LISTS = {"primary_key", "partition_by"}


def read_registry(root: Path, name: str) -> tuple[DatasetSpec, ...]:
    """Return the datasets that a CSV or YAML file lists.

    Raises:
        InvalidProject: with everything that is wrong in it.
    """
    document = _csv(root, name) if name.endswith(".csv") else read_document(root / name, name)
    return lower_datasets(document, validate(RegistryShape, document).datasets)


def lower_datasets(document: Document, given: dict[str, DatasetShape]) -> tuple[DatasetSpec, ...]:
    """Return datasets of a `datasets:` mapping.

    Raises:
        InvalidProject: `bad-type`, all of them at once.
    """
    pairs = [lower_dataset(name, shape, document, ("datasets", name)) for name, shape in given.items()]
    problems = [problem for _, found in pairs for problem in found]
    if problems:
        raise InvalidProject(problems)
    return tuple(spec for spec, _ in pairs)


def lower_dataset(
    name: str, given: DatasetShape, document: Document, path: tuple[str | int, ...]
) -> tuple[DatasetSpec, tuple[Diagnostic, ...]]:
    """Return a dataset and what is wrong with its columns."""
    problems: list[Diagnostic] = []
    written = given.columns if isinstance(given.columns, dict) else dict.fromkeys(given.columns, "")
    columns: list[Column] = []
    for key, value in written.items():
        shape = value if isinstance(value, ColumnShape) else ColumnShape(type=value)
        kind = ""
        try:
            kind = canonical_type(shape.type) if shape.type else ""
        except ValueError as error:
            hint = "types are string, int64, float64, bool, date, timestamp, decimal(p,s), list<T>, ..."
            place = document.place(*path, "columns", key)
            problems.append(Diagnostic("bad-type", f"dataset `{name}`, column `{key}`: {error}", hint, place))
        columns.append(Column(key, kind, shape.nullable, shape.sensitive, shape.description))
    spec = DatasetSpec(
        name,
        Stage(given.stage),
        Format(given.format),
        given.path,
        tuple(columns),
        tuple(given.primary_key),
        given.incremental_field,
        tuple(given.partition_by),
        Ingestion(given.ingestion),
        references(given.references),
        given.description,
        place=document.place(*path),
    )
    return spec, tuple(problems)


def references(given: Mapping[str, str]) -> tuple[Reference, ...]:
    """Return references from columns, separated by commas, to datasets.

    >>> references({"origin, time_hour": "weather"})
    (Reference(columns=('origin', 'time_hour'), dataset='weather'),)
    """
    return tuple(
        Reference(tuple(part.strip() for part in columns.split(",")), dataset) for columns, dataset in given.items()
    )


def _csv(root: Path, name: str) -> Document:
    """Return a CSV file as the document that the same registry would be in YAML."""
    try:
        text = (root / name).read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}"
        raise InvalidProject(
            [Diagnostic("missing-file", message, "write it, or correct its name", Place(name))]
        ) from None
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: {error.reason}"
        raise InvalidProject([Diagnostic("bad-encoding", message, "save it as UTF-8", Place(name))]) from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    problems = [
        Diagnostic("unknown-key", f"the registry has a column `{each}`", closest(each, FIELDS), Place(name, 1))
        for each in reader.fieldnames or []
        if each not in FIELDS
    ]
    datasets: dict[str, dict[str, object]] = {}
    document = Document(name, {"datasets": datasets})
    for row in reader:
        place = Place(name, reader.line_num)
        given = {key: (value or "").strip() for key, value in row.items() if key in FIELDS}
        dataset = given.pop("name", "")
        if not dataset or None in row:
            message = "this row has no name" if not dataset else "this row has more fields than the first line"
            problems.append(Diagnostic("bad-row", message, "compare it with the first line", place))
            continue
        if dataset in datasets:
            other = document.lines["datasets", dataset]
            message = f"dataset `{dataset}` stands here twice; the other is on line {other}"
            problems.append(Diagnostic("duplicate-key", message, "keep one of them", place))
        document.lines["datasets", dataset] = place.line
        datasets[dataset] = {key: _cell(key, value) for key, value in given.items() if value}
    if problems:
        raise InvalidProject(problems)
    return document


def _cell(field: str, text: str) -> object:
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if field in {"columns", "references"}:
        return {name.strip(): kind.strip() for name, _, kind in (part.partition(":") for part in parts)}
    return parts if field in _LISTS else text
