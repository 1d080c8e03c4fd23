"""tools/footprint.py: the base install stays small."""

from __future__ import annotations

import pytest

from tools import footprint


def test_the_base_install_is_within_its_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert footprint.main() == 0, capsys.readouterr().out


def test_extras_are_not_counted() -> None:
    names = {package.name for package in footprint.closure("anabranch")}
    assert {"anabranch", "click", "pydantic-core"} <= names
    assert not names & {"duckdb", "polars", "pyarrow", "pandas", "pyspark"}


def test_above_a_limit_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "MAX_PACKAGES", 1)
    assert footprint.main() == 1
