"""What this machine has: Python, packages, programs."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.cli.health import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST, NEWEST = (3, 11), (3, 13)
PATIENCE = 10.0

EXTRAS = {
    "local": ("polars", "duckdb", "pyarrow"),
    "ui": ("starlette", "uvicorn", "jinja2"),
    "pandas": ("pandas",),
    "delta": ("deltalake",),
    "iceberg": ("pyiceberg",),
    "spark": ("pyspark",),
    "dbt": ("dbt-core", "dbt-duckdb"),
    "objects": ("obstore",),
    "airflow": ("urllib3",),
    "aws": ("boto3", "obstore"),
    "postgres": ("psycopg",),
}
"""The packages of each extra. `local` is what nearly every pipeline needs."""

PROGRAMS = {
    "java": (["java", "-version"], "needed by Spark"),
    "spark-submit": (None, "needed by steps that are Spark applications; extra `spark`, or a Spark of your own"),
    "dbt": (None, "needed by dbt steps; extra `dbt`, or a dbt of your own"),
}
"""Programs that some kinds of step need: how to ask for the version (quick ones only), and who needs it."""


def look() -> Iterator[Finding]:
    """Yield the findings about this machine."""
    yield _python()
    yield Finding("anabranch", Verdict.OK, version("anabranch"))
    yield _sqlite()
    for extra, packages in EXTRAS.items():
        yield _extra(extra, packages)
    yield _uv()
    for name, (command, need) in PROGRAMS.items():
        yield _program(name, command, need)


def _python() -> Finding:
    told = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] > NEWEST:
        newest = ".".join(map(str, NEWEST))
        return Finding("python", Verdict.WARN, told, f"anabranch is tested up to Python {newest}")
    return Finding("python", Verdict.OK, told)


def _sqlite() -> Finding:
    # Only the store may import sqlite3, so ask an interpreter.
    told = ask([sys.executable, "-c", "import sqlite3; print(sqlite3.sqlite_version)"])
    if told is None:
        hint = "runs are recorded in SQLite: install a Python that has the module sqlite3"
        return Finding("sqlite", Verdict.FAIL, "missing", hint)
    return Finding("sqlite", Verdict.OK, told)


def _extra(extra: str, packages: tuple[str, ...]) -> Finding:
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    told = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    missing = [name for name, number in found.items() if number is None]
    hint = f"pip install 'anabranch[{extra}]'"
    if not missing:
        return Finding(f"extra {extra}", Verdict.OK, told)
    told = f"{told}; {', '.join(missing)} missing" if told else "not installed"
    return Finding(f"extra {extra}", Verdict.WARN if extra == "local" else Verdict.INFO, told, hint)


def _uv() -> Finding:
    path = _which("uv")
    if path is None:
        hint = "steps with `requirements` get their environment by pip, which is slower"
        return Finding("uv", Verdict.INFO, "not installed", hint)
    return Finding("uv", Verdict.OK, ask([path, "--version"]) or path)


def _program(name: str, command: list[str] | None, need: str) -> Finding:
    path = _which(name)
    if path is None:
        return Finding(name, Verdict.INFO, "not installed", need)
    return Finding(name, Verdict.OK, (ask(command) if command else None) or path)


def _which(name: str) -> str | None:
    """Return where a program is: beside our Python, as in an environment that is not activated, or on PATH."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name, path=beside) or shutil.which(name)


def ask(command: list[str]) -> str | None:
    """Return the first line that a program prints, None when it does not answer well."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()), None)
