"""`anabranch runs export`: tell other systems of a run, from its record."""

from __future__ import annotations

import json
from pathlib import Path

import click

from anabranch.cli.face import ELSEWHERE, Face, verb
from anabranch.model.errors import UsageError
from anabranch.show.human import plural

KINDS = ("openlineage", "opentelemetry")


@click.command("export", short_help="Tell other systems of a run: its lineage, its trace.")
@click.argument("run", default="last")
@click.option("--to", "kind", type=click.Choice(KINDS), help="Only this one of those that anabranch.yaml names.")
@click.option("-o", "--output", metavar="FILE", help="Write what it would be told to FILE, or - for stdout, instead.")
@ELSEWHERE
@verb("runs export")
def export_command(face: Face, run: str, kind: str | None, output: str | None, environment: str | None) -> None:
    """Tell the systems under `export` in anabranch.yaml of RUN, as if it happened now.

    Ids and times are those of the run, so telling it again tells nothing new. With -o nothing is sent, and
    anabranch.yaml need not name the system: lineage is written as OpenLineage events, a trace as OTLP in JSON.
    """
    project = face.project(environment)
    if output is not None:
        if kind is None:
            hint = f"--to {' or --to '.join(KINDS)}"
            raise UsageError("-o needs to know what to write", code="which-export", hint=hint)
        past = project.past(run)
        _write(face, past.run.id, kind, output, project.told(past, kind))
        return
    told = project.export(run, kind)
    shape = [{"to": each.kind, "where": each.where, "messages": each.messages} for each in told]
    face.result(
        {"run": told[0].run, "exported": shape},
        lambda: [f"run {each.run}: {plural(each.messages, each.noun)} to {face.near(each.where)}" for each in told],
    )


def _write(face: Face, run: str, kind: str, output: str, lines: list[str]) -> None:
    if output == "-":
        face.result({"run": run, "to": kind, "told": [json.loads(line) for line in lines]}, lambda: lines)
        return
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    face.result({"run": run, "to": kind, "file": output}, lambda: [output])
