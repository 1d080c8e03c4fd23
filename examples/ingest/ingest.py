"""One event at a time: a satellite scene arrives in a bucket and becomes an item of the catalogue.

    extract ─┬─ footprint ─┬─ to_item ── load
             └─ sunlight ──┘

Values flow along `>>`, as pydantic models, dataclasses or TypedDicts. A type checker compares them in the editor, and
`anabranch check` does before anything runs.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

from pydantic import BaseModel, Field

from anabranch import Dataset, Retry, S3ObjectCreated, pipeline, step

EARTH_RADIUS_KM = 6371.0088

catalogue = Dataset(
    "catalogue",
    stage="final",
    format="jsonl",
    description="One item for each scene; sequence counts arrivals, so that readers know what is new.",
    columns={
        "sequence": "int64",
        "id": "string",
        "bbox": "list<float64>",
        "properties": "struct<datetime: timestamptz, cloud_cover: float64, area_km2: float64, sun_elevation: float64>",
    },
    primary_key=["id"],
    incremental_field="sequence",
    ingestion="incremental",
)


class ObjectCreated(BaseModel):
    """The event. Here a bucket is a folder of the project."""

    bucket: str
    key: str


class Scene(BaseModel):
    """What the ground station says of a scene; corners are (longitude, latitude), in order around it."""

    id: str
    taken: datetime
    cloud_cover: float = Field(ge=0, le=100)
    corners: list[tuple[float, float]] = Field(min_length=3)


@dataclass
class Footprint:
    ring: list[tuple[float, float]]  # closed: the first corner is the last as well
    bbox: list[float]  # west, south, east, north
    area_km2: float


class Sunlight(TypedDict):
    elevation: float  # degrees above the horizon, seen from the middle of the scene


class Item(TypedDict):
    """Much like a STAC item."""

    type: str
    id: str
    geometry: dict[str, Any]
    bbox: list[float]
    properties: dict[str, Any]


@step(retry=Retry(attempts=3, delay=0.5), timeout="30s")
def extract(event: ObjectCreated) -> Scene:
    """Fetch the object; a network would now and then say no, so it is tried three times."""
    return Scene.model_validate_json(Path(event.bucket, event.key).read_text(encoding="utf-8"))


@step
def footprint(scene: Scene) -> Footprint:
    """Close the ring, and measure the area on a sphere."""
    ring = [*scene.corners, scene.corners[0]]
    longitudes, latitudes = zip(*scene.corners, strict=True)
    twice = sum(
        math.radians(east - west) * (2 + math.sin(math.radians(south)) + math.sin(math.radians(north)))
        for (west, south), (east, north) in pairwise(ring)
    )
    bbox = [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]
    return Footprint(ring, bbox, round(abs(twice) * EARTH_RADIUS_KM**2 / 2, 1))


@step
def sunlight(scene: Scene) -> Sunlight:
    """How high the sun stood, to about a tenth of a degree.

    Source: https://aa.usno.navy.mil/faq/sun_approx
    """
    days = (scene.taken - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86_400
    longitude = math.radians(sum(x for x, _ in scene.corners) / len(scene.corners))
    latitude = math.radians(sum(y for _, y in scene.corners) / len(scene.corners))
    anomaly = math.radians(357.529 + 0.98560028 * days)
    ecliptic = math.radians(280.459 + 0.98564736 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.00000036 * days)
    right_ascension = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    hour_angle = math.radians((18.697374558 + 24.06570982441908 * days) % 24 * 15) + longitude - right_ascension
    height = math.sin(latitude) * math.sin(declination)
    height += math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    return {"elevation": round(math.degrees(math.asin(height)), 1)}


@step
def to_item(scene: Scene, footprint: Footprint, sunlight: Sunlight) -> Item:
    """Put the item together from three values: ports named as a step take that step's."""
    return {
        "type": "Feature",
        "id": scene.id,
        "geometry": {"type": "Polygon", "coordinates": [footprint.ring]},
        "bbox": footprint.bbox,
        "properties": {
            "datetime": scene.taken.isoformat(),
            "cloud_cover": scene.cloud_cover,
            "area_km2": footprint.area_km2,
            "sun_elevation": sunlight["elevation"],
        },
    }


# It reads what it writes: the catalogue as it was, all of it. Before the first run that is an empty file.
@step(reads={"before": catalogue.all()}, writes={"after": catalogue})
def load(item: Item, before: Path, after: Path) -> None:
    """Add the item, or replace the one with its id, so that an event that comes twice does no harm."""
    items = [json.loads(line) for line in before.read_text(encoding="utf-8").splitlines()]
    sequence = max((each["sequence"] for each in items), default=0) + 1
    items = [each for each in items if each["id"] != item["id"]] + [{"sequence": sequence, **item}]
    after.write_text("".join(json.dumps(each) + "\n" for each in items), encoding="utf-8")


ingest = pipeline(
    "ingest",
    [extract >> [footprint, sunlight] >> to_item >> load, extract >> to_item],
    trigger=S3ObjectCreated("inbox", suffix=".json"),
    tests="tests.yaml",
    description="From an object in a bucket to an item in the catalogue.",
)
