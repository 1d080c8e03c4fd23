"""`anabranch schema`: JSON Schemas, so that editors complete and check specs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import PROJECT_FILE, Face, root_of, verb

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC_FILE, PROJECT_SCHEMA_FILE = "schema.json", "project.schema.json"


@click.command("schema", short_help="Write the JSON Schema of specs, for editors.")
@click.option("-o", "--output", metavar="FILE", help="Write one schema to FILE.")
@click.option("--project-file", "of_project", is_flag=True, help=f"That of {PROJECT_FILE} instead of that of specs.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Write one schema to stdout.")
@verb("schema")
def schema_command(face: Face, output: str | None, of_project: bool, to_stdout: bool) -> None:
    """Write the JSON Schemas of specs and of anabranch.yaml to .anabranch/, where editors find them.

    A spec names its schema in its first line: `# yaml-language-server: $schema=.anabranch/schema.json`.
    """
    from anabranch.app import schemas

    spec, project = schemas()
    one = project if of_project else spec
    if to_stdout:
        text = _text(one)
        face.result({"schema": one}, lambda: [text.rstrip("\n")])
        return
    if output is not None:
        wanted = {Path(output): one}
    else:
        folder = root_of(face.directory) / ".anabranch"
        wanted = {folder / SPEC_FILE: spec, folder / PROJECT_SCHEMA_FILE: project}
    for path, schema in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(schema), encoding="utf-8")
    written = [face.near(str(path.absolute())) for path in wanted]
    face.result({"files": written}, lambda: written)


def _text(schema: Mapping[str, object]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
