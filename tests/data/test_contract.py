"""Contracts: a breach names columns and rows, and publishes nothing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.data.conftest import Begin

from anabranch.data.describe import describe
from anabranch.model.call import ShellCall
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import ContractError, StepError

SPEC = DatasetSpec(
    "people",
    columns=(Column("id", "int64"), Column("name", "string", nullable=False), Column("pin", "string", sensitive=True)),
    primary_key=("id",),
)
GOOD = {"id": [1, 2], "name": ["a", "b"], "pin": ["x", "y"]}


def breach(begin: Begin, spec: DatasetSpec, frame: pl.DataFrame) -> ContractError:
    """Save a frame and return the error that commit raises; the storage must be as before."""
    staging = begin([], [spec])
    staging.save(spec.name, frame)
    with pytest.raises(ContractError) as caught:
        staging.commit()
    staging.close()
    return caught.value


@pytest.mark.parametrize(
    "change, code, words",
    [
        ({"name": None}, "missing-column", ["`name` is missing"]),
        ({"id": ["1", "2"]}, "wrong-type", ["`id` is string, promised is int64"]),
        ({"id": [1, 1]}, "duplicate-key", ["(id) is not unique", "(id=1) in rows 1, 2"]),
        ({"id": [1, None]}, "null-value", ["part of the primary key", "row 2"]),
        ({"name": [None, None]}, "null-value", ["null in 2 rows", "row 1 (id=1); row 2 (id=2)"]),
    ],
)
def test_a_breach_names_rows_and_publishes_nothing(
    begin: Begin, tmp_path: Path, change: dict[str, list[object] | None], code: str, words: list[str]
) -> None:
    """Each kind of breach, with what was there before untouched."""
    first = begin([], [SPEC], run="run0")
    first.save("people", pl.DataFrame(GOOD))
    first.commit()
    first.close()
    before = describe(tmp_path, SPEC).version
    columns = {name: values for name, values in {**GOOD, **change}.items() if values is not None}
    error = breach(begin, SPEC, pl.DataFrame(columns))
    assert error.code == code
    assert all(word in error.message for word in words), error.message
    assert error.hint
    assert describe(tmp_path, SPEC).version == before
    assert not list((tmp_path / "_anabranch" / "staging" / "p").rglob("*.parquet"))


def test_all_breaches_are_told_at_once_and_sensitive_values_never(begin: Begin) -> None:
    """A key that is sensitive is shown as stars."""
    spec = DatasetSpec("d", columns=SPEC.columns, primary_key=("pin",))
    frame = pl.DataFrame({"id": [1, 2], "name": ["a", None], "pin": ["4711", "4711"]})
    error = breach(begin, spec, frame)
    assert "is null in 1 row:" in error.message
    assert "(pin='4711')" not in error.message
    assert "***" in error.message


@pytest.mark.parametrize(
    "form, text, words",
    [
        (Format.CSV, "id,name,pin\n1,a,x\nzwei,b,y\n", ["line 3", "zwei"]),
        (Format.JSONL, '{"id":1,"name":"a","pin":"x"}\n{"id":"zwei","name":"b","pin":"y"}\n', ["line 2", "zwei"]),
    ],
)
def test_a_bad_value_in_text_names_its_line(begin: Begin, form: Format, text: str, words: list[str]) -> None:
    """Whatever process wrote it."""
    spec = DatasetSpec("d", format=form, columns=SPEC.columns)
    staging = begin([], [spec], call=ShellCall(("true",)))
    Path(staging.targets["d"].location).write_text(text)
    with pytest.raises(ContractError) as caught:
        staging.commit()
    assert all(word in caught.value.message for word in words), caught.value.message


def test_an_output_that_nobody_wrote_is_said(begin: Begin) -> None:
    """Instead of publishing nothing."""
    staging = begin([], [DatasetSpec("d")], call=ShellCall(("true",)))
    with pytest.raises(StepError) as caught:
        staging.commit()
    assert caught.value.code == "output-not-written"
    assert "ANABRANCH_OUT_D" in caught.value.hint


def test_inputs_are_checked_before_user_code(begin: Begin, tmp_path: Path) -> None:
    """A file without a promised column, a missing file, and a broken one."""
    spec = DatasetSpec("d", format=Format.CSV, columns=(Column("a", "int64"),))
    with pytest.raises(StepError) as missing:
        begin([spec], [])
    assert missing.value.code == "missing-input"
    assert "raw/d.csv" in missing.value.message
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "d.csv").write_text("b\n1\n")
    with pytest.raises(ContractError) as other:
        begin([spec], []).load("d", pl.DataFrame)
    assert other.value.code == "missing-column"
    parquet = DatasetSpec("p")
    (tmp_path / "raw" / "p.parquet").write_text("not parquet")
    with pytest.raises(StepError) as broken:
        begin([parquet], []).load("p", pl.DataFrame)
    assert broken.value.code == "unreadable-input"


def test_a_location_outside_of_the_storage_is_refused(begin: Begin, tmp_path: Path) -> None:
    """By `..`, by an absolute path, and by a symbolic link."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "link").symlink_to("/tmp")
    for path in ("../x.csv", "/etc/passwd", "raw/link/x.csv"):
        with pytest.raises(StepError) as caught:
            begin([DatasetSpec("d", format=Format.CSV, path=path)], [])
        assert caught.value.code == "path-escape"
        with pytest.raises(StepError):
            begin([], [DatasetSpec("d", format=Format.CSV, path=path)])


def test_partitioned_datasets_come_back_whole(begin: Begin, tmp_path: Path) -> None:
    """Folders by value, read again with the promised type of the partition."""
    spec = DatasetSpec("d", columns=(Column("day", "string"), Column("n", "int64")), partition_by=("day",))
    for run, days in (("run1", ["01", "02"]), ("run2", ["03"])):
        staging = begin([], [spec], run=run)
        staging.save("d", pl.DataFrame({"day": days, "n": list(range(len(days)))}))
        staging.commit()
        staging.close()
    frame = begin([spec], [], run="run3").load("d", pl.DataFrame)
    assert isinstance(frame, pl.DataFrame)
    assert frame.sort("day").select("day", "n").rows() == [("03", 0)]
    assert [path.name for path in (tmp_path / "raw" / "d.parquet").iterdir()] == ["day=03"]
