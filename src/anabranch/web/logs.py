"""Logs of any size, a page at a time: never read whole, so a gigabyte costs what a kilobyte does."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.model.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

BLOCK = 1 << 16
"""Bytes of one page, about; also the longest line that is shown whole."""

LINES = 500
"""Lines of one page at most."""

LONGEST = 4000
"""Characters of one line that are shown."""

HITS, PATIENCE, STRIDE = 200, 1.0, 1 << 20
"""Lines found that one search tells, the seconds that it may take, and the bytes that it reads at a time."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of a log. `start` and `end` are bytes; `whole` is the log's size, of which they are a part."""

    lines: tuple[str, ...]
    start: int
    end: int
    whole: int


@dataclass(frozen=True, slots=True)
class Hits:
    """Lines that hold a text: each with the byte where it begins. `end` is how far was looked."""

    found: tuple[tuple[int, str], ...]
    end: int
    whole: int


def size(path: Path) -> int | None:
    """Return a log's bytes; None when it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def page(path: Path, start: int) -> Lines:
    """Return the page of whole lines that begins at the line in which a byte lies.

    Raises:
        NotFoundError: `no-log`.
    """
    with _open(path) as file:
        whole = file.seek(0, os.SEEK_END)
        start = _line_start(file, min(start, whole))
        file.seek(start)
        text = file.read(BLOCK)
    if len(text) == BLOCK and b"\n" in text:
        text = text[: text.rindex(b"\n") + 1]
    pieces = text.split(b"\n", LINES)
    if len(pieces) > LINES:
        text = text[: len(text) - len(pieces[-1])]
    return Lines(_lines(text), start, start + len(text), whole)


def last(path: Path, lines: int = LINES, end: int | None = None) -> Lines:
    """Return the last lines of a log, or of what comes before a byte.

    Raises:
        NotFoundError: `no-log`.
    """
    with _open(path) as file:
        whole = file.seek(0, os.SEEK_END)
        end = whole if end is None else min(end, whole)
        start = max(end - BLOCK, 0)
        file.seek(start)
        text = file.read(end - start)
    if start > 0 and b"\n" in text[:-1]:
        cut = text.index(b"\n") + 1
        start, text = start + cut, text[cut:]
    pieces = text.removesuffix(b"\n").split(b"\n")
    if len(pieces) > lines:
        cut = sum(len(piece) + 1 for piece in pieces[:-lines])
        start, text = start + cut, text[cut:]
    return Lines(_lines(text), start, end, whole)


def search(path: Path, wanted: str, start: int = 0) -> Hits:
    """Return lines that hold a text, whatever its case, from a byte on; it looks about a second and says how far.

    Raises:
        NotFoundError: `no-log`.
    """
    needle = wanted.encode().lower()
    found: list[tuple[int, str]] = []
    deadline = time.monotonic() + PATIENCE
    with _open(path) as file:
        whole = file.seek(0, os.SEEK_END)
        at = _line_start(file, min(start, whole))
        file.seek(at)
        while at < whole and len(found) < HITS and time.monotonic() < deadline:
            text = file.read(STRIDE)
            if at + len(text) < whole and b"\n" in text:
                text = text[: text.rindex(b"\n") + 1]
            at = _hits(text, needle, at, found)
            file.seek(at)
    return Hits(tuple(found), at, whole)


def _hits(text: bytes, needle: bytes, at: int, found: list[tuple[int, str]]) -> int:
    """Note the lines of a piece that hold the text; return the byte up to which it was looked at."""
    lower = text.lower()
    position = lower.find(needle)
    while position >= 0:
        begin = text.rfind(b"\n", 0, position) + 1
        end = text.find(b"\n", position)
        end = len(text) if end < 0 else end
        near = max(begin, position - LONGEST // 2)
        found.append((at + begin, _shown(text[near : min(end, near + LONGEST)])))
        if len(found) >= HITS:
            return at + min(end + 1, len(text))
        position = lower.find(needle, end)
    return at + len(text)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"there is no log at {path}"
        hint = "the step printed nothing, did not run here, or its branch was dropped"
        raise NotFoundError(message, code="no-log", hint=hint) from error


def _line_start(file: BinaryIO, at: int) -> int:
    """Return where the line begins in which a byte lies; of a line longer than a page, the byte itself."""
    start = max(at - BLOCK, 0)
    file.seek(start)
    text = file.read(at - start)
    cut = text.rfind(b"\n")
    if cut >= 0:
        return start + cut + 1
    return 0 if start == 0 else at


def _lines(text: bytes) -> tuple[str, ...]:
    return tuple(_shown(line) for line in text.removesuffix(b"\n").split(b"\n")) if text else ()


def _shown(line: bytes) -> str:
    r"""Return a line as it is shown: no colours of terminals, no control characters, not endless.

    >>> _shown(b"\x1b[31mred\x1b[0m\r"), _shown(b"a\tb\x00")
    ('red', 'a\tb\ufffd')
    """
    text = _ANSI.sub("", line[: 4 * LONGEST].decode(errors="replace")).rstrip("\r")
    text = text.rpartition("\r")[2]  # progress bars write over themselves
    text = "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(line):,} bytes)"
