"""Text is parsed exactly as promised, or refused with its place; what is sensitive is never shown."""

from __future__ import annotations

import math
from datetime import time
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.conftest import Begin, task

from anabranch.data.describe import read_dataset
from anabranch.data.local import LocalData
from anabranch.model.call import ShellCall
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format, Ingestion
from anabranch.model.errors import AnabranchError, ContractError, StepError


def written(storage: Path, spec: DatasetSpec, text: str | bytes) -> pl.DataFrame:
    """What is read of a file that a process wrote."""
    staging = LocalData(storage).begin(task(storage, [], [spec], call=ShellCall(("true",))))
    try:
        Path(staging.targets[spec.name].location).write_bytes(text if isinstance(text, bytes) else text.encode())
        staging.commit()
    finally:
        staging.close()
    frame = read_dataset(storage, spec)
    assert isinstance(frame, pl.DataFrame)
    return frame


@pytest.mark.parametrize(
    "kind, text",
    [
        ("int64", "1.5"),
        ("int64", "1e3"),
        ("int8", "300"),
        ("decimal(10,2)", "1.999"),
        ("date", "2013-01-05 06:00:00"),
        ("date", "05/01/2013"),
        ("timestamp", "2013-01-05 06:00:00.123456789"),
        ("timestamp", "2013-01-05 06:00:00+02:00"),
        ("timestamp", "2013-01-05 06:00:00 Europe/Paris"),
        ("time", "06:00:00+02"),
        ("bool", "2"),
        ("float64", "1e400"),
        ("json", "{"),
    ],
)
def test_what_would_be_rounded_is_refused(tmp_path: Path, kind: str, text: str) -> None:
    """By column, line and text."""
    spec = DatasetSpec("d", format=Format.CSV, columns=(Column("a", kind),))
    with pytest.raises(ContractError) as caught:
        written(tmp_path, spec, f"a,b\n,x\n{text},y\n")
    assert caught.value.code == "bad-value"
    assert f"column `a` is not exactly {kind} in 1 row: line 3 '{text}'" in caught.value.message


@pytest.mark.parametrize(
    "kind, text, value",
    [
        ("int64", "1.0", 1),
        ("int64", " 7 ", 7),
        ("int64", "9007199254740993.00", 9007199254740993),
        ("decimal(10,2)", "1.500", Decimal("1.50")),
        ("timestamp", "2013-01-05T06:00:00Z", None),
        ("timestamp", "2013-01-05 06:00:00.120000000", None),
        ("date", "2013-01-05 00:00:00", None),
        ("time", "06:07:08.000009", time(6, 7, 8, 9)),
        ("float64", "-inf", -math.inf),
    ],
)
@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL])
def test_what_loses_nothing_is_read(tmp_path: Path, form: Format, kind: str, text: str, value: object) -> None:
    """However it is spelt."""
    spec = DatasetSpec("d", format=form, columns=(Column("a", kind),))
    content = f"a,b\n{text},x\n" if form is Format.CSV else f'{{"a": "{text}"}}\n'
    found = written(tmp_path, spec, content)["a"].to_list()
    assert len(found) == 1
    assert found[0] == value or (value is None and str(found[0]).startswith("2013-01-05"))


@pytest.mark.parametrize("text", ["1.5", "true", '"x"', '{"b": 1}'])
def test_json_of_another_type_is_refused(tmp_path: Path, text: str) -> None:
    """DuckDB alone makes the integer 2 of 1.5, and 1 of true."""
    spec = DatasetSpec("d", format=Format.JSONL, columns=(Column("a", "int64"),))
    with pytest.raises(ContractError, match="line 2"):
        written(tmp_path, spec, f'{{"a": 1}}\n{{"a": {text}}}\n')


def test_a_json_number_with_more_digits_than_are_read_is_refused(tmp_path: Path) -> None:
    """As a string it is exact."""
    spec = DatasetSpec("d", format=Format.JSONL, columns=(Column("a", "decimal(38,8)"),))
    with pytest.raises(ContractError, match="not exactly decimal"):
        written(tmp_path, spec, '{"a": 12345678901234567890.12345678}\n')
    frame = written(tmp_path, spec, '{"a": "12345678901234567890.12345678"}\n{"a": 1.5}\n{"a": null}\n')
    assert frame["a"].to_list() == [Decimal("12345678901234567890.12345678"), Decimal("1.5"), None]


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": 2}]', '{"a": 1}\n7\n', "[]\n"])
def test_lines_that_are_no_objects_are_refused(tmp_path: Path, text: str) -> None:
    """They are not taken for no rows."""
    for columns in ((Column("a", "int64"),), (Column("a"),)):
        spec = DatasetSpec("d", format=Format.JSONL, columns=columns)
        with pytest.raises(AnabranchError):
            written(tmp_path, spec, text)


