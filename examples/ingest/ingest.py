"""One event at a time: a satellite scene arrives in a bucket, and its catalogue entry is made of it.

Values flow from step to step along `>>`; a type checker compares them, and so does `anabranch check`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from pydantic import BaseModel, Field

import anabranch
from anabranch import Dataset, Retry, S3ObjectCreated, step

if TYPE_CHECKING:
    import polars as pl

items = Dataset(
    "items",
    stage="final",
    format="jsonl",
    columns={"id": "string", "cloud_cover": "float64", "preview": "string"},
    primary_key=["id"],
    description="The catalogue: one row for each scene",
)


class Scene(BaseModel):
    """The metadata that came with the event."""

    id: str
    taken: datetime
    longitude: float = Field(ge=-180, le=180)
    latitude: float = Field(ge=-90, le=90)
    width_km: float = Field(gt=0)
    cloud_cover: float = Field(ge=0, le=100)


class Event(TypedDict):
    """What the bucket tells of a new object."""

    key: str
    scene: Scene


@dataclass
class Footprint:
    """The corners of a scene, as [west, south, east, north] in degrees."""

    bbox: list[float]


@dataclass
class Preview:
    """A small picture, by its name."""

    path: str
    bytes: int


@step
def extract(event: Event) -> Scene:
    """Read the scene out of the event."""
    return event["scene"]


@step
def footprint(scene: Scene) -> Footprint:
    """Work out the corners: a degree of longitude shrinks towards the poles."""
    north = scene.width_km / 2 / 111.32
    east = north / max(math.cos(math.radians(scene.latitude)), 0.01)
    corners = [scene.longitude - east, scene.latitude - north, scene.longitude + east, scene.latitude + north]
    return Footprint([round(each, 4) for each in corners])


@step(retry=Retry(attempts=3, delay=0.5), timeout="1m")
def thumbnail(scene: Scene) -> Preview:
    """Draw a preview; here its name and size only."""
    name = hashlib.sha256(scene.id.encode()).hexdigest()[:12]
    return Preview(f"previews/{name}.png", 4096)


@step
def to_stac(footprint: Footprint, thumbnail: Preview, extract: Scene) -> dict[str, object]:
    """Put a catalogue entry together from three steps before: ports are named as the steps they come from."""
    return {
        "id": extract.id,
        "taken": extract.taken.isoformat(),
        "bbox": footprint.bbox,
        "cloud_cover": extract.cloud_cover,
        "preview": thumbnail.path,
    }


@step(writes=items)
def load(item: dict[str, object]) -> pl.DataFrame:
    """Add the entry to the catalogue."""
    import polars as pl

    return pl.DataFrame([item])


pipeline = anabranch.pipeline(
    "ingest",
    [extract >> [footprint, thumbnail] >> to_stac >> load, extract >> to_stac],
    trigger=S3ObjectCreated("inbox", suffix=".json"),
    tests="tests.yaml",
    description="From an object in a bucket to an entry in the catalogue",
)
