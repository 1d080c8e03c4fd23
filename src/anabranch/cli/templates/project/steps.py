"""Steps are plain functions: call them in a test, a notebook or a shell."""

from __future__ import annotations

import polars as pl


def clean(readings: pl.DataFrame) -> pl.DataFrame:
    """Keep what the gauges did measure: a broken one says nothing, or -999."""
    return readings.filter(pl.col("level_cm") >= 0)
