"""Where something was written: a file and a line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in the user's files. `file` is relative to the project where it lies inside; lines count from 1."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        """Show as editors and compilers do, so that terminals make it clickable.

        >>> str(Place("a.yaml", 3)), str(Place("a.yaml"))
        ('a.yaml:3', 'a.yaml')
        """
        return f"{self.file}:{self.line}" if self.line else self.file
