"""A fingerprint: everything that decides what a step makes, part by part, so that a change can be named."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What decides what a step makes.

    Attributes:
        parts: what counts, by a name for people: `code of clean()`, `library polars`, `file sql/x.sql`, `params`.
        impure: why it cannot be resolved; such a step may have changed though its parts have not.
        random: why it may make something else each time.
    """

    parts: tuple[tuple[str, str], ...]
    impure: tuple[str, ...] = ()
    random: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """One digest of all parts."""
        return hashlib.sha256(json.dumps(self.parts).encode()).hexdigest()

    def with_part(self, name: str, value: str) -> Fingerprint:
        """Return it with one more part."""
        return Fingerprint(tuple(sorted({**dict(self.parts), name: value}.items())), self.impure, self.random)


def together(found: Iterable[Fingerprint]) -> Fingerprint:
    """Return the fingerprint of several things as one."""
    parts: dict[str, str] = {}
    impure: list[str] = []
    random: list[str] = []
    for each in found:
        parts |= dict(each.parts)
        impure += each.impure
        random += each.random
    return Fingerprint(tuple(sorted(parts.items())), once(impure), once(random))


def once(texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts in their order, each once."""
    return tuple(dict.fromkeys(texts))
