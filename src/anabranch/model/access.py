"""What a step may touch below a storage root, so that a platform can forbid it all else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

BREACHES = "_anabranch/breaches"
"""Where, below a storage root, steps that broke a contract say so."""


@dataclass(frozen=True, slots=True)
class Access:
    """Keys below a storage root; `*` stands for any text. What may be written may be read too.

    Attributes:
        reads: only read.
        writes: written, and deleted.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]


def breaches(pipeline: str, step: str) -> str:
    """Return the key below which a step that broke a contract says so, where it cannot return a value.

    Each execution has a key of its own there; the name is short and plain, whatever the step's is.

    >>> breaches("daily", "clean")
    '_anabranch/breaches/9acb98e56e6dc69bd4ad'
    """
    named = hashlib.sha256(f"{pipeline}/{step}".encode()).hexdigest()[:20]
    return f"{BREACHES}/{named}"
