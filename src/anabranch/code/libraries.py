"""Libraries: the distributions that modules of others are of, and the versions that were installed."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def versions(module: str, installed: Mapping[str, str]) -> dict[str, str]:
    """Return the version of each distribution that a top-level module is of; `?` where it was not installed.

    Args:
        module: as it is imported.
        installed: versions by name.

    >>> versions("polars", {"polars": "1.0"})
    {'polars': '1.0'}
    """
    name = _normal(module)
    names = [name] if name in installed else [_normal(each) for each in _packages().get(module, [name])]
    return {each: installed.get(each, "?") for each in names}


@cache
def _packages() -> Mapping[str, list[str]]:
    """Return distributions by top-level module; it takes a tenth of a second, once."""
    from importlib.metadata import packages_distributions

    return packages_distributions()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
