"""Whole lines at the end of a file, whoever else appends to it."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError
from anabranch.platforms.delivery import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable


def append(file: str, lines: Iterable[str]) -> None:
    """Append lines, all or none. A line that somebody else has left half written is ended first.

    Raises:
        StepError: `export-refused`, the file cannot be written.
    """
    body = "".join(f"{line}\n" for line in lines).encode(errors="replace")
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        target = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(target, fcntl.LOCK_EX)
            _append(target, body)
        finally:
            os.close(target)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror or error}"
        hint = "look at the path, its rights and the free space"
        raise StepError(message, code=REFUSED, hint=hint) from None


def _append(target: int, body: bytes) -> None:
    size = os.lseek(target, 0, os.SEEK_END)
    if size and os.pread(target, 1, size - 1) != b"\n":
        body = b"\n" + body
    try:
        while body:
            body = body[os.write(target, body) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(target, size)
        raise
