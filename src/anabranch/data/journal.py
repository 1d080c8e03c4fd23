"""Publication: one journal file is the commit point; applying it can be cut off and repeated at any moment."""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anabranch.data import disk
from anabranch.data.formats import delta, iceberg
from anabranch.data.objects import mirror
from anabranch.model import codec
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Move:
    """Staged data that becomes a dataset. Paths are relative to the storage root."""

    staged: str
    spec: DatasetSpec
    append: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything that one attempt publishes.

    `marks` are watermarks: the path and the content of each, None to delete it. `gone` are datasets to delete.
    """

    publication: str
    moves: tuple[Move, ...]
    marks: tuple[tuple[str, dict[str, Any] | None], ...] = ()
    gone: tuple[DatasetSpec, ...] = ()


def folder(storage: Path, pipeline: str) -> Path:
    """Return where a pipeline's journals lie."""
    return storage / disk.OURS / "journal" / disk.escape(pipeline)


def publish(storage: Path, pipeline: str, journal: Journal) -> None:
    """Commit a journal, then apply it. From the commit on, neither a crash nor an error takes it back.

    Raises:
        StepError: `publication-unfinished`, it is committed and will be finished by `settle`.
    """
    if (store := mirror.remote(storage)) is not None:
        from anabranch.data.objects import publish as remote

        remote.publish(storage, store, pipeline, journal)
        return
    for move in journal.moves:
        staged = storage / move.staged
        disk.sync(staged)
        for parent in staged.parents:
            if parent == storage:
                break
            disk.sync_folder(parent)
    path = _path(storage, pipeline, journal.publication)
    moves = [{"staged": m.staged, "spec": codec.encode(m.spec), "append": m.append} for m in journal.moves]
    with _alone(storage):
        _finish(storage)  # what was committed before comes first
        data = {
            "publication": journal.publication,
            "moves": moves,
            "marks": [list(m) for m in journal.marks],
            "gone": [codec.encode(spec) for spec in journal.gone],
        }
        disk.write_json(path, data)
        _apply(storage, journal, path)


def pending(storage: Path, pipeline: str, publication: str) -> bool:
    """Tell whether a publication is committed and not finished: what it staged must stay."""
    return _path(storage, pipeline, publication).exists()


def unfinished(storage: Path) -> bool:
    """Tell whether the storage has a publication that is committed and not finished; nothing is changed."""
    if (store := mirror.remote(storage)) is not None:
        from anabranch.data.objects import publish as remote

        return remote.unfinished(store)
    return any((storage / disk.OURS / "journal").glob("*/*.json"))


def settle(storage: Path) -> int:
    """Finish what any crash or error left committed and unfinished; return how many publications.

    Whoever publishes holds a lock meanwhile, so a journal that is seen under this lock has nobody left to finish it.

    Raises:
        StepError: `publication-unfinished`.
    """
    if (store := mirror.remote(storage)) is not None:
        from anabranch.data.objects import publish as remote

        return remote.settle(storage, store)
    if not unfinished(storage):
        return 0
    with _alone(storage):
        return _finish(storage)


def recover(storage: Path, pipeline: str) -> int:
    """Settle, then drop what the pipeline staged and never committed. Nobody else may run the pipeline meanwhile."""
    if (store := mirror.remote(storage)) is not None:
        from anabranch.data.objects import publish as remote

        count = remote.recover(storage, store, pipeline)
    else:
        count = settle(storage)
    disk.remove(storage / disk.OURS / "staging" / disk.escape(pipeline))
    return count


def _path(storage: Path, pipeline: str, publication: str) -> Path:
    return folder(storage, pipeline) / f"{disk.escape(publication)}.json"


@contextmanager
def _alone(storage: Path) -> Generator[None]:
    """Hold the storage's lock; the kernel lets go of it when the process ends, however it ends."""
    path = storage / disk.OURS / "journal" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _finish(storage: Path) -> int:
    left = sorted((storage / disk.OURS / "journal").glob("*/*.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in left:
        data = json.loads(path.read_text(encoding="utf-8"))
        moves = tuple(Move(m["staged"], codec.decode(DatasetSpec, m["spec"]), m["append"]) for m in data["moves"])
        marks = tuple((m[0], m[1]) for m in data["marks"])
        gone = tuple(codec.decode(DatasetSpec, each) for each in data.get("gone", ()))
        _apply(storage, Journal(data["publication"], moves, marks, gone), path)
    return len(left)


def _apply(storage: Path, journal: Journal, path: Path) -> None:
    try:
        _act(storage, journal, path)
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        message = f"publication {journal.publication} is committed, but could not be finished: {reason}"
        hint = "mend the cause; whatever runs next in this storage finishes it first"
        raise StepError(message, code="publication-unfinished", hint=hint) from error


def _act(storage: Path, journal: Journal, path: Path) -> None:
    for move in journal.moves:
        _move(storage, move, journal.publication)
    for spec in journal.gone:
        _remove(storage, spec)
    for name, mark in journal.marks:
        if mark is None:
            disk.remove(storage / name)
        else:
            disk.write_json(storage / name, mark)
    disk.remove(path)
    disk.sync_folder(path.parent)


def _remove(storage: Path, spec: DatasetSpec) -> None:
    if spec.format is Format.ICEBERG:
        iceberg.drop(storage, spec)
    disk.remove(storage / spec.location)


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
