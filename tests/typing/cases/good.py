"""What users write and type checkers must accept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from typing_extensions import assert_type

from anabranch import Dataset, Param, Retry, S3ObjectCreated, pipeline, shell, sql, step

raw = Dataset("raw", columns={"id": "int64"}, primary_key=["id"])
clean = Dataset("clean", stage="cleaned")


@dataclass
class Event:
    key: str


@dataclass
class Scene:
    name: str


@dataclass
class Landsat(Scene):
    path: int


@step
def extract(event: Event) -> Landsat:
    return Landsat(event.key, 1)


@step(retry=Retry(attempts=3, delay=1), timeout="5m")
def thumbnail(scene: Scene, size: int = 64) -> bytes:
    return scene.name.encode()


@step(retry=3)
def item(scene: Scene) -> dict[str, str]:
    return {"name": scene.name}


@step
def load(picture: bytes, item: dict[str, str]) -> None: ...


@step(reads=[raw, "other"], writes=clean, requirements=["six==1.17.0"])
def tidy(raw: object, other: object, day: date) -> object:
    return raw


assert_type(extract(Event("k")), Landsat)
assert_type(extract(event=Event("k")), Landsat)
assert_type(thumbnail(Scene("s"), size=3), bytes)

one = pipeline("one", extract >> [thumbnail, item] >> load, trigger=S3ObjectCreated("inbox", suffix=".json"))
two = pipeline("two", [tidy, sql("q", "select 1", reads=clean), shell("s", ["true"])], params={"day": date})
three = pipeline("three", [one, two, extract >> item, tidy], params={"n": Param(int, default=3)}, schedule="0 6 * * *")
