"""`anabranch datasets list|show`: the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from anabranch.cli.face import Face, verb
from anabranch.cli.table import Cell, table
from anabranch.model.branch import MAIN
from anabranch.model.errors import NotFoundError, closest
from anabranch.show import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.app import Project
    from anabranch.data.preview import Preview
    from anabranch.model.dataset import DatasetSpec

STAGE_COLOURS = {"raw": "yellow", "cleaned": "cyan", "final": "green"}


@click.group("datasets", short_help="List the registry, or show one dataset.")
def datasets_command() -> None:
    """List the registry, or show one dataset."""


HIDDEN = "•••"
"""Stands for a value that is not to be seen."""


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
@click.option("--rows", type=click.IntRange(0, 1000), default=0, metavar="N", help="Show its first N rows, too.")
@click.option("--branch", "namespace", default=MAIN, metavar="NAME", help="Rows as this branch sees them.")
@verb("datasets show")
def show_command(face: Face, name: str, rows: int, namespace: str) -> None:
    """Show the dataset NAME: where it lies, what it promises, who writes and reads it.

    Values of columns that are marked sensitive are never shown.
    """
    project = face.project()
    if name not in project.datasets:
        raise NotFoundError(f"no dataset `{name}`", code="unknown-dataset", hint=closest(name, project.datasets))
    item = project.datasets[name]
    writers, readers = project.ports_of(name)
    found = project.preview(name, rows, namespace) if rows else None
    face.result(
        {
            "dataset": shapes.dataset(item),
            "written_by": writers,
            "read_by": readers,
            **({"preview": shapes.preview(found)} if found is not None else {}),
        },
        lambda: [*_lines(face, project, item, writers, readers), *(_rows(face, found) if found is not None else ())],
    )


def _rows(face: Face, found: Preview) -> Iterator[str]:
    hidden = [name in found.hidden for name, _ in found.columns]
    yield ""
    rows = [
        [
            Cell(HIDDEN if hide else value or "", ("dim",) if hide else ())
            for value, hide in zip(row, hidden, strict=True)
        ]
        for row in found.rows
    ]
    yield from table([name for name, _ in found.columns], rows, terminal=face.out)


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