@pytest.mark.parametrize(
    "text",
    ["id,pin\n1,4711\nx,4712\n", "id,pin\n1,4711\n2,4712,4713\n", 'id,pin\n1,4711\n2,"4712\n', "id,pin\n1,471x\n"],
)
@pytest.mark.parametrize("nested", [False, True])
def test_sensitive_values_are_never_shown(tmp_path: Path, text: str, nested: bool) -> None:
    """Neither of the bad column, nor of others on the same line."""
    pin = Column("pin", "list<int64>" if nested else "int64", sensitive=True)
    spec = DatasetSpec("d", format=Format.CSV, columns=(Column("id", "int64"), pin))
    with pytest.raises(ContractError) as caught:
        written(tmp_path, spec, text)
    assert "471" not in caught.value.message


def test_nor_are_they_in_errors_of_inputs_and_of_frames(begin: Begin, tmp_path: Path) -> None:
    """Whichever way they are handed over."""
    spec = DatasetSpec("d", format=Format.CSV, columns=(Column("id", "int64"), Column("pin", "uint8", sensitive=True)))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/d.csv").write_text("id,pin\n1,4711\n")
    with pytest.raises(StepError, match="line 2") as read:
        begin([spec], []).load("d", pl.DataFrame)
    with pytest.raises(StepError) as saved:
        begin([], [spec], run="run2").save("d", pl.DataFrame({"id": [1], "pin": [4711]}))
    assert "4711" not in read.value.message + saved.value.message


def test_a_query_over_an_input_names_the_input_that_is_not_as_promised(begin: Begin, tmp_path: Path) -> None:
    """Though it fails where the output is written."""
    spec = DatasetSpec("d", format=Format.CSV, columns=(Column("id", "int64"),))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/d.csv").write_text("id\n1\nx\n")
    staging = begin([spec], [DatasetSpec("e")])
    with pytest.raises(StepError, match=r"dataset `d` .* line 3 'x'") as caught:
        staging.save("e", staging.connection().sql("SELECT id + 1 AS id FROM d"))  # type: ignore[attr-defined]
    assert caught.value.code == "unreadable-input"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_header_says_what_separates_columns(tmp_path: Path, separator: str) -> None:
    """Not a guess from the values."""
    spec = DatasetSpec("d", format=Format.CSV, columns=(Column("a", "string"), Column("b", "int64")))
    text = f"a{separator}b\n#x|y;,z{separator}1\n".replace(f"|y;,z{separator}", f"{separator}")
    assert written(tmp_path, spec, text).rows() == [("#x", 1)]


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["", "NULL", "x|y", "a;b", "#", '"', "\n", "\r"]
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(TEXTS | st.none(), st.floats() | st.none(), st.binary() | st.none()), max_size=6),
    st.sampled_from([Format.CSV, Format.JSONL, Format.PARQUET]),
)
def test_any_text_number_and_bytes_survive(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]], form: Format
) -> None:
    """Control characters, separators, NaN, infinities."""
    storage = tmp_path_factory.mktemp("data")
    spec = DatasetSpec("d", format=form, columns=(Column("t", "string"), Column("f", "float64"), Column("b", "binary")))
    frame = pl.DataFrame(rows, schema={"t": pl.String, "f": pl.Float64, "b": pl.Binary}, orient="row")
    staging = LocalData(storage).begin(task(storage, [], [spec]))
    staging.save("d", frame)
    staging.commit()
    staging.close()
    assert read_dataset(storage, spec).equals(frame)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(TEXTS | st.none(), min_size=1, max_size=5), st.sampled_from([Format.CSV, Format.JSONL]))
def test_one_column_of_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str | None], form: Format
) -> None:
    """A row without text is no empty line."""
    storage = tmp_path_factory.mktemp("data")
    spec = DatasetSpec("d", format=form, columns=(Column("t", "string"),))
    frame = pl.DataFrame({"t": texts}, schema={"t": pl.String})
    staging = LocalData(storage).begin(task(storage, [], [spec]))
    staging.save("d", frame)
    staging.commit()
    staging.close()
    assert read_dataset(storage, spec).equals(frame)


@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL])
def test_what_is_not_promised_grows_as_it_was_written(tmp_path: Path, form: Format) -> None:
    """Guessed types would rewrite 1.10 as 1.1, and an instant without its zone."""
    events = DatasetSpec("events", format=Format.CSV, incremental_field="n", ingestion=Ingestion.INCREMENTAL)
    log = DatasetSpec("log", format=form, primary_key=("k",))
    for count in (1, 2):
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw/events.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(count)))
        staging = LocalData(tmp_path).begin(task(tmp_path, [events], [log], run=f"run{count}"))
        staging.load("events", pl.DataFrame)
        rows = {"k": [count], "v": ["1.10"], "at": ["2013-01-05T06:00:00Z"]}
        staging.save("log", pl.DataFrame(rows))
        staging.commit()
        staging.close()
    lines = (tmp_path / "raw" / f"log{form.suffix}").read_text().splitlines()[-2:]
    assert all("1.10" in line and "2013-01-05T06:00:00Z" in line for line in lines)
