"""What a step may touch below a storage root, so that a platform can forbid it all else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """Keys below a storage root; `*` stands for any text. What may be written may be read too.

    Attributes:
        reads: only read.
        writes: written, and deleted.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
