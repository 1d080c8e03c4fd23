"""Outputs and watermarks are published together: killed anywhere, it happened or it did not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.data.conftest import task

from anabranch.data import disk, journal
from anabranch.data.describe import describe, read_dataset
from anabranch.data.local import LocalData
from anabranch.data.watermark import listed
from anabranch.model.call import ShellCall
from anabranch.model.dataset import DatasetSpec, Format, Ingestion
from anabranch.model.errors import ContractError
from anabranch.model.pipeline import Rows

EVENTS = DatasetSpec("events", format=Format.CSV, incremental_field="n", ingestion=Ingestion.INCREMENTAL)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it on the way."""


def outputs(form: Format) -> list[DatasetSpec]:
    """Two datasets, one of them a folder when it is a file format."""
    return [
        DatasetSpec("log", format=form),
        DatasetSpec("latest", format=form, primary_key=("k",), partition_by=("k",) if form is Format.PARQUET else ()),
    ]


def write_events(storage: Path, numbers: range) -> None:
    """Put rows 0 to n in the raw dataset."""
    (storage / "raw").mkdir(exist_ok=True)
    (storage / "raw" / "events.csv").write_text("n,k\n" + "".join(f"{n},{n % 3}\n" for n in numbers))


def ingest(storage: Path, form: Format, run: str) -> None:
    """One attempt of a step that logs new events and keeps the latest of each key."""
    staging = LocalData(storage).begin(task(storage, [EVENTS], outputs(form), run=run))
    try:
        rows = staging.load("events", pl.DataFrame)
        assert isinstance(rows, pl.DataFrame)
        staging.save("log", rows)
        staging.save("latest", rows.group_by("k").agg(pl.col("n").max()).sort("k"))
        staging.commit()
    finally:
        staging.close()


def state(storage: Path, form: Format) -> Any:
    """What a reader sees: both datasets and the watermark."""
    found = [
        sorted(read_dataset(storage, spec).select("n", "k").rows()) if describe(storage, spec).exists else None
        for spec in outputs(form)
    ]
    return [*found, {key: mark.value for key, mark in listed(storage, "p").items()}]


def expected(count: int) -> Any:
    """The same, worked out by hand."""
    rows = [(n, n % 3) for n in range(count)]
    latest = {k: n for n, k in rows}
    return [rows, sorted((n, k) for k, n in latest.items()), {("s", "events"): str(count - 1)}]


@pytest.mark.parametrize("form", [Format.CSV, Format.PARQUET, Format.DELTA, Format.ICEBERG])
def test_only_new_rows_are_handed_over_and_outputs_grow(tmp_path: Path, form: Format) -> None:
    """Append without a key, upsert with one; nothing new changes nothing."""
    write_events(tmp_path, range(5))
    ingest(tmp_path, form, "run1")
    assert state(tmp_path, form) == expected(5)
    write_events(tmp_path, range(9))
    ingest(tmp_path, form, "run2")
    assert state(tmp_path, form) == expected(9)
    ingest(tmp_path, form, "run3")
    assert state(tmp_path, form) == expected(9)


@pytest.mark.parametrize("form", [Format.CSV, Format.PARQUET, Format.DELTA])
def test_killed_after_any_operation_it_happened_or_it_did_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    """Every file operation of a publication is the last one in turn; recovery may be killed as well."""
    points = 0
    while True:
        storage = tmp_path / str(points)
        storage.mkdir()
        write_events(storage, range(5))
        ingest(storage, form, "run1")
        write_events(storage, range(9))
        left = [points]
        with monkeypatch.context() as patch:
            for name in ("rename", "remove", "sync", "sync_folder"):
                patch.setattr(disk, name, dying(getattr(disk, name), left))
            try:
                ingest(storage, form, "run2")
                done = True
            except Killed:
                done = False
        with monkeypatch.context() as patch:  # recovery is killed once, after its first operation
            patch.setattr(disk, "rename", dying(disk.rename, [1]))
            with suppress(Killed):
                LocalData(storage).recover("p")
        LocalData(storage).recover("p")
        assert state(storage, form) in (expected(5), expected(9)), f"killed after operation {points}"
        assert not list((storage / "_anabranch" / "journal").rglob("*.json"))
        ingest(storage, form, "run3")
        assert state(storage, form) == expected(9)
        if done:
            break
        points += 1
    assert points > 5


def dying(act: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """Let the operation happen, but no further one once the count is used up."""

    def once(*arguments: Any) -> Any:
        if left[0] <= 0:
            raise Killed
        left[0] -= 1
        return act(*arguments)

    return once


def test_a_breach_in_one_output_publishes_none(tmp_path: Path) -> None:
    """Nor does the watermark move."""
    write_events(tmp_path, range(5))
    ingest(tmp_path, Format.CSV, "run1")
    write_events(tmp_path, range(9))
    staging = LocalData(tmp_path).begin(task(tmp_path, [EVENTS], outputs(Format.CSV), run="run2"))
    rows = staging.load("events", pl.DataFrame)
    assert isinstance(rows, pl.DataFrame)
    assert rows["n"].to_list() == [5, 6, 7, 8]
    staging.save("log", rows)
    staging.save("latest", rows.select("n", pl.lit(1).alias("k")))
    with pytest.raises(ContractError):
        staging.commit()
    staging.close()
    assert state(tmp_path, Format.CSV) == expected(5)


def test_a_process_sees_a_file_of_the_new_rows(tmp_path: Path) -> None:
    """And all of them where it asks for all."""
    write_events(tmp_path, range(5))
    ingest(tmp_path, Format.CSV, "run1")
    write_events(tmp_path, range(7))
    call = ShellCall(("true",))
    some = LocalData(tmp_path).begin(task(tmp_path, [EVENTS], [], call=call, run="run2"))
    assert Path(some.sources["events"].location).read_text() == "n,k\n5,2\n6,0\n"
    every = LocalData(tmp_path).begin(task(tmp_path, [EVENTS], [], call=call, run="run3", rows=Rows.ALL))
    assert every.sources["events"].location == str(tmp_path / "raw" / "events.csv")


def test_rows_without_the_field_are_refused(tmp_path: Path) -> None:
    """They would be neither new nor old."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "events.csv").write_text("n,k\n1,1\n,2\n")
    with pytest.raises(ContractError) as caught:
        ingest(tmp_path, Format.CSV, "run1")
    assert caught.value.code == "null-value"


def test_watermarks_keep_every_digit(tmp_path: Path) -> None:
    """A timestamp's microseconds decide what is new."""
    spec = DatasetSpec("events", format=Format.CSV, incremental_field="at", ingestion=Ingestion.INCREMENTAL)
    target = DatasetSpec("log", format=Format.CSV)
    (tmp_path / "raw").mkdir()
    lines = ["at", "2013-01-05 06:00:00.000001", "2013-01-05 06:00:00.000002"]
    for count, run in ((2, "run1"), (3, "run2")):
        (tmp_path / "raw" / "events.csv").write_text("\n".join(lines[:count]) + "\n")
        staging = LocalData(tmp_path).begin(task(tmp_path, [spec], [target], run=run))
        rows = staging.load("events", pl.DataFrame)
        assert isinstance(rows, pl.DataFrame)
        assert rows.height == 1
        staging.save("log", rows)
        staging.commit()
        staging.close()
    assert read_dataset(tmp_path, target).height == 2


def test_journals_can_be_read_by_people(tmp_path: Path) -> None:
    """They lie in a folder for each pipeline."""
    assert journal.folder(tmp_path, "a/b").name == "a%2Fb"
