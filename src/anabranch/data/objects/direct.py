"""Data that Spark reads and writes itself in the store: its workers are other machines, which see no mirror of ours.

What it reads is named by its URL there. What it writes lies beside all that is staged, and is brought to this machine
to be counted and checked; then it is published where it lies, without another upload.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from anabranch.data import disk
from anabranch.data.objects import mirror, publish
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.data.objects.store import Objects
    from anabranch.model.task import Task

_HERE = ".here"
"""An empty object that makes the attempt's folder be there, so that Spark need not make the folders above it."""


class Direct:
    """The part of an attempt's data that is read and written in the store."""

    def __init__(self, storage: Path, store: Objects, task: Task) -> None:
        """Name the attempt's folder; its URL has no character that one reader of URLs takes otherwise than another."""
        self._storage, self._store, self._pipeline = storage, store, task.pipeline
        told = hashlib.sha256(f"{task.run}.{task.step.id}".encode()).hexdigest()[:16]
        self._step = storage / disk.OURS / "staging" / disk.escape(task.pipeline) / told
        self.folder = self._step / str(task.attempt)

    def open(self) -> None:
        """Make the attempt's folder; what earlier attempts of the step left goes."""
        self._store.delete(self._store.list(self._key(self._step)))
        self._store.put(f"{self._key(self.folder)}/{_HERE}", b"")

    def url(self, path: Path) -> str:
        """Return what lies at a path of the mirror, as Spark finds it."""
        return mirror.url_at(self._storage, path)

    def send(self, path: Path) -> str:
        """Put a file, or the files of a folder, where Spark finds it; return its URL."""
        for each in disk.parts(path):
            self._store.put(self._key(each), each)
        return self.url(path)

    def bring(self, path: Path) -> None:
        """Fetch what Spark wrote for a path of the mirror; nothing, where it wrote nothing."""
        mirror.fetch(self._storage, self._store, self._key(path))

    def close(self, publication: str) -> None:
        """Delete what the attempt left in the store, unless a publication that was cut off still needs it."""
        with suppress(StepError):  # else the step's next attempt does it
            if not publish.pending(self._store, self._pipeline, publication):
                self._store.delete(self._store.list(self._key(self._step)))
                mirror.forget(self._storage, self._key(self._step))

    def _key(self, path: Path) -> str:
        return path.relative_to(self._storage).as_posix()


def direct(storage: Path, task: Task) -> Direct | None:
    """Return how Spark reads and writes below a storage; None where it does so as any process of this machine."""
    store = mirror.remote(storage) if task.cluster else None
    return Direct(storage, store, task) if store is not None else None


def lying(root: Path, location: str) -> dict[str, tuple[int, str]]:
    """Return what lies at a location of the store that a root mirrors: the size and etag of each object."""
    store = mirror.remote(root)
    return store.list(location) if store is not None else {}
