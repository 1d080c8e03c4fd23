"""Two Parquet files of which one row in a thousand differs: compared by us, by datacompy and by reladiff."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Row, in_turn

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
    print(time.perf_counter() - began, file=sys.stderr)
assert delta.changed or delta.removed
"""

DECODE = """
import sys, duckdb
with duckdb.connect() as db:
    for name in ("before", "after"):
        file = f"{sys.argv[1]}/{name}.parquet"
        kinds = db.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()
        every = ", ".join(f"sum(length({n}))" if k == "VARCHAR" else f"min({n}), max({n})" for n, k, *_ in kinds)
        db.execute(f"SELECT {every} FROM '{file}'").fetchall()
"""

NOTHING = "import duckdb, anabranch.deltas.compare"

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
one, other = (reladiff.connect_to_table(f"duckdb:///{path}", name, "id") for name in ("before", "after"))
extra = tuple("abcdefghj")
one, other = (reladiff.connect_to_table(f"duckdb:///{path}", name, "id", extra_columns=extra) for name in ("before", "after"))
assert sum(1 for _ in reladiff.diff_tables(one, other))
"""


def rows(bench: str) -> list[Row]:
    """Measure; `bench` is the interpreter that has the peers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.spawnv(os.P_WAIT, HERE, [HERE, "-c", MAKE, str(ROWS), name])
        os.spawnv(os.P_WAIT, bench, [bench, "-c", RELADIFF, name, "prepare"])
        told = in_turn(
            {
                "decode": [HERE, "-c", DECODE, name],
                "nothing": [HERE, "-c", NOTHING],
                "keyed": [HERE, "-c", OURS, name, "id"],
                "multiset": [HERE, "-c", OURS, name, ""],
                "datacompy": [bench, "-c", DATACOMPY, name],
                "reladiff": [bench, "-c", RELADIFF, name],
            },
            folder,
            runs=3,
        )
    decode, keyed, multiset = told["decode"], told["keyed"], told["multiset"]
    start = told["nothing"].seconds
    ours, floor = keyed.seconds - start, decode.seconds - start
    found = [
        Row(
            f"deltas of {ROWS:,} rows x 10, 0.1 % changed",
            f"{keyed.seconds:.2f} s",
            f"{decode.seconds:.2f} s (decode both)",
            f"{ours / floor:.1f}x, without imports",
            "2.5x",
            ours / floor <= 2.5,
        ),
        Row("its peak memory", f"{keyed.megabytes:.0f} MB", "", "", "1,000 MB", keyed.megabytes <= 1000),
    ]
    for peer, least in (("datacompy", 5), ("reladiff", 3)):
        ratio = told[peer].seconds / keyed.seconds
        found.append(Row("", "", f"{told[peer].seconds:.1f} s ({peer})", f"{ratio:.1f}x faster", f"{least}x", ratio >= least))
    ratio = (multiset.seconds - start) / ours
    found.append(Row("the same without a key", f"{multiset.seconds:.2f} s", "", f"{ratio:.1f}x the keyed", "2x", ratio <= 2))
    return found + large()


def large() -> list[Row]:
    """Measure ten times as many rows."""
    with tempfile.TemporaryDirectory() as name:
        os.spawnv(os.P_WAIT, HERE, [HERE, "-c", MAKE, str(LARGE), name])
        told = in_turn({"keyed": [HERE, "-c", OURS, name, "id"]}, Path(name), runs=1)["keyed"]
    size = f"deltas of {LARGE:,} rows x 10"
    return [Row(size, f"{told.seconds:.1f} s", "", f"{told.megabytes:,.0f} MB", "2,000 MB", told.megabytes <= 2000)]
