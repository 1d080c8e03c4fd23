"""`anabranch branch drop`: nothing left."""

from __future__ import annotations

import click

from anabranch.cli.face import ELSEWHERE, Face, confirm, verb
from anabranch.show.human import plural


@click.command("drop", short_help="Delete all that it owns, and prove it.")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", "preview", is_flag=True, help="Only say what would be deleted.")
@click.option("--force", is_flag=True, help="Stop its runs first.")
@ELSEWHERE
@verb("branch drop")
def drop_command(face: Face, name: str, yes: bool, preview: bool, force: bool, environment: str | None) -> None:
    """Delete the branch NAME: its data first, then its runs and logs, its record last; then list what remains.

    Main's data and history stay as they are, promoted or not. Exit code 7 when a run of it goes on, or when anything
    could not be deleted.
    """
    project = face.project(environment)
    branch = project.branches.find(name)
    if preview:
        deletes, runs = project.branches.preview_drop(name), project.runs.summaries.count(namespace=name)
        root = project.shown(branch.root)
        shape = {"branch": name, "root": root, "deletes": list(deletes), "runs": runs}
        done = f"would delete {len(deletes):,} files and folders below {face.near(root)}, and {plural(runs, 'run')}"
        face.result(shape, lambda: [done])
        return
    confirm(f"drop branch {name} and all below {face.near(project.shown(branch.root))}?", yes=yes)
    deleted = project.branches.drop(name, force=force)
    done = f"{face.out.marks.ok} branch {name} is dropped: {len(deleted):,} files and folders deleted, none left"
    face.result(
        {"branch": name, "root": project.shown(branch.root), "deleted": len(deleted), "left": []}, lambda: [done]
    )
