"""Locks that the kernel drops when their holder dies, however it dies; no clock takes part."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from anabranch.model.errors import ConflictError
from anabranch.store.told import told

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


_LONGEST = 200


class FileLock:
    """An exclusive lock on a file of this machine, with a note that says who holds it."""

    def __init__(self, path: Path) -> None:
        """Name the lock; nothing is held yet."""
        self.path = path
        self._fd = -1

    def try_acquire(self, note: str = "") -> bool:
        """Take the lock if nobody has it, and leave the note for those who ask."""
        with told(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, note.encode(), 0)
        self._fd = fd
        return True

    def held(self) -> bool:
        """Tell whether somebody, this object included, holds the lock."""
        if self._fd >= 0:
            return True
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def note(self) -> str:
        """Return what the last holder wrote."""
        return self.path.read_text() if self.path.exists() else ""

    def release(self) -> None:
        """Let go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class PipelineLock:
    """One run of a pipeline at a time in a namespace; hold it in a `with`."""

    def __init__(self, folder: Path, pipeline: str, namespace: str, *, run: str, wait: float = 0) -> None:
        """Name the lock.

        Args:
            folder: where locks lie.
            pipeline: whose runs exclude each other.
            namespace: main, or a branch.
            run: the run that wants it.
            wait: seconds to wait for another run to end.
        """
        self._lock = FileLock(folder / _part(namespace) / f"{_part(pipeline)}.lock")
        self._pipeline, self._run, self._wait = pipeline, run, wait

    def __enter__(self) -> None:
        """Take the lock.

        Raises:
            ConflictError: `already-running`, another run holds it still.
        """
        deadline = time.monotonic() + self._wait
        while not self._lock.try_acquire(self._run):
            if time.monotonic() >= deadline:
                other = self._lock.note()
                message = f"pipeline `{self._pipeline}` is being run already, as run {other}"
                hint = f"wait for it with --wait SECONDS, or stop it: anabranch runs cancel {other}"
                raise ConflictError(message, code="already-running", hint=hint)
            time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))

    def forget(self) -> None:
        """Delete the lock's file, and its namespace's folder when it is the last: nobody will run there again."""
        self._lock.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._lock.path.parent.rmdir()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Let go."""
        self._lock.release()


def _part(name: str) -> str:
    """Return a name as one part of a path. File systems allow 255 bytes."""
    safe = name.replace("%", "%25").replace("/", "%2F")
    if safe in {".", ".."} or len(safe.encode()) > _LONGEST:
        return hashlib.sha256(name.encode()).hexdigest()
    return safe
