"""What a step may touch below a storage root, so that a platform can forbid it all else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

DONE = "_anabranch/done"
"""Where, below a storage root, jobs that can return nothing say that a step ended well."""


@dataclass(frozen=True, slots=True)
class Access:
    """Keys below a storage root; `*` stands for any text. What may be written may be read too.

    Attributes:
        reads: only read.
        writes: written, and deleted.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]


def done(pipeline: str, step: str) -> str:
    """Return the key below which a step says that it ended well, where it cannot return a value.

    Each execution has a key of its own there; the name is short and plain, whatever the step's is.

    >>> done("daily", "clean")
    '_anabranch/done/9acb98e56e6dc69bd4ad'
    """
    named = hashlib.sha256(f"{pipeline}/{step}".encode()).hexdigest()[:20]
    return f"{DONE}/{named}"
