"""What a project's folders are like: storage, the record of runs, what dead runs left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.cli.health import Finding, Verdict
from anabranch.model.errors import AnabranchError, InvalidProject, NotFoundError
from anabranch.model.run import RunState
from anabranch.show.human import plural, size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from anabranch.app import Project
    from anabranch.cli.face import Face

LITTLE = 1_000_000_000
"""Bytes of free disk below which a run is likely to fail."""

LOOKED_AT = 200
"""Newest runs that are asked whether they live."""


def look(face: Face) -> Iterator[Finding]:
    """Yield the findings about the project where the verb was called, if there is one."""
    try:
        project = face.project()
    except NotFoundError:
        yield Finding("project", Verdict.INFO, "none here", "anabranch init my_project")
        return
    except InvalidProject as error:
        told = plural(len(error.diagnostics), "mistake")
        yield Finding("project", Verdict.FAIL, told, face.command("check"))
        return
    yield Finding("project", Verdict.OK, f"{project.name} at {project.root}")
    yield _storage(project.storage)
    yield _disk(project.storage)
    yield from _runs(face, project)


def _storage(storage: Path) -> Finding:
    """Try what publishing needs: a file written beside the data, and renamed over another in one go."""
    folder = _there(storage)
    try:
        with tempfile.TemporaryDirectory(prefix=".anabranch-doctor-", dir=folder) as name:
            old, new = Path(name) / "old", Path(name) / "new"
            old.write_bytes(b"old")
            new.write_bytes(b"new")
            new.replace(old)
            whole = old.read_bytes() == b"new"
    except OSError as error:
        hint = "make it writable, or name another `storage` in anabranch.yaml"
        return Finding("storage", Verdict.FAIL, f"{storage}: {error.strerror}", hint)
    if not whole:
        hint = "outputs could be seen half written: keep `storage` on a local file system"
        return Finding("storage", Verdict.FAIL, f"{storage}: renaming over a file does not work", hint)
    return Finding("storage", Verdict.OK, f"{storage}: writable, renames replace")


def _disk(storage: Path) -> Finding:
    free = shutil.disk_usage(_there(storage)).free
    if free < LITTLE:
        return Finding("disk", Verdict.WARN, f"{size(free)} free", "make room: a full disk fails a run")
    return Finding("disk", Verdict.OK, f"{size(free)} free")


def _runs(face: Face, project: Project) -> Iterator[Finding]:
    try:
        runs = project.runs.runs(limit=LOOKED_AT)
    except AnabranchError as error:
        yield Finding("runs", Verdict.FAIL, error.message, error.hint)
        return
    more = " or more" if len(runs) == LOOKED_AT else ""
    yield Finding(
        "runs", Verdict.OK, f"{plural(len(runs), 'run')}{more} recorded in {face.near('.anabranch/state.db')}"
    )
    retried = {run.of for run in runs}
    dead = [run.id for run in runs if run.state is RunState.DEAD and run.id not in retried]
    if dead:
        told = f"{plural(len(dead), 'run')} died without an end: {', '.join(dead[:3])}"
        yield Finding("dead runs", Verdict.WARN, told, face.command("runs", "retry", dead[0]))
    alive = {run.id for run in runs if run.state is RunState.RUNNING}
    yield from _leftovers(project.storage, alive)


def _leftovers(storage: Path, alive: Collection[str]) -> Iterator[Finding]:
    staging = storage / "_anabranch" / "staging"
    left = {path: _weight(path) for path in staging.glob("*") if path.name not in alive} if staging.is_dir() else {}
    number = sum(left.values())
    if number:
        told = f"{size(number)} staged by {plural(len(left), 'run')} that ended"
        yield Finding("leftovers", Verdict.WARN, told, "the next run of any pipeline removes them")
    else:
        yield Finding("leftovers", Verdict.OK, "none")


def _weight(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _there(path: Path) -> Path:
    """Return the nearest folder that exists, the path itself or above it."""
    return next((each for each in (path, *path.absolute().parents) if os.path.isdir(each)), Path("/"))  # noqa: PTH112
