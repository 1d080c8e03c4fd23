"""Steps of the conformance pipelines: each shows one thing that every platform must do alike."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl


def start(numbers: pl.DataFrame) -> pl.DataFrame:
    return numbers


def left(started: pl.DataFrame) -> pl.DataFrame:
    return started.filter(pl.col("n") % 2 == 0)


def right(started: pl.DataFrame) -> pl.DataFrame:
    return started.with_columns(pl.col("n") * 10)


def join(lefts: pl.DataFrame, rights: pl.DataFrame) -> pl.DataFrame:
    return lefts.join(rights, on="id", suffix="_right")


def flaky(marker: str) -> str:
    path = Path(marker)
    if not path.exists():
        path.write_text("seen")
        raise RuntimeError("not yet")
    return "at last"


def broken() -> str:
    raise ValueError("never")


def fine() -> str:
    return "fine"


def after(word: str) -> str:
    return f"after {word}"


def slow() -> None:
    time.sleep(60)


def typed(day: str, count: int, share: float, loud: bool) -> list[str]:
    return [f"{day}", f"{count + 1}", f"{share / 2}", f"{not loud}"]


def large() -> str:
    return "x" * 400_000


def length(text: str) -> int:
    return len(text)


def pair(one: int, two: int) -> int:
    return one + two


def twice(numbers: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([numbers, numbers])


def given(event: dict[str, int]) -> int:
    return event["n"]
