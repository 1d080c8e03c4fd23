"""Measures anabranch beside its peers in one run, and prints one table.

make bench                        the table
make bench ARGS=--readme          and writes it into README.md
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.cases import deltas, deploy, large, start, steps, ui
from benchmarks.measure import Row, verdict

ROOT = Path(__file__).parents[1]
START, END = "<!-- bench:start -->", "<!-- bench:end -->"


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = ["| what | anabranch | peer or floor | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in rows:
        met = "" if row.met is None else verdict(row.met)
        lines.append(f"| {row.what} | {row.ours} | {row.other} | {row.ratio} | {row.target} | {met} |")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    return "\n".join([*lines, "", f"Medians of whole processes run in turn; {machine}."])


def main() -> None:
    """Measure everything."""
    bench = str((ROOT / os.environ.get("ANABRANCH_BENCH_PYTHON", ".venv-bench/bin/python")).absolute())
    made = table(
        [*start.rows(bench), *steps.rows(bench), *large.rows(), *deploy.rows(), *ui.rows(), *deltas.rows(bench)]
    )
    print(made)
    if "--readme" in sys.argv:
        readme = ROOT / "README.md"
        text = readme.read_text()
        head, _, rest = text.partition(START)
        readme.write_text(f"{head}{START}\n{made}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
