"""What a branch keeps below its root, and what it takes over from main when it starts."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

from anabranch.data import disk, journal, stored
from anabranch.data.duck import connect
from anabranch.data.objects import mirror
from anabranch.model.branch import Pin
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from anabranch.model.dataset import DatasetSpec

MARK, PINNED, UNDO = "branch.json", "pinned", "undo"
"""What lies among our own files of a branch's root: whose it is, main's watermarks, what a promotion replaced."""

CONTROLS = "_control"
"""The folder below a branch's root that holds the storage of each control."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose a branch's root is: written first and deleted last. `store` is the id of who keeps the records."""

    project: str
    branch: str
    pipeline: str
    store: str
    expires_at: float


def root_of(storage: Path, slug: str) -> Path:
    """Return the storage root of a branch, below the storage that holds branches."""
    if url := mirror.url_of(storage):
        return mirror.local(f"{url}/{disk.BRANCHES}/{slug}")
    return storage / disk.BRANCHES / slug


def write_mark(root: Path, mark: Mark) -> None:
    """Say whose a root is."""
    told = {name: getattr(mark, name) for name in Mark.__slots__}
    with disk.told(root):
        disk.write_json(root / disk.OURS / MARK, told)
        if (store := mirror.remote(root)) is not None:
            store.put(f"{disk.OURS}/{MARK}", root / disk.OURS / MARK)


def roots(storage: Path) -> dict[Path, Mark | None]:
    """Return all roots of branches below a storage, with their marks; None where nobody left one."""
    folder = storage / disk.BRANCHES
    slugs = [path.name for path in sorted(folder.iterdir())] if folder.is_dir() else []
    if (store := mirror.remote(storage)) is not None:
        slugs = sorted({key.split("/")[1] for key in store.list(disk.BRANCHES)})
    found: dict[Path, Mark | None] = {}
    for path in (root_of(storage, slug) for slug in slugs):
        try:
            if (store := mirror.remote(path)) is not None:
                mirror.fetch(path, store, f"{disk.OURS}/{MARK}")
            found[path] = Mark(**json.loads((path / disk.OURS / MARK).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            found[path] = None
    return found


def pin(storage: Path, specs: Iterable[tuple[DatasetSpec, bool]]) -> tuple[Pin, ...]:
    """Return the versions of main's datasets as they are now; what a branch goes on from may not be there yet.

    Raises:
        StepError: `missing-input`; `main-unfinished`, a publication of main's was cut off.
    """
    if journal.unfinished(storage):
        message = f"main's storage {storage} has a publication that was cut off"
        hint = "run main's pipeline, which finishes it first; a branch changes nothing there"
        raise StepError(message, code="main-unfinished", hint=hint)
    found: list[Pin] = []
    for spec, base in specs:
        mirror.refresh(storage, spec)
        version = stored.version(storage, replace(spec, bound=None))
        if version:
            found.append(Pin(spec.name, version, base))
        elif not base:
            message = f"dataset `{spec.name}` of main is not at {storage / spec.location}"
            raise StepError(
                message, code="missing-input", hint="run main first, or put the file there", place=spec.place
            )
    return tuple(found)


def count_rows(storage: Path, spec: DatasetSpec) -> int:
    """Return how many rows a dataset has."""
    mirror.refresh(storage, spec)
    db = connect()
    try:
        with stored.reading(db, spec, stored.place(storage, spec)):
            return int(stored.scan(db, storage, spec).aggregate("count(*)").fetchall()[0][0])
    finally:
        db.close()


def control_root(root: Path, label: str) -> Path:
    """Return the storage root of one control of a branch: below the branch's own."""
    if url := mirror.url_of(root):
        return mirror.local(f"{url}/{CONTROLS}/{label}")
    return root / CONTROLS / label


