"""Reading log files of any size: from the end backwards, or straight through, never all at once."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

BLOCK = 1 << 16


def start_of_last(path: Path, lines: int) -> int:
    """Return where the last so many lines begin, in bytes. A last line without an end counts."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        if lines <= 0 or end == 0:
            return end
        file.seek(end - 1)
        wanted = lines + (file.read(1) == b"\n")
        position = end
        while position > 0:
            start = max(position - BLOCK, 0)
            file.seek(start)
            block = file.read(position - start)
            found = block.count(b"\n")
            if found >= wanted:
                for _ in range(wanted):
                    block = block[: block.rindex(b"\n")]
                return start + len(block) + 1
            wanted -= found
            position = start
    return 0


def copy(path: Path, target: BinaryIO, start: int = 0) -> None:
    """Write a file from `start` on to `target`, block by block."""
    with path.open("rb") as file:
        file.seek(start)
        shutil.copyfileobj(file, target, BLOCK)


def last_lines(path: Path, most: int) -> tuple[list[str], bool]:
    """Return the last lines as text, and whether something before them was left out."""
    start = start_of_last(path, most)
    with path.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace").splitlines(), start > 0


def read_from(path: Path, start: int) -> bytes:
    """Return at most a block of what a file holds past `start`; nothing when it is not there yet."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(BLOCK)
    except FileNotFoundError:
        return b""
