"""Inputs: looked at before user code runs, counted once, and told by the version that was read."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.data.conftest import Begin

from anabranch.model.call import ShellCall
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import ContractError, StepError

SHELL = ShellCall(("true",))
PROMISED = DatasetSpec("d", format=Format.CSV, columns=(Column("id", "int64"),))
PLAIN = DatasetSpec("d", format=Format.CSV)


def put(storage: Path, content: bytes, name: str = "d.csv") -> None:
    """Put a raw file in place."""
    (storage / "raw").mkdir(exist_ok=True)
    (storage / "raw" / name).write_bytes(content)


def test_a_process_does_not_start_on_an_input_that_is_not_as_promised(begin: Begin, tmp_path: Path) -> None:
    """Its columns are looked at, not its rows."""
    put(tmp_path, b"idd,x\n1,2\n")
    with pytest.raises(ContractError, match="column `id` is missing") as caught:
        begin([PROMISED], [], call=SHELL)
    assert caught.value.code == "missing-column"


def test_a_process_may_read_what_nobody_else_can(begin: Begin, tmp_path: Path) -> None:
    """Cleaning such a file may be its task; where nothing is promised nobody counts its rows."""
    put(tmp_path, b"PK\x03\x04 no parquet", "d.parquet")
    staging = begin([DatasetSpec("d")], [], call=SHELL)
    (read,), _ = staging.commit()
    assert (read.rows, read.bytes, read.version[:7]) == (None, 15, "sha256:")


def test_the_version_is_of_what_was_read(begin: Begin, tmp_path: Path) -> None:
    """Data that changed meanwhile has none."""
    put(tmp_path, b"id\n1\n")
    staging = begin([PLAIN], [])
    staging.load("d", pl.DataFrame)
    put(tmp_path, b"id\n1\n2\n")
    (read,), _ = staging.commit()
    assert (read.rows, read.version) == (1, "")


@pytest.mark.parametrize("path", ["../d.csv", "/etc/passwd", ".", "_anabranch/journal/d.csv", "link/d.csv"])
def test_nothing_lies_outside_of_the_storage(begin: Begin, tmp_path: Path, path: str) -> None:
    """Neither above it, nor by a link, nor among our own files."""
    (tmp_path / "link").symlink_to("/tmp")
    for reads, writes in (([DatasetSpec("d", path=path)], []), ([], [DatasetSpec("d", path=path)])):
        with pytest.raises(StepError) as caught:
            begin(reads, writes)
        assert caught.value.code == "path-escape"


def test_a_link_is_no_output(begin: Begin, tmp_path: Path) -> None:
    """Publishing it would publish what lies elsewhere, and may change."""
    put(tmp_path, b"id\n1\n", "other.csv")
    staging = begin([], [PLAIN], call=SHELL)
    Path(staging.targets["d"].location).symlink_to(tmp_path / "raw" / "other.csv")
    with pytest.raises(StepError) as caught:
        staging.commit()
    assert caught.value.code == "path-escape"


def test_text_that_is_not_utf8_is_told(begin: Begin, tmp_path: Path) -> None:
    """By line."""
    put(tmp_path, "id,name\n1,café\n".encode("latin-1"))
    with pytest.raises(StepError, match="not utf-8") as caught:
        begin([PLAIN], []).load("d", pl.DataFrame)
    assert caught.value.code == "unreadable-input"


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL, Format.PARQUET, Format.DELTA])
def test_spark_reads_and_writes_what_others_do(begin: Begin, form: Format) -> None:
    """Quotes, blanks at the ends, line breaks, missing values, instants, integers narrower than promised."""
    pytest.importorskip("pyspark")
    columns = (Column("n", "int64"), Column("t", "string"), Column("at", "timestamptz"))
    spec, copy = DatasetSpec("d", format=form, columns=columns), DatasetSpec("e", format=form, columns=columns)
    rows = """SELECT 1::BIGINT AS n, 'a "b" \\, ' AS t, TIMESTAMPTZ '2013-01-05 06:00:00.000001+01' AS "at"
        UNION ALL SELECT NULL, NULL, NULL"""
    staging = begin([], [spec])
    staging.save("d", staging.connection().sql(rows))  # type: ignore[attr-defined]
    staging.commit()
    staging.close()
    staging = begin([spec], [copy], run="run2")
    frame = staging.load("d", "pyspark.sql.DataFrame")
    staging.save("e", frame.selectExpr("CAST(n AS INT) AS n", "t", "at"))  # type: ignore[attr-defined]
    (read,), (wrote,) = staging.commit()
    staging.close()
    assert (read.rows, wrote.rows) == (2, 2)
    last = begin([spec, copy], [], run="run3")
    before, after = last.load("d", pl.DataFrame), last.load("e", pl.DataFrame)
    assert isinstance(before, pl.DataFrame)
    assert before.sort("n").equals(after.sort("n"))  # type: ignore[attr-defined]
