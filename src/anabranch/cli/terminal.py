"""What a stream can show: colour, and characters beyond ASCII. Decided once for each stream."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

COLOURS = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36}


@dataclass(frozen=True, slots=True)
class Marks:
    """The signs that lines begin with, and those within them."""

    ok: str = "✓"
    reused: str = "="
    failed: str = "✗"
    skipped: str = "○"
    stopped: str = "■"
    again: str = "↻"
    running: str = "▶"
    waiting: str = "·"
    arrow: str = "→"
    warn: str = "!"
    dots: str = "…"
    rule: str = "│"


ASCII = Marks("ok", "=", "FAIL", "skip", "stop", "again", ">", ".", "->", "!", "...", "|")
"""The same for streams that can show no more."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """How to write to one stream."""

    tty: bool = False
    colour: bool = False
    marks: Marks = ASCII

    def paint(self, text: str, *styles: str) -> str:
        r"""Return the text in colour, where the stream shows any.

        >>> Terminal().paint("x", "red")
        'x'
        >>> Terminal(colour=True).paint("x", "bold", "red")
        '\x1b[1;31mx\x1b[0m'
        """
        if not self.colour or not styles or not text:
            return text
        codes = ";".join(str(COLOURS[style]) for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"


@cache
def terminal(stream: TextIO) -> Terminal:
    """Look at a stream: colour only on a terminal, unless `NO_COLOR` is set; signs only where its encoding has them."""
    tty = stream.isatty()
    colour = tty and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
    marks = Marks()
    try:
        "".join(getattr(marks, name) for name in Marks.__slots__).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        marks = ASCII
    return Terminal(tty, colour, marks)
