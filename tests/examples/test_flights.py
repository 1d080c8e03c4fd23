"""The flights example: thirteen real steps, and numbers worked out a second way."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from anabranch.app import Project
from tests.projects import ROOT, anabranch, result

EXAMPLE = ROOT / "examples" / "flights"


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example in which both pipelines have run."""
    root = tmp_path_factory.mktemp("flights") / "flights"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".anabranch", "cleaned", "final", "_anabranch", "__pycache__"))
    anabranch(root, "run", "daily")
    anabranch(root, "run", "weekly")
    return root


def test_check_finds_nothing(flights: Path) -> None:
    """Neither errors nor warnings."""
    assert result(flights, "check")["diagnostics"] == []


def test_rows_are_those_of_the_public_tables(flights: Path) -> None:
    """336,776 flights were scheduled, 8,255 never left."""
    data = flights / "data"
    assert pl.read_parquet(data / "raw/flights.parquet").height == 336_776
    assert pl.read_parquet(data / "cleaned/cancelled.parquet").height == 8_255
    assert pl.read_parquet(data / "cleaned/legs.parquet").height == 328_521


def test_delays_by_carrier_are_right(flights: Path) -> None:
    """Compared with one plain query over the raw table."""
    mine = pl.read_parquet(flights / "data/final/delays_by_carrier.parquet").sort("carrier")
    raw = flights / "data/raw/flights.parquet"
    told = duckdb.sql(
        f"select carrier, count(*), avg(dep_delay), avg((dep_delay > 15)::int) from '{raw}' "
        "where dep_time is not null group by 1 order by 1"
    ).fetchall()
    assert [row[0] for row in told] == mine["carrier"].to_list()
    assert [row[1] for row in told] == mine["legs"].to_list()
    assert mine["mean_dep_delay"].to_list() == pytest.approx([row[2] for row in told])
    assert mine["late_share"].to_list() == pytest.approx([row[3] for row in told])
    assert mine.filter(carrier="UA")["name"].item() == "United Airlines"


def test_hours_and_weeks_add_up(flights: Path) -> None:
    """No leg is lost on the way to a summary."""
    final = flights / "data/final"
    assert pl.read_csv(final / "delays_by_hour.csv")["legs"].sum() == 328_521
    assert pl.read_csv(final / "delays_by_weather.csv")["legs"].sum() == 328_521
    assert pl.read_parquet(final / "delays_by_route.parquet")["legs"].sum() == 328_521
    weeks = pl.read_csv(final / "weeks.csv")
    assert (weeks["legs"].sum(), weeks["cancelled"].sum()) == (328_521, 8_255)


def test_its_own_tests_pass(flights: Path) -> None:
    """Every case in its files."""
    told = result(flights, "test")
    assert told["ok"], told


def test_the_library_reads_what_a_run_made(flights: Path) -> None:
    """As the documentation shows it."""
    output = Project.load(flights).run("daily", only=["by_carrier"]).outputs["delays_by_carrier"]
    assert output.rows == 16
    assert isinstance(output.read(), pl.DataFrame)
    assert output.read(pl.LazyFrame).collect().height == 16


def test_a_param_chooses_the_day(flights: Path) -> None:
    """And a wrong one is refused."""
    anabranch(flights, "run", "daily", "--only", "summarise_day", "-p", "day=2013-02-08")
    assert '"date":"2013-02-08"' in (flights / "data/final/day_summary.jsonl").read_text()
    assert "bad-param" in anabranch(flights, "run", "daily", "-p", "day=tomorrow", code=2)


def test_the_ingest_example_runs(tmp_path: Path) -> None:
    """One event becomes one row of the catalogue; without an event there is nothing to do."""
    root = tmp_path / "ingest"
    shutil.copytree(ROOT / "examples" / "ingest", root, ignore=shutil.ignore_patterns(".anabranch", "final", "_anabranch"))
    anabranch(root, "run", "ingest", "--input", "@event.json")
    assert (root / "data/final/catalogue.jsonl").read_text().count("\n") == 1
    assert result(root, "test")["ok"]
    assert "missing-input-value" in anabranch(root, "run", "ingest", code=2)
