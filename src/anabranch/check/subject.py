"""What rules look at, and how they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anabranch.model.columns import Column
    from anabranch.model.pipeline import Pipeline


class Binder(Protocol):
    """Binds a query to tables without rows."""

    def __call__(
        self, query: str, tables: Mapping[str, tuple[Column, ...]], params: Mapping[str, str]
    ) -> tuple[Column, ...] | str:
        """Return the columns that the query gives, or the engine's message."""
        ...


@dataclass(frozen=True)
class Subject:
    """One pipeline, and what is around it."""

    pipeline: Pipeline
    root: Path
    bind: Binder | None = None
    registry: frozenset[str] = frozenset()
    """Names of all datasets of the project."""
    remote: bool = False
    """The storage is an object store."""
