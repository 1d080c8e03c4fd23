"""Times with a zone, where Python is not given them: pytz is not installed with us."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.data.conftest import Begin

from anabranch.data.compare import compare, seed
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec
from anabranch.model.errors import ContractError
from anabranch.model.pipeline import Table

HOURS = DatasetSpec("hours", columns=(Column("at", "timestamptz"),), primary_key=("at",))
NINE = datetime(2024, 5, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "given, said",
    [([NINE, NINE], r"not unique for 1 key: \(at=.2024-05-01 09:00:00\+00"), ([NINE, None], "is null in 1 row")],
)
def test_a_broken_key_that_is_a_time_with_a_zone_is_named(begin: Begin, given: list[object], said: str) -> None:
    staging = begin([], [HOURS])
    staging.save("hours", pl.DataFrame({"at": given}, schema={"at": pl.Datetime("us", "UTC")}))
    with pytest.raises(ContractError, match=said):
        staging.commit()


@pytest.mark.parametrize("text, same", [("2024-05-01T11:00:00+02:00", True), ("2024-05-01T11:00:00Z", False)])
def test_they_are_compared_as_moments(tmp_path: Path, text: str, same: bool) -> None:
    seed(tmp_path, HOURS, Table(((("at", "2024-05-01T09:00:00Z"),),)), tmp_path)
    assert (compare(tmp_path, HOURS, Table(((("at", text),),)), tmp_path) == ()) is same


def test_a_row_of_a_test_may_leave_out_what_must_not_be_null(tmp_path: Path) -> None:
    spec = DatasetSpec("d", columns=(Column("id", "int64"), Column("n", "int64", nullable=False)))
    seed(tmp_path, spec, Table(((("id", 1),),)), tmp_path)
    with pytest.raises(ContractError, match="promised not to be null"):
        seed(tmp_path, spec, Table(((("id", 1), ("n", None)),)), tmp_path)


def test_reading_an_output_leaves_nothing_on_the_screen(tmp_path: Path) -> None:
    seed(tmp_path, HOURS, Table(((("at", "2024-05-01T09:00:00Z"),),)), tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from anabranch.data.describe import read_dataset\n"
        "from anabranch.model.dataset import DatasetSpec\n"
        "print(read_dataset(Path(sys.argv[1]), DatasetSpec('hours')).height)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
