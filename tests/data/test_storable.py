"""What a format cannot hold exactly is cast where nothing is lost, and refused by name elsewhere, before the commit."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from tests.data.conftest import Begin, task

from anabranch.data.describe import describe, read_dataset
from anabranch.data.local import LocalData
from anabranch.model.call import ShellCall
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import StepError

ALL = list(Format)
TABLES = [Format.DELTA, Format.ICEBERG]


def kept(begin: Begin, storage: Path, spec: DatasetSpec, frame: object, run: str = "run1") -> pl.DataFrame:
    """What is read of a frame that was saved."""
    staging = begin([], [spec], run=run)
    try:
        staging.save(spec.name, frame)
        staging.commit()
    finally:
        staging.close()
    found = read_dataset(storage, spec)
    assert isinstance(found, pl.DataFrame)
    return found


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize(
    "query, said",
    [
        ("SELECT [INTERVAL 1 DAY] AS a", "duration"),
        ("SELECT {'b': INTERVAL 1 DAY} AS a", "duration"),
        ("SELECT '12:00:00+01'::TIMETZ AS a", "time of day with a zone"),
        ("SELECT union_value(k := 1) AS a", "union"),
        ("SELECT (2::HUGEINT ** 100)::HUGEINT AS a", "2.*BIGINT|INT128|out of range|fit"),
    ],
)
def test_what_no_format_holds_is_refused(begin: Begin, tmp_path: Path, form: Format, query: str, said: str) -> None:
    """Also inside of lists and structs."""
    with pytest.raises(StepError, match=rf"(?i){said}") as caught:
        kept(begin, tmp_path, DatasetSpec("d", format=form), duckdb.sql(query))
    assert caught.value.code == "unstorable-type"
    assert not describe(tmp_path, DatasetSpec("d", format=form)).exists


@pytest.mark.parametrize("form", ALL)
def test_what_is_cast_loses_nothing(begin: Begin, tmp_path: Path, form: Format) -> None:
    """Sums of 128 bits, counts without a sign, identifiers, enums, all of them null."""
    query = """SELECT 7::HUGEINT AS huge, 7::UTINYINT AS tiny, 7::UBIGINT AS large, 'a'::ENUM('a', 'b') AS enum,
        '00000000-0000-0000-0000-000000000001'::UUID AS uuid, NULL AS none, [7::UINTEGER] AS list,
        TIMESTAMP_S '2020-01-01' AS s"""
    row = kept(begin, tmp_path, DatasetSpec("d", format=form), duckdb.sql(query)).row(0, named=True)
    assert (row["huge"], row["tiny"], row["large"], row["enum"], row["none"]) == (7, 7, 7, "a", None)
    assert row["uuid"] == "00000000-0000-0000-0000-000000000001"
    assert str(row["list"]) in {"[7]", "[7.0]"}


@pytest.mark.parametrize("form", ALL)
def test_nanoseconds_are_never_cut_off(begin: Begin, tmp_path: Path, form: Format) -> None:
    """Where there are none, microseconds hold them."""
    promised = DatasetSpec("d", format=form, columns=(Column("t", "timestamp"),))
    whole = pl.DataFrame({"t": pl.Series([1000, None]).cast(pl.Datetime("ns"))})
    assert kept(begin, tmp_path, promised, whole)["t"].dt.epoch("us").to_list() == [1, None]
    for spec in [promised] if form is Format.PARQUET else [promised, DatasetSpec("d", format=form)]:
        with pytest.raises(StepError, match="nanoseconds") as caught:
            kept(begin, tmp_path, spec, pl.DataFrame({"t": pl.Series([1]).cast(pl.Datetime("ns"))}), "run2")
        assert caught.value.code == "unstorable-type"


@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL, Format.PARQUET, Format.ICEBERG])
def test_times_of_day_are_kept(begin: Begin, tmp_path: Path, form: Format) -> None:
    """Polars counts them in nanoseconds."""
    spec = DatasetSpec("d", format=form, columns=(Column("t", "time"),))
    frame = pl.DataFrame({"t": [time(1, 2, 3, 4), None]})
    assert kept(begin, tmp_path, spec, frame).equals(frame)


def test_delta_has_no_time_of_day(begin: Begin, tmp_path: Path) -> None:
    """It is said before anything is published."""
    with pytest.raises(StepError, match="time of day"):
        kept(begin, tmp_path, DatasetSpec("d", format=Format.DELTA), pl.DataFrame({"t": [time(1)]}))


@pytest.mark.parametrize("form", TABLES)
def test_a_promise_that_a_table_cannot_keep_is_refused(begin: Begin, tmp_path: Path, form: Format) -> None:
    """Integers without a sign would come back with one."""
    spec = DatasetSpec("d", format=form, columns=(Column("n", "uint32"),))
    with pytest.raises(StepError, match="promised as uint32"):
        kept(begin, tmp_path, spec, pl.DataFrame({"n": [1]}))


@pytest.mark.parametrize("form", TABLES)
def test_a_folder_of_files_becomes_a_table(tmp_path: Path, form: Format) -> None:
    """Spark writes one; counts without a sign in it are widened as those of frames are."""
    spec = DatasetSpec("d", format=form)
    staging = LocalData(tmp_path).begin(task(tmp_path, [], [spec], call=ShellCall(("true",))))
    folder = Path(staging.targets["d"].location)
    folder.mkdir()
    for n in range(2):
        pl.DataFrame({"n": [n]}, schema={"n": pl.UInt32}).write_parquet(folder / f"part-{n}.parquet")
    (folder / "_SUCCESS").touch()
    staging.commit()
    staging.close()
    frame = read_dataset(tmp_path, spec)
    assert (frame["n"].to_list(), frame["n"].dtype) == ([0, 1], pl.Int64)


@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize("folder", ["with space", "ünïcode #?'"])
def test_a_table_may_lie_anywhere(tmp_path: Path, form: Format, folder: str) -> None:
    """Its folder's name is no address."""
    storage = tmp_path / folder
    storage.mkdir()
    spec = DatasetSpec("d", format=form, partition_by=("k",))
    for n in range(2):
        staging = LocalData(storage).begin(task(storage, [], [spec], run=f"run{n}"))
        staging.save("d", pl.DataFrame({"k": ["a", "b"], "n": [n, n]}))
        staging.commit()
        staging.close()
    assert sorted(read_dataset(storage, spec).select("k", "n").rows()) == [("a", 1), ("b", 1)]
    assert {path.parent.name for path in (storage / "raw/d").rglob("k=*/*.parquet")} == {"k=a", "k=b"}


