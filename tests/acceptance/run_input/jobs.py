from typing import TypedDict

from anabranch import S3ObjectCreated, pipeline, step


class Event(TypedDict):
    key: str
    size: int


@step
def extract(event: Event) -> str:
    return event["key"]


@step
def load(key: str) -> str:
    return key.upper()


ingest = pipeline("ingest", [extract >> load], trigger=S3ObjectCreated("inbox", suffix=".json"))
