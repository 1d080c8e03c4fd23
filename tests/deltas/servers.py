"""Engines for tests, each real: DuckDB, a Postgres of its own on a free port, and a local Spark."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import duckdb
import pytest
from tests.engines.postgres import binary, serving

from anabranch.deltas.compare import Options, compare
from anabranch.deltas.engine import Engine
from anabranch.deltas.engines.duckdb import DuckdbEngine
from anabranch.deltas.engines.postgres import PostgresEngine
from anabranch.deltas.engines.spark import SparkEngine
from anabranch.model.delta import DatasetDelta


@dataclass(frozen=True)
class Server:
    """An engine, and what runs SQL on it."""

    name: str
    engine: Engine
    run: Callable[[str], Any]

    def queries(self, before: str, after: str, key: tuple[str, ...] = (), **options: Any) -> DatasetDelta:
        """Compare the rows of two queries."""
        for name, query in (("before", before), ("after", after)):
            if self.name == "spark":
                self.run(f"UNCACHE TABLE IF EXISTS {name}")
                self.run(f"DROP VIEW IF EXISTS {name}")
            else:
                self.run(f"DROP TABLE IF EXISTS {name}")
            # Spark makes a partition of each SELECT of a UNION, and a task of each partition.
            one = f"SELECT /*+ COALESCE(1) */ * FROM ({query})"
            self.run(f"CACHE TABLE {name} AS {one}" if self.name == "spark" else f"CREATE TABLE {name} AS {query}")
        return compare(self.engine, "before", "after", "things", Options(key, **options))


@contextmanager
def duckdb_server() -> Iterator[Server]:
    """Give DuckDB in memory."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        yield Server("duckdb", DuckdbEngine(db), db.execute)


@contextmanager
def spark_server() -> Iterator[Server]:
    """Give a Spark session on one core."""
    if shutil.which("java") is None or find_spec("pyspark") is None:
        pytest.skip("Spark needs Java and pyspark")
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory() as folder:
        wanted = {
            "spark.ui.enabled": "false",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "1",
            "spark.sql.warehouse.dir": folder,
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
        }
        builder = SparkSession.builder.master("local[1]").appName("deltas")
        for name, value in wanted.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        try:
            yield Server("spark", SparkEngine(session), session.sql)
        finally:
            session.stop()


@contextmanager
def postgres_server() -> Iterator[Server]:
    """Give a Postgres in a temporary folder."""
    if binary("initdb") is None or find_spec("psycopg") is None:
        pytest.skip("Postgres's initdb is missing, or psycopg")
    import psycopg

    with serving() as address, psycopg.connect(address, autocommit=True) as connection:
        yield Server("postgres", PostgresEngine(connection), connection.execute)
