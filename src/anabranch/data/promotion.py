"""Datasets of a branch become main's, all of them or none; what they replace is kept below the branch's root."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anabranch.data import disk, journal, stored, watermark
from anabranch.data.branching import UNDO
from anabranch.data.duck import connect
from anabranch.data.formats import files
from anabranch.data.objects import mirror
from anabranch.data.storable import as_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Both:
    """The two storages that take part: main's, and the branch's root."""

    storage: Path
    root: Path


def _fetch(both: Both, specs: Iterable[DatasetSpec]) -> None:
    for spec in specs:
        mirror.refresh(both.storage, spec)
        mirror.refresh(both.root, spec)


def promote(both: Both, pipeline: Pipeline, publication: str, specs: Iterable[DatasetSpec]) -> None:
    """Publish a branch's datasets, and the watermarks of its steps, in main's storage.

    Nobody else may run the pipeline in main meanwhile. Cut off before its commit point it has done nothing; after it,
    whoever comes next in this storage finishes it.

    Args:
        both: the storages.
        pipeline: what the branch ran; its steps' watermarks are taken over.
        publication: an id that no other publication has.
        specs: the datasets, as they lie below the branch's root.
    """
    own = [replace(spec, bound=None) for spec in specs]
    _fetch(both, own)
    mirror.refresh_marks(both.root, pipeline.name)
    mirror.refresh_marks(both.storage, pipeline.name)
    keep = _undo(both)
    disk.remove(keep)
    kept = {spec.name: _keep(both.storage, spec, keep) for spec in own if stored.lies(both.storage, spec)}
    marks = dict(_marks(both.root, pipeline))
    before = {name: _content(both.storage / name) for name in marks}
    disk.write_json(keep / "undo.json", {"kept": kept, "marks": before})
    staging = both.storage / disk.OURS / "staging" / disk.escape(pipeline.name) / publication
    try:
        moves = tuple(_staged(both.root, spec, staging, both.storage) for spec in own)
        journal.publish(both.storage, pipeline.name, journal.Journal(publication, moves, tuple(marks.items())))
    finally:
        _tidy(both.storage, pipeline.name, publication, staging)


def undo(both: Both, pipeline: Pipeline, publication: str, specs: Iterable[DatasetSpec]) -> None:
    """Publish in main what a promotion replaced; datasets that were not there are deleted."""
    own = [replace(spec, bound=None) for spec in specs]
    keep = _undo(both)
    told = json.loads((keep / "undo.json").read_text(encoding="utf-8"))
    staging = both.storage / disk.OURS / "staging" / disk.escape(pipeline.name) / publication
    try:
        moves = tuple(_staged(keep, spec, staging, both.storage) for spec in own if spec.name in told["kept"])
        gone = tuple(spec for spec in own if spec.name not in told["kept"])
        entry = journal.Journal(publication, moves, tuple(told["marks"].items()), gone)
        journal.publish(both.storage, pipeline.name, entry)
    finally:
        _tidy(both.storage, pipeline.name, publication, staging)


def undoable(both: Both) -> bool:
    """Tell whether what the last promotion replaced is still kept."""
    return (_undo(both) / "undo.json").is_file()


def _undo(both: Both) -> Path:
    return both.root / disk.OURS / UNDO


def _keep(storage: Path, spec: DatasetSpec, keep: Path) -> str:
    """Keep a dataset of main's: files as they are, tables as Parquet. Return its version."""
    if spec.format in stored.TABLES:
        _rows(storage, spec, keep / f"{spec.location}.parquet")
    else:
        disk.clone(stored.locate(storage, spec), keep / spec.location)
    return stored.version(storage, spec)


def _staged(root: Path, spec: DatasetSpec, staging: Path, storage: Path) -> journal.Move:
    """Put a dataset of the branch, or one that was kept, where main's publication takes it from."""
    if spec.format in stored.TABLES:
        path = staging / f"{disk.escape(spec.name)}.parquet"
        kept = root / f"{spec.location}.parquet"
        if kept.is_file():
            disk.clone(kept, path)
        else:
            _rows(root, spec, path)
    else:
        path = staging / f"{disk.escape(spec.name)}{spec.format.suffix}"
        disk.clone(stored.locate(root, spec), path)
    return journal.Move(journal.relative(storage, path), spec)


def _rows(root: Path, spec: DatasetSpec, path: Path) -> None:
    db = connect()
    try:
        stored.scan(db, root, spec).create_view("rows", replace=True)
        files.write(db, "SELECT * FROM rows", as_parquet(spec), path)
    finally:
        db.close()


def _marks(root: Path, pipeline: Pipeline) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for step in pipeline.steps:
        for port in step.reads:
            path = watermark.file_of(root, pipeline.name, step.id, port.name)
            if (content := _content(path)) is not None:
                yield journal.relative(root, path), content


def _content(path: Path) -> dict[str, Any] | None:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return data


def _tidy(storage: Path, pipeline: str, publication: str, staging: Path) -> None:
    if not journal.pending(storage, pipeline, publication):
        disk.remove(staging)


def same(both: Both, specs: Mapping[str, DatasetSpec]) -> bool:
    """Tell whether main's files are the branch's, to the byte; tables keep versions of their own, and never are."""
    own = [replace(spec, bound=None) for spec in specs.values()]
    return all(
        spec.format not in stored.TABLES and stored.version(both.storage, spec) == stored.version(both.root, spec)
        for spec in own
    )
