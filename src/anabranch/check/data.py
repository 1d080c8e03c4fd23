"""Rules about datasets: that they exist, who writes them, where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.dataset import Format, Ingestion
from anabranch.model.errors import Diagnostic, closest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.check.subject import Subject
    from anabranch.model.pipeline import DatasetOutput, Pipeline, Step

OURS = frozenset({"_anabranch", "_branches"})
"""Folders below the storage root that are not for datasets."""


def known_datasets(subject: Subject) -> list[Diagnostic]:
    """Every dataset that a step names is one of the registry."""
    known = subject.pipeline.dataset_by_name
    return [
        Diagnostic(
            "unknown-dataset",
            f"step `{step.id}` {verb} `{port.dataset}`, and no dataset is named so",
            closest(port.dataset, subject.registry.union(known)),
            port.place or step.place,
        )
        for step in subject.pipeline.steps
        for verb, ports in (("reads", step.reads), ("writes", step.outputs))
        for port in ports
        if port.dataset not in known
    ]


def one_writer(subject: Subject) -> list[Diagnostic]:
    """Each dataset is written by one step."""
    return _writers([subject.pipeline])


def one_writer_in_all(pipelines: Sequence[Pipeline]) -> list[Diagnostic]:
    """Each dataset is written by one pipeline of the project; steps that a pipeline includes are its own copies."""
    found: list[Diagnostic] = []
    writers: dict[str, tuple[Pipeline, Step, DatasetOutput]] = {}
    for pipeline in pipelines:
        for step in pipeline.steps:
            for port in step.outputs:
                first, other, _ = writers.setdefault(port.dataset, (pipeline, step, port))
                if first is not pipeline and not _same(step, other):
                    message = (
                        f"dataset `{port.dataset}` is written by `{step.id}` of pipeline `{pipeline.name}` "
                        f"and by `{other.id}` of pipeline `{first.name}`"
                    )
                    hint = f"let one of them write another dataset (the other is at {other.place})"
                    found.append(Diagnostic("two-writers", message, hint, port.place or step.place))
    return found


def _same(step: Step, other: Step) -> bool:
    return step.call == other.call and step.outputs == other.outputs


def _writers(pipelines: Sequence[Pipeline]) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for pipeline in pipelines:
        writers: dict[str, Step] = {}
        for step in pipeline.steps:
            for port in step.outputs:
                other = writers.setdefault(port.dataset, step)
                if other is not step:
                    message = f"dataset `{port.dataset}` is written by `{step.id}` and by `{other.id}`"
                    hint = f"let one of them write another dataset (the other is at {other.place})"
                    found.append(Diagnostic("two-writers", message, hint, port.place or step.place))
    return found


def own_locations(subject: Subject) -> list[Diagnostic]:
    """Each dataset lies below the storage root, in a place of its own."""
    found: list[Diagnostic] = []
    taken: dict[str, str] = {}
    for spec in subject.pipeline.datasets:
        path = "/".join(part for part in spec.location.replace("\\", "/").split("/") if part != ".")
        parts = path.split("/")
        if path.startswith("/") or ".." in parts or ":" in parts[0] or parts[0] in {*OURS, ""}:
            message = f"dataset `{spec.name}` lies at `{spec.location}`, outside of the storage"
            hint = "write a path relative to the storage root, without `..`"
            found.append(Diagnostic("path-escape", message, hint, spec.place))
            continue
        if path in taken:
            message = f"datasets `{spec.name}` and `{taken[path]}` both lie at `{path}`"
            found.append(Diagnostic("same-location", message, "give one of them another path", spec.place))
        taken[path] = spec.name
    for path, name in taken.items():
        parent = path
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in taken:
                place = subject.pipeline.dataset_by_name[name].place
                message = f"dataset `{name}` lies inside dataset `{taken[parent]}`"
                found.append(Diagnostic("same-location", message, "give one of them another path", place))
    return found


def incremental_fields(subject: Subject) -> list[Diagnostic]:
    """An incremental dataset says by which column new rows are known."""
    return [
        Diagnostic(
            "no-incremental-field",
            f"dataset `{spec.name}` is incremental, but names no incremental_field",
            "incremental_field: the column that grows with each new row",
            spec.place,
        )
        for spec in subject.pipeline.datasets
        if spec.ingestion is Ingestion.INCREMENTAL and not spec.incremental_field
    ]


def known_references(subject: Subject) -> list[Diagnostic]:
    """A reference names a dataset, by as many columns as its primary key has."""
    known = subject.pipeline.dataset_by_name
    found: list[Diagnostic] = []
    for spec in subject.pipeline.datasets:
        for reference in spec.references:
            other, name = known.get(reference.dataset), reference.dataset
            shown = ", ".join(reference.columns)
            if other is None and name not in subject.registry:
                message = f"dataset `{spec.name}`: ({shown}) refers to `{name}`, and no dataset is named so"
                hint = closest(name, subject.registry.union(known))
                found.append(Diagnostic("unknown-dataset", message, hint, spec.place))
            elif other is not None and len(other.primary_key) != len(reference.columns):
                key = ", ".join(other.primary_key)
                message = f"dataset `{spec.name}`: ({shown}) refers to `{name}`, whose primary key is ({key})"
                found.append(Diagnostic("bad-reference", message, "name as many columns, in its order", spec.place))
    return found


def stored_formats(subject: Subject) -> list[Diagnostic]:
    """The storage can hold the format."""
    return [
        Diagnostic(
            "unsupported-format",
            f"dataset `{spec.name}` is an Iceberg table, whose catalogue cannot be kept in an object store",
            "format: delta, or parquet",
            spec.place,
        )
        for spec in subject.pipeline.datasets
        if subject.remote and spec.format is Format.ICEBERG
    ]
