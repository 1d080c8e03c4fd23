"""What every test gets."""

from __future__ import annotations

import atexit
import os

from hypothesis import settings


def _quiet() -> None:
    """DuckDB 2.0 prints what it leaks when an interpreter ends, behind pytest's summary; that belongs last."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


atexit.register(_quiet)
settings.register_profile("anabranch", deadline=None, max_examples=60)
settings.load_profile("anabranch")
