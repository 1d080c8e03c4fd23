"""Spark DataFrames, read and written by the step's own Spark session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from anabranch.model.task import SESSION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def session() -> Any:
    """Return the session: the step's own, a platform's, or one on the master that ANABRANCH_SPARK_MASTER names."""
    from pyspark.sql import SparkSession

    if SESSION in os.environ:
        there = SparkSession.builder.getOrCreate()
        there.conf.set("spark.sql.session.timeZone", "UTC")
        return there
    master = os.environ.get("ANABRANCH_SPARK_MASTER", "local[*]")
    made = SparkSession.builder.master(master).config("spark.sql.session.timeZone", "UTC")
    if master.startswith("local"):
        made = made.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    return made.config("spark.ui.enabled", "false").getOrCreate()


def load(parquet: str) -> Any:
    """Return Parquet files as a Spark DataFrame.

    Text reaches Spark as Parquet too, so that one parser decides what it says.
    """
    return session().read.parquet(parquet)


def save(frame: DataFrame, folder: str, partition_by: tuple[str, ...]) -> None:
    """Write a Spark DataFrame as a folder of Parquet files; instants as every other reader knows them, not as INT96."""
    settings = frame.sparkSession.conf
    name = "spark.sql.parquet.outputTimestampType"
    before = settings.get(name)
    settings.set(name, "TIMESTAMP_MICROS")
    try:
        writer = frame.write.mode("error")
        (writer.partitionBy(*partition_by) if partition_by else writer).parquet(folder)
    finally:
        settings.set(name, before or "INT96")
