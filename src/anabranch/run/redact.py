"""Keeps the values of secrets out of logs and outcomes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from anabranch.model import codec
from anabranch.model.task import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

STARS = b"***"
_SHORTEST = 4
"""Shorter values would blank out half of every log."""


class Redactor:
    """Replaces known values by stars, in a stream or in an outcome."""

    def __init__(self, values: Sequence[str]) -> None:
        """Know the values; longer ones are replaced first, because one may hold another."""
        lines = [line for value in values for line in (value, *value.splitlines()) if len(line) >= _SHORTEST]
        self._values = sorted({line.encode() for line in lines}, key=len, reverse=True)

    @property
    def active(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._values)

    def text(self, text: bytes) -> bytes:
        """Return the text without the values."""
        for value in self._values:
            text = text.replace(value, STARS)
        return text

    def pump(self, source: int, target: int) -> None:
        """Copy from one file descriptor to another until the source ends; a value cut by a read is still found."""
        keep = max(map(len, self._values)) - 1
        rest = b""
        while piece := os.read(source, 1 << 16):
            text = self.text(rest + piece)
            cut = self._safe(text, keep)
            _write(target, text[:cut])
            rest = text[cut:]
        _write(target, rest)
        os.close(source)

    def _safe(self, text: bytes, keep: int) -> int:
        """Return how much of the text cannot be the start of a value."""
        for start in range(max(0, len(text) - keep), len(text)):
            if any(value.startswith(text[start:]) for value in self._values):
                return start
        return len(text)

    def outcome(self, outcome: Outcome) -> Outcome:
        """Return the outcome without the values, also where JSON escapes them."""
        text = json.dumps(codec.encode(outcome), ensure_ascii=False)
        for value in self._values:
            escaped = json.dumps(value.decode(), ensure_ascii=False)[1:-1]
            text = text.replace(escaped, STARS.decode())
        return codec.decode(Outcome, json.loads(text))  # type: ignore[arg-type]


def _write(target: int, text: bytes) -> None:
    while text:
        text = text[os.write(target, text) :]
