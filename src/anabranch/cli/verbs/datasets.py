"""`anabranch datasets list|show`: the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import Face, verb
from anabranch.cli.table import Cell, table
from anabranch.model.errors import NotFoundError, closest
from anabranch.show import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app import Project
    from anabranch.model.dataset import DatasetSpec

STAGE_COLOURS = {"raw": "yellow", "cleaned": "cyan", "final": "green"}


@click.group("datasets", short_help="List the registry, or show one dataset.")
def datasets_command() -> None:
    """List the registry, or show one dataset."""


@datasets_command.command("list")
@verb("datasets list")
def list_command(face: Face) -> None:
    """List the project's datasets, raw ones first."""
    project = face.project()
    stages = list(STAGE_COLOURS)
    found = sorted(project.datasets.values(), key=lambda item: (stages.index(item.stage), item.name))

    def lines() -> Iterator[str]:
        rows = [
            [
                Cell(item.name, ("bold",)),
                Cell(item.stage.value, (STAGE_COLOURS[item.stage],)),
                item.format.value,
                str(len(item.columns)) if item.columns else "",
                ", ".join(item.primary_key),
                item.incremental_field,
                Cell(item.location, ("dim",)),
            ]
            for item in found
        ]
        headers = ("dataset", "stage", "format", "columns", "key", "incremental", "location")
        yield from table(headers, rows, right=[3], terminal=face.out)

    face.result({"datasets": [shapes.dataset(item) for item in found]}, lines)


@datasets_command.command("show")
@click.argument("name")
@verb("datasets show")
def show_command(face: Face, name: str) -> None:
    """Show the dataset NAME: where it lies, what it promises, who writes and reads it."""
    project = face.project()
    if name not in project.datasets:
        raise NotFoundError(f"no dataset `{name}`", code="unknown-dataset", hint=closest(name, project.datasets))
    item = project.datasets[name]
    writers, readers = ports_of(project, name)
    face.result(
        {"dataset": shapes.dataset(item), "written_by": writers, "read_by": readers},
        lambda: _lines(face, project, item, writers, readers),
    )


def ports_of(project: Project, name: str) -> tuple[list[str], list[str]]:
    """Return who writes and who reads a dataset, as `pipeline/step`."""
    steps = [(pipeline, step) for pipeline in project.pipelines.values() for step in pipeline.steps]
    writers = [f"{pipe.name}/{step.id}" for pipe, step in steps if any(port.dataset == name for port in step.outputs)]
    readers = [f"{pipe.name}/{step.id}" for pipe, step in steps if any(port.dataset == name for port in step.reads)]
    return writers, readers


def _lines(face: Face, project: Project, item: DatasetSpec, writers: list[str], readers: list[str]) -> Iterator[str]:
    out = face.out
    stage = out.paint(item.stage.value, STAGE_COLOURS[item.stage])
    yield f"{out.paint(item.name, 'bold')}  {stage}  {item.format.value}"
    if item.description:
        yield item.description
    location = face.near(project.location(item))
    facts = [
        ("location", location),
        ("key", ", ".join(item.primary_key)),
        ("ingestion", item.ingestion.value + (f" by {item.incremental_field}" if item.incremental_field else "")),
        ("partitions", ", ".join(item.partition_by)),
        ("written by", ", ".join(writers) or "nobody here"),
        ("read by", ", ".join(readers) or "nobody here"),
        ("defined in", face.near(str(item.place)) if item.place else ""),
    ]
    yield from table(("", ""), [(Cell(label, ("dim",)), text) for label, text in facts if text])
    if item.columns:
        yield ""
        rows = [
            (
                column.name,
                column.type or "any",
                "" if column.nullable else "not null",
                "sensitive" if column.sensitive else "",
                column.description,
            )
            for column in item.columns
        ]
        yield from table(("column", "type", "", "", "description"), rows, terminal=out)
