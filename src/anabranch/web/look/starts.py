"""What starts a pipeline, and when next."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from anabranch.model.pipeline import ObjectCreated, Schedule
from anabranch.show.human import iso

if TYPE_CHECKING:
    from anabranch.model.pipeline import Pipeline
    from anabranch.show.shapes import Shape


def starts(pipeline: Pipeline) -> Shape:
    """Return what starts a pipeline besides people; `next_start` is what its schedule says, whoever obeys it."""
    match pipeline.trigger:
        case Schedule(cron, timezone):
            return {"trigger": f"{cron} ({timezone})", "next_start": iso(starts_at(pipeline))}
        case ObjectCreated(bucket, prefix, suffix, scheme):
            return {"trigger": f"an object at {scheme}://{bucket}/{prefix}*{suffix}", "next_start": None}
        case None:
            return {"trigger": None, "next_start": None}


def starts_at(pipeline: Pipeline) -> float | None:
    """Return when a pipeline's schedule starts it next, Unix time in s."""
    match pipeline.trigger:
        case Schedule(cron, timezone):
            return next_start(cron, timezone, int(time.time()) // 60)
        case _:
            return None


@lru_cache(maxsize=512)
def next_start(cron: str, timezone: str, minute: int) -> float | None:
    """Return when a schedule starts next, Unix time in s; None when that is never, or nobody can tell.

    Args:
        cron: five fields.
        timezone: of the IANA database.
        minute: since the epoch; what comes after it.

    >>> next_start("0 6 * * *", "UTC", 0)
    21600.0
    """
    from cronsim import CronSim, CronSimError

    try:
        now = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZoneInfo(timezone))
        return float(next(CronSim(cron, now)).timestamp())
    except (CronSimError, StopIteration, KeyError, ValueError):
        return None
