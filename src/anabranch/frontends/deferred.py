"""Data libraries that load only when first used, so that looking at a pipeline does not cost their import."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

HEAVY = frozenset({"duckdb", "pandas", "polars", "pyarrow", "pyspark"})
"""polars takes 0.4 s to import, pandas 1.1 s; a step's module names them, only its run uses them."""


class _Finder:
    """Finds the heavy packages as ever, but lets them execute at the first use of an attribute."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in HEAVY:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def defer_data_libraries() -> None:
    """From now on import the heavy data libraries lazily in this process. A missing one still fails at once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
