"""Rows survive every format and every frame, exactly."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.conftest import Begin, task

from anabranch.data import frames
from anabranch.data.describe import read_dataset
from anabranch.data.local import LocalData
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import StepError

FORMATS = list(Format)
KINDS = {"polars": pl.DataFrame, "pandas": pd.DataFrame, "pyarrow": pa.Table, "lazy": pl.LazyFrame}
COLUMNS = (
    Column("k", "int64"),
    Column("big", "int64"),
    Column("text", "string"),
    Column("day", "date"),
    Column("at", "timestamptz"),
    Column("price", "decimal(10,2)"),
    Column("flag", "bool"),
)
ROWS = pl.DataFrame(
    {
        "k": [1, 2, 3],
        "big": [2**53 + 1, None, -(2**63)],
        "text": ['quote " and, comma', "", None],
        "day": [date(2013, 1, 5), None, date(1, 1, 1)],
        "at": [datetime(2013, 1, 5, 6, 7, 8, 9, tzinfo=UTC), None, None],
        "price": [Decimal("1.10"), None, Decimal("-0.01")],
        "flag": [True, False, None],
    },
    schema_overrides={"price": pl.Decimal(10, 2)},
)


def publish(begin: Begin, spec: DatasetSpec, frame: object, **options: object) -> None:
    """Write a frame as a dataset."""
    staging = begin([], [spec], **options)
    staging.save(spec.name, frame)
    staging.commit()
    staging.close()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_survives_every_format(begin: Begin, tmp_path: Path, form: Format, kind: str) -> None:
    """Large integers, nulls, empty text, dates, instants and decimals are the same after a round trip."""
    spec = DatasetSpec("d", format=form, columns=COLUMNS, primary_key=("k",))
    publish(begin, spec, ROWS)
    staging = begin([spec], [DatasetSpec("e", format=form, columns=COLUMNS)], run="run2")
    frame = staging.load("d", KINDS[kind])
    assert isinstance(frame, KINDS[kind])
    staging.save("e", frame)
    reads, writes = staging.commit()
    staging.close()
    assert (reads[0].rows, writes[0].rows) == (3, 3)
    told = read_dataset(tmp_path, DatasetSpec("e", format=form, columns=COLUMNS), pl.DataFrame)
    assert told.with_columns(pl.col("at").dt.convert_time_zone("UTC")).equals(ROWS)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1) | st.none(),
            st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.none(),
            st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        ),
        max_size=8,
    ),
    st.sampled_from([Format.CSV, Format.JSONL, Format.PARQUET]),
)
def test_any_rows_survive(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]], form: Format
) -> None:
    """Whatever text, integer or float."""
    storage = tmp_path_factory.mktemp("data")
    columns = (Column("n", "int64"), Column("t", "string"), Column("f", "float64"))
    spec = DatasetSpec("d", format=form, columns=columns)
    frame = pl.DataFrame(rows, schema={"n": pl.Int64, "t": pl.String, "f": pl.Float64}, orient="row")
    staging = LocalData(storage).begin(task(storage, [], [spec]))
    staging.save("d", frame)
    staging.commit()
    staging.close()
    assert read_dataset(storage, spec).equals(frame)


def test_pandas_integers_with_nulls_stay_integers(begin: Begin) -> None:
    """As floats they would lose digits."""
    spec = DatasetSpec("d", columns=COLUMNS)
    publish(begin, spec, ROWS)
    frame = begin([spec], [], run="run2").load("d", pd.DataFrame)
    assert isinstance(frame, pd.DataFrame)
    assert frame["big"][0] == 2**53 + 1


def test_a_relation_of_another_connection_can_be_returned(begin: Begin) -> None:
    """A step may have a DuckDB of its own; sums, which are 128 bits wide, are stored as 64."""
    spec = DatasetSpec("d", columns=(Column("s", "int64"),))
    other = duckdb.connect()
    publish(begin, spec, other.sql("select sum(x) as s from range(10) t(x)"))
    assert begin([spec], [], run="run2").load("d", pl.DataFrame)["s"].to_list() == [45]  # type: ignore[index]


def test_a_path_is_the_location(begin: Begin) -> None:
    """And text is it too."""
    spec = DatasetSpec("d", format=Format.CSV)
    publish(begin, spec, ROWS)
    staging = begin([spec], [], run="run2")
    assert isinstance(staging.load("d", Path), Path)
    assert Path(str(staging.load("d", str))).read_text().startswith("k,big,text")


@pytest.mark.parametrize(
    "annotation, code", [(None, "unknown-frame"), (dict, "unknown-frame"), ("np.ndarray", "unknown-frame")]
)
def test_an_unknown_frame_is_refused_by_name(begin: Begin, annotation: object, code: str) -> None:
    """With the list of those that are known."""
    spec = DatasetSpec("d")
    publish(begin, spec, ROWS)
    with pytest.raises(StepError) as caught:
        begin([spec], [], run="run2").load("d", annotation)
    assert caught.value.code == code
    assert "polars.DataFrame" in caught.value.hint


def test_durations_and_other_things_are_refused(begin: Begin) -> None:
    """What Parquet cannot hold exactly is not rounded; what is no table is said."""
    spec = DatasetSpec("d")
    with pytest.raises(StepError) as caught:
        publish(begin, spec, pl.DataFrame({"d": [timedelta(days=1)]}))
    assert caught.value.code == "unstorable-type"
    with pytest.raises(StepError) as other:
        publish(begin, spec, [1, 2], attempt=2)
    assert other.value.code == "unknown-frame"


def test_names_of_frames_are_told_apart_without_imports() -> None:
    """Also where an annotation could not be resolved."""
    assert frames.name_of("pl.DataFrame") == frames.name_of(pl.DataFrame) == "polars.DataFrame"
    assert frames.name_of(pa.Table) == "pyarrow.Table"
    assert frames.name_of(duckdb.DuckDBPyRelation) == "duckdb.DuckDBPyRelation"
