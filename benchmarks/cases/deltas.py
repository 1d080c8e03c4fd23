"""Two Parquet files of which one row in a thousand differs: compared by us, by datacompy and by reladiff."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Row, once

ROWS = int(os.environ.get("ANABRANCH_BENCH_ROWS", "5000000"))
LARGE = int(os.environ.get("ANABRANCH_BENCH_LARGE", "50000000"))
HERE = sys.executable

MAKE = """
import duckdb, sys
rows, folder = int(sys.argv[1]), sys.argv[2]
db = duckdb.connect()
db.execute("SET preserve_insertion_order = false; SET memory_limit = '1GB'; SET enable_progress_bar = false")
columns = '''i AS id, (hash(i) % 1000000)::INTEGER AS a, (hash(i + 1) % 1000)::DOUBLE / 7 AS b,
 'name-' || (hash(i + 2) % 100000) AS c, DATE '2020-01-01' + (hash(i + 3) % 2000)::INTEGER AS d,
 TIMESTAMP '2020-01-01' + INTERVAL (hash(i + 4) % 100000000) SECOND AS e, (hash(i + 5) % 100000)::DECIMAL(12,2) / 4 AS f,
 hash(i + 6) % 2 = 0 AS g, CASE WHEN hash(i + 7) % 10 = 0 THEN NULL ELSE (hash(i + 7) % 50)::INTEGER END AS h,
 'k' || (hash(i + 8) % 20) AS j'''
db.execute(f"COPY (SELECT {columns} FROM range({rows}) t(i)) TO '{folder}/before.parquet' (COMPRESSION zstd)")
changed = "CASE WHEN hash(id + 99) % 1000 = 0 THEN b + 1 ELSE b END AS b"
db.execute(f"COPY (SELECT * REPLACE ({changed}) FROM '{folder}/before.parquet') "
           f"TO '{folder}/after.parquet' (COMPRESSION zstd)")
"""

OURS = """
import sys, time
from pathlib import Path
from anabranch.data import sides
from anabranch.deltas.compare import Options, compare
from anabranch.deltas.engines.duckdb import DuckdbEngine
from anabranch.model.dataset import DatasetSpec
folder, key = Path(sys.argv[1]), sys.argv[2].split(",") if sys.argv[2] else ()
with sides.database(folder / "spill") as db:
    sides.show(db, "before", folder, DatasetSpec("before", path="before.parquet"))
    sides.show(db, "after", folder, DatasetSpec("after", path="after.parquet"))
    began = time.perf_counter()
    delta = compare(DuckdbEngine(db), "before", "after", "x", Options(key))
    spent = time.perf_counter() - began
assert (delta.changed or delta.removed) and not delta.added == delta.removed == delta.before
print(spent)
"""

DECODE = """
import sys, time, duckdb
with duckdb.connect() as db:
    began = time.perf_counter()
    for name in ("before", "after"):
        file = f"{sys.argv[1]}/{name}.parquet"
        kinds = db.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()
        every = ", ".join(f"sum(length({n}))" if k == "VARCHAR" else f"min({n}), max({n})" for n, k, *_ in kinds)
        db.execute(f"SELECT {every} FROM '{file}'").fetchall()
    print(time.perf_counter() - began)
"""

DATACOMPY = """
import sys, polars, datacompy
a, b = (polars.read_parquet(f"{sys.argv[1]}/{name}.parquet") for name in ("before", "after"))
kind = getattr(datacompy, "PolarsCompare")
compared = kind(a, b, join_columns=["id"])
assert not compared.matches()
"""

RELADIFF = """
import sys, duckdb, pathlib
path = pathlib.Path(sys.argv[1]) / "reladiff.duckdb"
if not path.exists():
    with duckdb.connect(str(path)) as db:
        for name in ("before", "after"):
            db.execute(f"CREATE TABLE {name} AS SELECT * FROM '{sys.argv[1]}/{name}.parquet'")
if len(sys.argv) > 2:
    sys.exit()
import reladiff
extra = tuple("abcdefghj")
one, other = (reladiff.connect_to_table(f"duckdb:///{path}", name, "id", extra_columns=extra) for name in ("before", "after"))
assert sum(1 for _ in reladiff.diff_tables(one, other))
"""


@dataclass(frozen=True)
class Measured:
    """Medians of whole processes, and of what they did after their imports; the largest peak of memory."""

    seconds: float
    inside: float
    megabytes: float


def measured(commands: dict[str, list[str]], folder: Path, runs: int) -> dict[str, Measured]:
    """Run commands in turn, so that a slow moment of the machine hits all of them, after one warm-up each."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
    for round_ in range(runs + 1):
        for name, command in commands.items():
            one = once(command, folder)
            if round_ or not runs:
                number = one.told.split()[-1] if one.told.split() else ""
                told = float(number) if number.replace(".", "").isdigit() else one.seconds
                found[name].append((one.seconds, told, one.megabytes))
    return {
        name: Measured(
            statistics.median(each[0] for each in runs_),
            statistics.median(each[1] for each in runs_),
            max(each[2] for each in runs_),
        )
        for name, runs_ in found.items()
    }


def rows(bench: str) -> list[Row]:
    """Measure; `bench` is the interpreter that has the peers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        once([HERE, "-c", MAKE, str(ROWS), name], folder)
        once([bench, "-c", RELADIFF, name, "prepare"], folder)
        ours = {
            "decode": [HERE, "-c", DECODE, name],
            "keyed": [HERE, "-c", OURS, name, "id"],
            "multiset": [HERE, "-c", OURS, name, ""],
        }
        peers = {"datacompy": [bench, "-c", DATACOMPY, name], "reladiff": [bench, "-c", RELADIFF, name]}
        told = measured(ours, folder, 5) | measured({"whole": ours["keyed"], **peers}, folder, 2)
    decode, keyed, multiset = told["decode"], told["keyed"], told["multiset"]
    ratio = keyed.inside / decode.inside
    found = [
        Row(
            f"deltas of {ROWS:,} rows x 10, 0.1 % changed",
            f"{keyed.inside:.2f} s",
            f"{decode.inside:.2f} s (decode both)",
            f"{ratio:.1f}x",
            "2.5x",
            ratio <= 2.5,
        ),
        Row("its peak memory", f"{keyed.megabytes:.0f} MB", "", "", "1,000 MB", keyed.megabytes <= 1000),
    ]
    for peer, least in (("datacompy", 5), ("reladiff", 3)):
        ratio = told[peer].seconds / told["whole"].seconds
        other = f"{told[peer].seconds:.1f} s, {told[peer].megabytes:,.0f} MB ({peer})"
        found.append(
            Row("", f"{told['whole'].seconds:.2f} s", other, f"{ratio:.1f}x faster", f"{least}x", ratio >= least)
        )
    ratio = multiset.inside / keyed.inside
    found.append(
        Row("the same without a key", f"{multiset.inside:.2f} s", "", f"{ratio:.1f}x the keyed", "2x", ratio <= 2)
    )
    return found + large()


def large() -> list[Row]:
    """Measure ten times as many rows."""
    with tempfile.TemporaryDirectory() as name:
        once([HERE, "-c", MAKE, str(LARGE), name], Path(name))
        told = measured({"keyed": [HERE, "-c", OURS, name, "id"]}, Path(name), 0)["keyed"]
    size = f"deltas of {LARGE:,} rows x 10"
    return [Row(size, f"{told.inside:.1f} s", "", f"{told.megabytes:,.0f} MB", "2,000 MB", told.megabytes <= 2000)]