def pin_marks(storage: Path, root: Path, pipeline: str) -> None:
    """Remember main's watermarks as they are now: every run of the branch, and every control, goes on from these."""
    mirror.refresh_marks(storage, pipeline)
    _copy_marks(_marks(storage, pipeline), root, root / disk.OURS / PINNED)


def start(root: Path, of: Path, pipeline: str) -> None:
    """Begin a run of a branch, or a control of it: nothing of an earlier one is left, watermarks are the pinned ones.

    Args:
        root: where the run writes.
        of: the branch's root.
        pipeline: whose watermarks.
    """
    clear(root, keep={MARK, PINNED, UNDO} if root == of else set())
    pinned = of / disk.OURS / PINNED
    if (store := mirror.remote(of)) is not None:
        mirror.fetch(of, store, f"{disk.OURS}/{PINNED}")
    _copy_marks(pinned, root, _marks(root, pipeline))


def _marks(storage: Path, pipeline: str) -> Path:
    return storage / disk.OURS / "watermarks" / disk.escape(pipeline)


def _copy_marks(source: Path, root: Path, target: Path) -> None:
    """Copy a folder of watermarks into a root, and to the store that the root mirrors."""
    store = mirror.remote(root)
    with disk.told(root):
        disk.remove(target)
        for mark in sorted(source.glob("*/*.json")):
            path = target / mark.parent.name / mark.name
            disk.make_folder(path.parent)
            shutil.copyfile(mark, path)
            if store is not None:
                store.put(journal.relative(root, path), path)


def clear(root: Path, keep: Collection[str] = ()) -> None:
    """Delete all that lies below a root, but what is kept of ours, and controls where anything is kept."""
    if (store := mirror.remote(root)) is not None:
        kept = tuple(f"{disk.OURS}/{name}" for name in keep) + ((f"{CONTROLS}/",) if keep else ())
        store.delete(key for key in store.list("") if not (kept and key.startswith(kept)))
    for path in root.iterdir() if root.is_dir() else []:
        if path.name != disk.OURS and not (keep and path.name == CONTROLS):
            disk.remove(path)
    for path in (root / disk.OURS).iterdir() if (root / disk.OURS).is_dir() else []:
        if path.name not in {*keep, mirror.URL}:
            disk.remove(path)


def owned(root: Path) -> tuple[str, ...]:
    """Return every file and folder below a branch's root, and the root itself; none when it is gone."""
    if (store := mirror.remote(root)) is not None:
        return tuple(store.list(""))
    if not root.exists():
        return ()
    return (".", *sorted(path.relative_to(root).as_posix() for path in root.rglob("*")))


def delete(root: Path) -> tuple[str, ...]:
    """Delete a branch's root: its data, then its mark, then the root. Return what could not be deleted."""
    clear(root, keep={MARK})
    for label in ("a", "b"):
        if mirror.url_of(control := control_root(root, label)):
            clear(control)
            disk.remove(control)
    disk.remove(root / CONTROLS)
    if (store := mirror.remote(root)) is not None:
        if owned(root) == (f"{disk.OURS}/{MARK}",):
            store.delete([f"{disk.OURS}/{MARK}"])
        if left := owned(root):
            return left
        disk.remove(root)
        return ()
    if not [name for name in owned(root) if name not in {".", disk.OURS, f"{disk.OURS}/{MARK}"}]:
        disk.remove(root)
        with suppress(OSError):  # other branches have theirs in it
            root.parent.rmdir()
    return owned(root)


def scratch(root: Path) -> Path:
    """Return a folder below a branch's root where a comparison may spill; it is not there yet."""
    return root / disk.OURS / f"spill.{uuid4().hex}"


def versions(storage: Path, specs: Mapping[str, DatasetSpec]) -> dict[str, str]:
    """Return the versions of datasets as they lie below this very root; empty for those that do not."""
    for spec in specs.values():
        mirror.refresh(storage, spec)
    return {name: stored.version(storage, replace(spec, bound=None)) for name, spec in specs.items()}
