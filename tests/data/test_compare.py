"""Expected rows of tests: only what is equal passes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.data.conftest import task

from anabranch.data.compare import compare
from anabranch.data.local import LocalData
from anabranch.model.dataset import DatasetSpec
from anabranch.model.pipeline import Table


def table(*rows: dict[str, Any]) -> Table:
    """Rows as a spec has them."""
    return Table(tuple(tuple(row.items()) for row in rows))


def differences(
    storage: Path, frame: pl.DataFrame, expected: Table, tolerance: float = 0.0, key: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """How a published frame differs from expected rows."""
    spec = DatasetSpec("d", primary_key=key)
    staging = LocalData(storage).begin(task(storage, [], [spec]))
    staging.save("d", frame)
    staging.commit()
    staging.close()
    return compare(storage, spec, expected, storage, tolerance)


@pytest.mark.parametrize(
    "value, kind, expected",
    [
        (2, pl.Int64, 1.5),
        (Decimal("2.00"), pl.Decimal(10, 2), 1.999),
        (2, pl.Int64, "1.5"),
        (2, pl.Int64, "two"),
        (2**53, pl.Float64, 2**53 + 1),
        (None, pl.Int64, 0),
        (0, pl.Int64, None),
        ("", pl.String, None),
        ("a", pl.String, "A"),
    ],
)
def test_what_is_not_equal_differs(tmp_path: Path, value: object, kind: Any, expected: object) -> None:
    """Also where a cast to the column's type would make it equal."""
    frame = pl.DataFrame({"a": pl.Series([value], dtype=kind)})
    assert differences(tmp_path, frame, table({"a": expected}))


@pytest.mark.parametrize(
    "value, kind, expected",
    [
        (2, pl.Int32, 2),
        (2, pl.Float64, 2),
        (0.1, pl.Float32, 0.1),
        (Decimal("1.10"), pl.Decimal(10, 2), 1.1),
        (Decimal("1.10"), pl.Decimal(10, 2), "1.1"),
        (float("nan"), pl.Float64, "nan"),
        (None, pl.String, None),
    ],
)
@pytest.mark.parametrize("tolerance", [0.0, 1e-9])
def test_what_is_equal_does_not(tmp_path: Path, value: object, kind: Any, expected: object, tolerance: float) -> None:
    """However the spec spells it."""
    frame = pl.DataFrame({"a": pl.Series([value], dtype=kind)})
    assert differences(tmp_path, frame, table({"a": expected}), tolerance) == ()


def test_tolerance_is_for_numbers_of_every_kind(tmp_path: Path) -> None:
    """And infinity equals itself."""
    frame = pl.DataFrame({"d": [Decimal("1.10")], "f": [float("inf")]})
    assert differences(tmp_path, frame, table({"d": 1.101, "f": "inf"}), 0.01) == ()
    assert differences(tmp_path, frame, table({"d": 1.101, "f": "inf"}), 0.0001)


@pytest.mark.parametrize("key", [(), ("k",)])
def test_rows_are_told_by_key_where_there_is_one(tmp_path: Path, key: tuple[str, ...]) -> None:
    """Five of them at most, in any order."""
    frame = pl.DataFrame({"k": list(range(9)), "v": [0] * 9})
    expected = table(*({"k": k, "v": 1} for k in reversed(range(9))))
    told = differences(tmp_path, frame, expected, key=key)
    assert len(told) == 6
    assert told[-1].endswith("and 4 more" if key else "and 13 more")
    assert ("(k=8): v is 0, expected is 1" in told[0]) is bool(key)


def test_an_expected_row_that_is_there_twice_must_be_there_twice(tmp_path: Path) -> None:
    """Also with a key."""
    frame = pl.DataFrame({"k": [1], "v": [1]})
    assert differences(tmp_path, frame, table({"k": 1, "v": 1}, {"k": 1, "v": 1}), key=("k",))
