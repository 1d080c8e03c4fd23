"""What every test gets."""

from __future__ import annotations

import atexit
import os

import pytest
from hypothesis import settings


def _quiet() -> None:
    """DuckDB 2.0 prints what it leaks when an interpreter ends, behind pytest's summary; that belongs last."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


atexit.register(_quiet)
settings.register_profile("anabranch", deadline=None, max_examples=60)
settings.load_profile("anabranch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares an engine, where workers share the tests; what needs the largest ones comes last.

    An Airflow computes as long as it is up, and it is up until a worker's last test.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: "conformance" in item.path.parts)


def _group(item: pytest.Item) -> str:
    """Return what a test goes with: its file, or the platform that its file tries among others."""
    platform = getattr(getattr(item, "callspec", None), "params", {}).get("both")
    names = getattr(item, "fixturenames", ())
    if item.get_closest_marker("apart"):
        return item.nodeid
    return "airflow" if platform == "airflow" or "on_airflow" in names else str(platform or item.path)
