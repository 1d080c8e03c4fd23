"""Outputs and watermarks are published together: killed anywhere, it happened or it did not."""

from __future__ import annotations

import errno
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.data.conftest import task

from anabranch.data import disk, duck, journal
from anabranch.data.describe import describe, read_dataset
from anabranch.data.formats import files
from anabranch.data.local import LocalData
from anabranch.data.watermark import listed
from anabranch.model.call import ShellCall
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format, Ingestion
from anabranch.model.errors import AnabranchError, ContractError, StepError
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


@pytest.mark.parametrize("form", [Format.CSV, Format.PARQUET, Format.DELTA, Format.ICEBERG])
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


@pytest.mark.parametrize(
    "field, text, code",
    [("m", "n\n1\n", "missing-column"), ("n", "n\n1.5\nnan\n", "null-value"), ("k", "n,k\n1,1\n", "other-watermark")],
)
def test_a_field_that_cannot_tell_new_from_old_is_refused(tmp_path: Path, field: str, text: str, code: str) -> None:
    """One that is not there, NaN that is past everything, another one than before."""
    write_events(tmp_path, range(5))
    ingest(tmp_path, Format.CSV, "run1")
    (tmp_path / "raw" / "events.csv").write_text(text)
    if code != "other-watermark":
        (tmp_path / "_anabranch" / "watermarks" / "p" / "s" / "events.json").unlink()
    spec = replace(EVENTS, incremental_field=field)
    with pytest.raises(AnabranchError) as caught:
        LocalData(tmp_path).begin(task(tmp_path, [spec], [], run="run2")).load("events", pl.DataFrame)
    assert caught.value.code == code


def test_rows_that_arrive_meanwhile_are_the_next_runs(tmp_path: Path) -> None:
    """The rows handed over and the watermark belong together."""
    write_events(tmp_path, range(5))
    staging = LocalData(tmp_path).begin(task(tmp_path, [EVENTS], outputs(Format.CSV), run="run1"))
    connection: Any = staging.connection()
    write_events(tmp_path, range(9))
    staging.save("log", connection.sql("SELECT * FROM events"))
    staging.save("latest", connection.sql("SELECT k, max(n) AS n FROM events GROUP BY k ORDER BY n"))
    staging.commit()
    staging.close()
    ingest(tmp_path, Format.CSV, "run2")
    assert state(tmp_path, Format.CSV) == expected(9)


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


def test_an_error_after_the_commit_point_is_finished_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt fails, nothing of it is lost, and whoever reads next sees all of it."""
    write_events(tmp_path, range(5))
    ingest(tmp_path, Format.CSV, "run1")
    write_events(tmp_path, range(9))
    left = [2]

    def full(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        rename(source, target)

    rename = disk.rename
    with monkeypatch.context() as patch:
        patch.setattr(disk, "rename", full)
        with pytest.raises(StepError) as caught:
            ingest(tmp_path, Format.CSV, "run2")
    assert caught.value.code == "publication-unfinished"
    log = outputs(Format.CSV)[0]
    LocalData(tmp_path).begin(task(tmp_path, [log], [], run="run3")).close()  # of any pipeline
    assert state(tmp_path, Format.CSV) == expected(9)


def test_whoever_reads_finishes_what_another_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the renames of a folder a dataset is missing: nobody sees that."""
    spec = DatasetSpec("d", partition_by=("k",), columns=(Column("k", "int64"), Column("n", "int64")))
    for n in range(2):
        staging = LocalData(tmp_path).begin(task(tmp_path, [], [spec], run=f"run{n}"))
        staging.save("d", pl.DataFrame({"k": [1], "n": [n]}))
        with monkeypatch.context() as patch:
            if n:
                patch.setattr(disk, "rename", dying(disk.rename, [2]))  # the journal, and the old data aside
                with pytest.raises(Killed):
                    staging.commit()
            else:
                staging.commit()
    assert not describe(tmp_path, spec).exists
    reader = LocalData(tmp_path).begin(task(tmp_path, [spec], [], run="run3"))
    assert reader.load("d", pl.DataFrame)["n"].to_list() == [1]  # type: ignore[index]


WRITER = """
import sys
from pathlib import Path
import polars as pl
sys.path.insert(0, sys.argv[2])
from tests.data.test_publication import ingest
from anabranch.model.dataset import Format
print("ready", flush=True)
for number in range(10_000):
    ingest(Path(sys.argv[1]), Format(sys.argv[3]), f"{sys.argv[4]}{number}")
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", [Format.PARQUET, Format.DELTA])
def test_killed_by_the_kernel_at_any_moment(tmp_path: Path, form: Format) -> None:
    """Rows arrive while writers are killed and others start: in the end each row is there once."""
    write_events(tmp_path, range(1))
    moments = random.Random(7)
    root = str(Path(__file__).parents[2])
    count = 1
    for number in range(6):
        arguments = [sys.executable, "-c", WRITER, str(tmp_path), root, form.value, f"run{number}x"]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            end = time.monotonic() + moments.uniform(0.02, 0.6)
            while time.monotonic() < end:
                count += 1
                fresh = tmp_path / "fresh.csv"
                fresh.write_text("n,k\n" + "".join(f"{n},{n % 3}\n" for n in range(count)))
                fresh.replace(tmp_path / "raw" / "events.csv")
            writer.kill()
        LocalData(tmp_path).recover("p")
    ingest(tmp_path, form, "last")
    assert state(tmp_path, form) == expected(count)


NEIGHBOUR = """
import sys
from dataclasses import replace
from pathlib import Path
import polars as pl
sys.path.insert(0, sys.argv[2])
from tests.data.conftest import task
from tests.data.test_publication import SHARED
from anabranch.data.local import LocalData
storage = Path(sys.argv[1])
for number in range(1_000_000):
    staging = LocalData(storage).begin(replace(task(storage, [], [SHARED], run=f"r{number}"), pipeline="other"))
    staging.save("shared", pl.DataFrame({"k": [1, 2, 3], "n": [number] * 3}))
    staging.commit()
    staging.close()
    print(number, flush=True)
"""
SHARED = DatasetSpec("shared", partition_by=("k",), columns=(Column("k", "int64"), Column("n", "int64")))


@pytest.mark.slow
def test_a_reader_sees_all_of_one_publication_while_another_pipeline_replaces_the_dataset(tmp_path: Path) -> None:
    """A folder of files cannot be replaced in one step: never some of each, nor none, nor an error."""
    arguments = [sys.executable, "-c", NEIGHBOUR, str(tmp_path), str(Path(__file__).parents[2])]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as neighbour:
        assert neighbour.stdout is not None
        assert neighbour.stdout.readline() == "0\n"
        try:
            seen = set()
            for number in range(60):
                staging = LocalData(tmp_path).begin(task(tmp_path, [SHARED], [], run=f"run{number}"))
                frame: Any = staging.load("shared", pl.DataFrame)
                staging.close()
                assert sorted(frame["k"]) == [1, 2, 3]
                assert frame["n"].n_unique() == 1
                seen.add(frame["n"][0])
        finally:
            neighbour.kill()
    assert len(seen) > 1


def test_a_location_where_nothing_lies_is_not_taken_for_no_rows(tmp_path: Path) -> None:
    """Only a folder without files is."""
    db = duck.connect()
    with pytest.raises(FileNotFoundError):
        files.scan(db, SHARED, tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert files.scan(db, SHARED, tmp_path / "empty").fetchall() == []
