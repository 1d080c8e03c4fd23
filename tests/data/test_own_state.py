"""A step that reads what it writes: its own earlier state."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.data.conftest import Begin

from anabranch.model.call import ShellCall
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format, Stage
from anabranch.model.errors import StepError

LOG = DatasetSpec(
    "log", Stage.FINAL, Format.JSONL, columns=(Column("id", "string"), Column("n", "int64")), primary_key=("id",)
)


def test_the_first_run_reads_no_rows_with_the_promised_types(begin: Begin) -> None:
    frame = begin([LOG], [LOG]).load("log", pl.DataFrame)
    assert isinstance(frame, pl.DataFrame)
    assert frame.schema == {"id": pl.String, "n": pl.Int64}
    assert frame.is_empty()


def test_the_second_run_reads_what_the_first_published(begin: Begin) -> None:
    for n in range(2):
        staging = begin([LOG], [LOG], run=f"run{n}")
        seen = staging.load("log", pl.DataFrame)
        assert isinstance(seen, pl.DataFrame)
        assert seen["n"].to_list() == list(range(n))
        staging.save("log", pl.concat([seen, pl.DataFrame({"id": [f"id{n}"], "n": [n]})]))
        (read,), (written,) = staging.commit()
        staging.close()
        assert (read.rows, written.rows) == (n, n + 1)


@pytest.mark.parametrize("annotation", [Path, str])
def test_who_asks_for_a_path_gets_an_empty_file(begin: Begin, annotation: type) -> None:
    assert Path(str(begin([LOG], [LOG]).load("log", annotation))).read_text() == ""


def test_processes_get_an_empty_file_too(begin: Begin) -> None:
    staging = begin([LOG], [LOG], call=ShellCall(("true",)))
    assert Path(staging.sources["log"].location).read_text() == ""


def test_what_another_step_writes_must_still_be_there(begin: Begin) -> None:
    with pytest.raises(StepError, match="is not at") as told:
        begin([LOG], [DatasetSpec("other")])
    assert told.value.code == "missing-input"
