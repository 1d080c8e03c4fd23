"""Spark DataFrames, read and written by the step's own Spark session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from anabranch.data.duck import sql_type
from anabranch.model.dataset import DatasetSpec, Format

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NAMES = {Format.CSV: "csv", Format.JSONL: "json"}
_TYPES = {"VARCHAR": "STRING", "BLOB": "BINARY", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "TIMESTAMP": "TIMESTAMP_NTZ"}


def session() -> Any:
    """Return the session: the step's own, or a new one on the master that ANABRANCH_SPARK_MASTER names."""
    from pyspark.sql import SparkSession

    master = os.environ.get("ANABRANCH_SPARK_MASTER", "local[*]")
    made = SparkSession.builder.master(master).config("spark.sql.session.timeZone", "UTC")
    if master.startswith("local"):
        made = made.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    return made.config("spark.ui.enabled", "false").getOrCreate()


def load(location: str, spec: DatasetSpec) -> Any:
    """Return the rows at a location as a Spark DataFrame, text cast to its promised types."""
    frame = session().read.option("header", "true").format(_NAMES.get(spec.format, "parquet")).load(location)
    if spec.format is not Format.CSV:
        return frame
    from pyspark.sql import functions

    for column in spec.columns:
        if column.type and column.name in frame.columns:
            kind = sql_type(column.type)
            frame = frame.withColumn(column.name, functions.col(f"`{column.name}`").cast(_TYPES.get(kind, kind)))
    return frame


def save(frame: DataFrame | Any, location: str, spec: DatasetSpec) -> None:
    """Write a Spark DataFrame as a folder of part files."""
    writer = frame.write.mode("error").option("header", "true").format(_NAMES.get(spec.format, "parquet"))
    if spec.partition_by and spec.format not in {Format.DELTA, Format.ICEBERG}:
        writer = writer.partitionBy(*spec.partition_by)
    writer.save(location)
