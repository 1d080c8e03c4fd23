"""The same expressions on a real Spark and a real Postgres: the deltas are those of DuckDB."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.deltas.tables import delta
from tests.engines.postgres import binary, serving

from anabranch.deltas.compare import Options, compare
from anabranch.deltas.engines.postgres import PostgresEngine
from anabranch.deltas.engines.spark import SparkEngine

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from anabranch.model.delta import DatasetDelta

NAN = float("nan")
DAY, MOMENT = date(2020, 1, 1), datetime(2020, 1, 1, 12, tzinfo=UTC)
COLUMNS = ("k", "l", "n", "t", "f", "d", "b", "day", "at", "many")
BEFORE: list[tuple[Any, ...]] = [
    (1, "a", 1, "x", 1.0, Decimal("1.50"), True, DAY, MOMENT, [1, 2]),
    (2, "a", 2, None, NAN, Decimal("2.00"), False, DAY, MOMENT, None),
    (3, None, 3, "", -0.0, None, None, None, None, []),
    (3, "", 4, "y", 0.1, Decimal("0.01"), True, DAY, MOMENT, [3]),
    (None, "z", 5, "q", None, Decimal("9.99"), True, DAY, MOMENT, [4]),
    (9, "gone", 6, "r", 6.0, Decimal("6.00"), True, DAY, MOMENT, [5]),
]
AFTER: list[tuple[Any, ...]] = [
    (1, "a", 1, "x", 1.000001, Decimal("1.50"), True, DAY, MOMENT, [2, 1]),
    (2, "a", 2, "", NAN, Decimal("2.00"), False, DAY, MOMENT, []),
    (3, None, 3, "", 0.0, None, None, None, None, []),
    (3, "", 4, "y", 0.1, Decimal("0.02"), None, date(2020, 1, 2), MOMENT, [3]),
    (None, "z", 7, "q", None, Decimal("9.99"), True, DAY, MOMENT, [4]),
    (10, "new", 6, "r", 6.0, Decimal("6.00"), True, DAY, MOMENT, [5]),
]
DUCKDB = {
    "k": "BIGINT", "l": "VARCHAR", "n": "INTEGER", "t": "VARCHAR", "f": "DOUBLE", "d": "DECIMAL(10,2)",
    "b": "BOOLEAN", "day": "DATE", "at": "TIMESTAMPTZ", "many": "INTEGER[]",
}  # fmt: skip
POSTGRES = DUCKDB | {"f": "DOUBLE PRECISION", "d": "NUMERIC(10,2)"}
CASES = [(BEFORE, AFTER, ("k", "l")), (BEFORE, AFTER, ()), (BEFORE, AFTER, ("n",)), ([*BEFORE, *BEFORE], AFTER, ("k",))]


def counts(found: DatasetDelta) -> object:
    """Return what must be the same whatever engine compares."""
    columns = {each.name: (each.status, each.changed) for each in found.columns}
    rows = (found.before, found.after, found.same, found.changed, found.added, found.removed)
    return found.verdict, rows, found.duplicates, found.nulls, columns


def wanted(before: Sequence[Any], after: Sequence[Any], key: Sequence[str]) -> object:
    """Return what DuckDB finds."""
    return counts(delta((DUCKDB, before), (DUCKDB, after), key))


@pytest.fixture(scope="module")
def spark() -> Generator[Any]:
    """A session of this module."""
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.mark.parametrize("before, after, key", CASES)
def test_spark_finds_what_duckdb_finds(spark: Any, before: list[Any], after: list[Any], key: tuple[str, ...]) -> None:
    """Every type that both have, nulls, NaN, composite keys, duplicates, and no key at all."""
    kinds = "k BIGINT, l STRING, n INT, t STRING, f DOUBLE, d DECIMAL(10,2), b BOOLEAN, day DATE, at TIMESTAMP"
    kinds += ", many ARRAY<INT>"
    for name, rows in (("before", before), ("after", after)):
        spark.createDataFrame(rows, kinds).createOrReplaceTempView(name)
    found = compare(SparkEngine(spark), "before", "after", "things", Options(key))
    assert counts(found) == wanted(before, after, key)


@pytest.fixture(scope="module")
def postgres() -> Generator[Any]:
    """A connection to a server of this module."""
    if binary("initdb") is None or binary("pg_ctl") is None:
        pytest.skip("Postgres is not installed")
    import psycopg

    with serving() as told, psycopg.connect(told, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("before, after, key", CASES)
def test_postgres_finds_what_duckdb_finds(
    postgres: Any, before: list[Any], after: list[Any], key: tuple[str, ...]
) -> None:
    """Value by value, since no hash of Postgres takes every type."""
    columns = ", ".join(f"{name} {kind}" for name, kind in POSTGRES.items())
    for name, rows in (("before", before), ("after", after)):
        postgres.execute(f"DROP TABLE IF EXISTS {name}")
        postgres.execute(f"CREATE TABLE {name} ({columns})")
        with postgres.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(COLUMNS))})", rows)
    found = compare(PostgresEngine(postgres), "before", "after", "things", Options(key))
    assert counts(found) == wanted(before, after, key)
