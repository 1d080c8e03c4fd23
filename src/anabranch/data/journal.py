"""Publication: one journal file is the commit point; applying it can be cut off and repeated at any moment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anabranch.data import disk
from anabranch.data.formats import delta, iceberg
from anabranch.model import codec
from anabranch.model.dataset import DatasetSpec, Format

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Move:
    """Staged data that becomes a dataset. Paths are relative to the storage root."""

    staged: str
    spec: DatasetSpec
    append: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything that one attempt publishes. `marks` are watermarks: the path and the content of each."""

    publication: str
    moves: tuple[Move, ...]
    marks: tuple[tuple[str, dict[str, Any]], ...] = ()


def folder(storage: Path, pipeline: str) -> Path:
    """Return where a pipeline's journals lie."""
    return storage / disk.OURS / "journal" / disk.escape(pipeline)


def publish(storage: Path, pipeline: str, journal: Journal) -> None:
    """Commit a journal, then apply it. From the commit on, a crash no longer takes it back."""
    for move in journal.moves:
        disk.sync(storage / move.staged)
    path = folder(storage, pipeline) / f"{disk.escape(journal.publication)}.json"
    moves = [{"staged": m.staged, "spec": codec.encode(m.spec), "append": m.append} for m in journal.moves]
    marks = [list(mark) for mark in journal.marks]
    disk.write_json(path, {"publication": journal.publication, "moves": moves, "marks": marks})
    _apply(storage, journal, path)


def recover(storage: Path, pipeline: str) -> int:
    """Apply journals that a crash left behind; return how many. Nobody else may publish for the pipeline meanwhile."""
    count = 0
    for path in sorted(folder(storage, pipeline).glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        moves = tuple(Move(m["staged"], codec.decode(DatasetSpec, m["spec"]), m["append"]) for m in data["moves"])
        _apply(storage, Journal(data["publication"], moves, tuple((m[0], m[1]) for m in data["marks"])), path)
        count += 1
    disk.remove(storage / disk.OURS / "staging" / disk.escape(pipeline))
    return count


def _apply(storage: Path, journal: Journal, path: Path) -> None:
    for move in journal.moves:
        _move(storage, move, journal.publication)
    for name, mark in journal.marks:
        disk.write_json(storage / name, mark)
    disk.remove(path)
    disk.sync_folder(path.parent)


def _move(storage: Path, move: Move, publication: str) -> None:
    staged, target = storage / move.staged, storage / move.spec.location
    trash = staged.with_name(staged.name + ".old")
    if staged.exists():
        match move.spec.format:
            case Format.DELTA:
                delta.publish(staged, target, move.spec, append=move.append, publication=publication)
                disk.remove(staged)
            case Format.ICEBERG:
                iceberg.publish(staged, storage, move.spec, append=move.append, publication=publication)
                disk.remove(staged)
            case _:
                # A folder cannot replace anything in one step: the old data steps aside first. Cut off between the
                # two, the dataset is missing, never mixed, until the journal is applied again.
                if target.exists() and (staged.is_dir() or target.is_dir()):
                    disk.rename(target, trash)
                disk.rename(staged, target)
    disk.remove(trash)


def relative(storage: Path, path: Path) -> str:
    """Return a path as journals keep it."""
    return path.relative_to(storage).as_posix()