@pytest.mark.parametrize("form", TABLES)
def test_a_table_that_would_refuse_the_rows_is_asked_before_the_commit(
    begin: Begin, tmp_path: Path, form: Format
) -> None:
    """Else every later run would fail to finish the publication."""
    kept(begin, tmp_path, DatasetSpec("d", format=form), pl.DataFrame({"k": ["a"], "n": [1]}))
    with pytest.raises(StepError, match="partitioned") as caught:
        kept(begin, tmp_path, DatasetSpec("d", format=form, partition_by=("k",)), pl.DataFrame({"k": ["a"]}), "run2")
    assert caught.value.code == "unstorable-type"
    if form is Format.ICEBERG:
        with pytest.raises(StepError, match="cannot take"):
            kept(begin, tmp_path, DatasetSpec("d", format=form), pl.DataFrame({"k": ["a"], "n": ["x"]}), "run3")
    assert read_dataset(tmp_path, DatasetSpec("d", format=form)).rows() == [("a", 1)]


def test_a_named_index_of_pandas_is_data(begin: Begin, tmp_path: Path) -> None:
    """The keys of a group-by are; a plain count of rows is not."""
    frame = pd.DataFrame({"g": ["a", "a", "b"], "v": [1, 2, 3]})
    summed = kept(begin, tmp_path, DatasetSpec("d"), frame.groupby("g").sum())
    assert summed.rows() == [("a", 3), ("b", 3)]
    assert kept(begin, tmp_path, DatasetSpec("d"), frame[frame["v"] > 1], "run2").columns == ["g", "v"]


def test_integers_of_128_bits_must_fit(begin: Begin, tmp_path: Path) -> None:
    """Arrow knows none, and polars gives them."""
    frame = pl.DataFrame({"n": pl.Series([7], dtype=pl.Int128)})
    assert kept(begin, tmp_path, DatasetSpec("d"), frame)["n"].to_list() == [7]
    with pytest.raises(StepError, match="64 bits"):
        kept(begin, tmp_path, DatasetSpec("d"), pl.DataFrame({"n": pl.Series([2**100], dtype=pl.Int128)}), "run2")
    with pytest.raises(StepError, match="duration"):
        kept(begin, tmp_path, DatasetSpec("d"), pl.DataFrame({"n": [timedelta(1)]}), "run3")
