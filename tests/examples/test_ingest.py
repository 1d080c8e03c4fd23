"""The ingest example: what its computations give, and what its catalogue does when events come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.examples.conftest import EXAMPLES, anabranch

from anabranch.app import Project

REYKJAVIK = '{"bucket": "inbox", "key": "reykjavik.json"}'


def items(project: Path) -> dict[str, Any]:
    lines = (project / "data/final/catalogue.jsonl").read_text().splitlines()
    return {item["id"]: item for item in map(json.loads, lines)}


def test_items_arrive_one_event_at_a_time_and_none_is_lost(ingest: Path) -> None:
    for event in ("@event.json", REYKJAVIK, "@event.json"):
        anabranch(ingest, "run", "ingest", "--input", event)
    found = items(ingest)
    assert {name: item["sequence"] for name, item in found.items()} == {
        "demo-220015-20131221": 2,
        "demo-013032-20130609": 3,
    }


def test_coverage_reads_only_what_is_new_and_keeps_what_was(ingest: Path) -> None:
    read = []
    for event in ("@event.json", REYKJAVIK):
        anabranch(ingest, "run", "ingest", "--input", event)
        (step,) = anabranch(ingest, "run", "coverage")["result"]["run"]["steps"]
        read.append(step["reads"][0]["rows"])
    assert read == [1, 1]
    assert len((ingest / "data/final/coverage.csv").read_text().splitlines()) == 1 + 2


def test_its_own_tests_pass(ingest: Path) -> None:
    assert anabranch(ingest, "test")["ok"]


@pytest.fixture(scope="module")
def module() -> Any:
    Project.load(EXAMPLES / "ingest")
    import ingest  # type: ignore[import-not-found]

    return ingest


def test_a_square_degree_at_the_equator_has_its_known_area(module: Any) -> None:
    scene = module.Scene(id="a", taken="2024-01-01T00:00:00Z", cloud_cover=0, corners=[(0, 0), (1, 0), (1, 1), (0, 1)])
    found = module.footprint(scene)
    assert found.area_km2 == pytest.approx(12_364, abs=1)
    assert found.bbox == [0, 0, 1, 1]
    assert found.ring[0] == found.ring[-1]


@pytest.mark.parametrize(
    "taken, longitude, latitude, elevation",
    [
        ("2024-03-20T12:07:00Z", 0.0, 0.0, 90.0),  # equinox, noon on the equator
        ("2024-06-20T16:58:00Z", -74.0, 40.7, 90 - 40.7 + 23.44),  # solstice, solar noon in New York
        ("2024-12-21T12:00:00Z", 0.0, 90.0, -23.44),  # the pole's night
    ],
)
def test_the_sun_stands_where_astronomers_say(
    module: Any, taken: str, longitude: float, latitude: float, elevation: float
) -> None:
    corners = [(longitude, latitude)] * 3
    scene = module.Scene(id="a", taken=taken, cloud_cover=0, corners=corners)
    assert module.sunlight(scene)["elevation"] == pytest.approx(elevation, abs=0.3)
