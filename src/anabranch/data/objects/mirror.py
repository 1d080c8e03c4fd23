"""A folder that mirrors an object store: what is read is fetched first, what has not changed is not fetched again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.data import disk
from anabranch.data.objects.store import SCHEMES, Objects, objects

if TYPE_CHECKING:
    from collections.abc import Generator

    from anabranch.model.dataset import DatasetSpec

URL = "mirror.json"
"""The file, among ours, that says which URL a folder mirrors."""

_ETAGS = "etags.json"
_FOLDER = "_$folder$"
"""How the name of an object ends that Hadoop's S3 file systems leave to say that a folder was made."""


def is_url(storage: str) -> bool:
    """Tell whether a storage is one that is mirrored."""
    return storage.startswith(SCHEMES)


def local(storage: str) -> Path:
    """Return the folder of a storage root: its own, or the one that mirrors it."""
    if not is_url(storage):
        return Path(storage)
    url = storage.rstrip("/")
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    readable = re.sub(r"[^a-z0-9]+", "-", url.lower()).strip("-")[:40]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "anabranch" / "mirrors" / f"{readable}-{digest}"
    mark = folder / disk.OURS / URL
    if not mark.exists():
        with _alone(folder):  # several workers of a machine begin at once
            disk.write_json(mark, {"url": url})
    return folder


def url_of(storage: Path) -> str:
    """Return the URL that a folder mirrors; empty for a folder of its own."""
    try:
        return str(json.loads((storage / disk.OURS / URL).read_text(encoding="utf-8"))["url"])
    except FileNotFoundError:
        return ""


def url_at(storage: Path, path: Path) -> str:
    """Return what lies at a path of a mirror, as others find it."""
    return f"{url_of(storage)}/{path.relative_to(storage).as_posix()}"


def shown(storage: Path) -> str:
    """Return a storage root as people know it."""
    return url_of(storage) or str(storage)


def remote(storage: Path) -> Objects | None:
    """Return the objects that a folder mirrors; None for a folder of its own."""
    url = url_of(storage)
    return objects(url) if url else None


def refresh(storage: Path, spec: DatasetSpec) -> None:
    """Bring a dataset in the mirror up to date; nothing to do in a folder of its own.

    Raises:
        StepError: `storage-unreachable`, `storage-denied`.
    """
    if (store := remote(storage)) is not None:
        fetch(storage, store, spec.location)


def refresh_marks(storage: Path, pipeline: str) -> None:
    """Bring the watermarks of a pipeline in the mirror up to date."""
    if (store := remote(storage)) is not None:
        fetch(storage, store, f"{disk.OURS}/watermarks/{disk.escape(pipeline)}")


def fetch(storage: Path, store: Objects, location: str) -> None:
    """Make what lies at a location of the mirror what lies at that key of the store: an object, or all below it."""
    with _alone(storage):
        listed = {key: etag for key, (_, etag) in store.list(location).items() if not key.endswith(_FOLDER)}
        known = _known(storage)
        for key, etag in listed.items():
            path = storage / key
            if known.get(key) == etag and path.is_file():
                continue
            if path.is_dir():
                disk.remove(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.fetched")
            known[key] = store.fetch(key, fresh)
            fresh.replace(path)
        for path in _below(storage / location):
            key = path.relative_to(storage).as_posix()
            if key not in listed:
                disk.remove(path)
                known.pop(key, None)
        if (storage / location).is_dir() and not listed:
            disk.remove(storage / location)
        disk.write_json(storage / disk.OURS / _ETAGS, known)


def adopt(storage: Path, store: Objects, location: str) -> None:
    """Note that what lies at a location of the mirror is what the store holds there now."""
    with _alone(storage):
        known = _known(storage)
        known |= {key: etag for key, (_, etag) in store.list(location).items()}
        disk.write_json(storage / disk.OURS / _ETAGS, known)


def holds(storage: Path, staged: str) -> bool:
    """Tell whether what lies in the mirror at a location was fetched from there, so that the store has it."""
    known, paths = _known(storage), disk.parts(storage / staged)
    return bool(paths) and all(path.relative_to(storage).as_posix() in known for path in paths)


def forget(storage: Path, location: str) -> None:
    """Forget what was fetched from a location and below it; the files are for others to delete."""
    with _alone(storage):
        kept = {key: etag for key, etag in _known(storage).items() if not f"{key}/".startswith(f"{location}/")}
        disk.write_json(storage / disk.OURS / _ETAGS, kept)


def _below(path: Path) -> list[Path]:
    if path.is_dir():
        return [each for each in path.rglob("*") if each.is_file()]
    return [path] if path.is_file() else []


def _known(storage: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((storage / disk.OURS / _ETAGS).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


@contextmanager
def _alone(storage: Path) -> Generator[None]:
    """Hold the mirror: several workers fetch into it."""
    path = storage / disk.OURS / "mirror.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
