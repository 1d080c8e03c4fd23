"""Rules for CI: small expressions of figures, and nothing else that Python can do."""

from __future__ import annotations

import pytest

from anabranch.deltas.rules import FIGURES, failed, validate
from anabranch.model.delta import ColumnDelta, DatasetDelta, Status, Verdict
from anabranch.model.errors import UsageError

LEGS = DatasetDelta(
    "legs",
    Verdict.CHANGED,
    before=100,
    after=98,
    same=90,
    changed=7,
    added=1,
    removed=3,
    duplicates=(0, 2),
    nulls=(0, 1),
    columns=(
        ColumnDelta("a", "int", "int", Status.CHANGED, 7),
        ColumnDelta("b", "int", "text", Status.UNKNOWN, None),
        ColumnDelta("c", "int", "int", Status.NOISE, 50),
        ColumnDelta("d", "", "int", Status.ADDED, None),
    ),
)
OTHER = DatasetDelta("other", Verdict.CHANGED, before=10, after=8, same=8, removed=2)


@pytest.mark.parametrize(
    "rule, holds",
    [
        ("rows_removed > 0", True),
        ("rows_removed == 5", True),
        ("legs.rows_removed == 3", True),
        ("other.rows_changed > 0", False),
        ("rows_changed > 0.01 * rows_before", True),
        ("legs.rows_changed / legs.rows_before >= 0.07", True),
        ("rows_added + rows_removed != 6", False),
        ("not (rows_added or duplicate_keys)", False),
        ("rows_added and null_keys == 1", True),
        ("0 < legs.rows_added < 2", True),
        ("0 < legs.rows_added < 1", False),
        ("-legs.rows_added == -1", True),
        ("legs.rows_after - legs.rows_before == -2", True),
        ("schema_changes == 2 and unknown_columns == 1", True),
        ("cells_changed == 7", True),
        ("duplicate_keys == 2", True),
        ("rows_same == 98", True),
    ],
)
def test_rules_are_arithmetic_of_figures(rule: str, holds: bool) -> None:
    """Over all datasets, or of one; noise is no changed cell."""
    assert failed([rule], [LEGS, OTHER]) == ((rule,) if holds else ())
    validate([rule])


@pytest.mark.parametrize(
    "rule, said",
    [
        ("rows_removed >", "no expression"),
        ("", "no expression"),
        ("rows_remvoed > 0", "rows_remvoed"),
        ("legs.rows_remvoed > 0", "rows_remvoed"),
        ("rows_added ** 9", "is not allowed"),
        ("__import__('os')", "is not allowed"),
        ("legs.__class__", "no figure `__class__`"),
        ("legs.columns.sort", "is not allowed"),
        ("[1]", "is not allowed"),
        ("'a' > 1", "is not allowed"),
        ("rows_added if 1 else 2", "is not allowed"),
        ("rows_added in legs", "is not allowed"),
        ("(lambda: 1)()", "is not allowed"),
        ("~rows_added", "is not allowed"),
        ("-" * 50_000 + "1", ""),
        ("1" + "+1" * 50_000, ""),
        ("1" + "+1" * 2_000, "too deep"),
    ],
)
def test_what_is_no_rule_is_told(rule: str, said: str) -> None:
    """Before anything is compared, and naming what is wrong."""
    for check in (lambda: validate([rule]), lambda: failed([rule], [LEGS])):
        with pytest.raises(UsageError) as caught:
            check()
        assert said in str(caught.value)
        assert caught.value.code == "bad-rule"


def test_a_misspelled_figure_or_dataset_is_answered_with_what_there_is() -> None:
    """A hint that can be typed."""
    for rule, meant in (("rows_remvoed > 0", "rows_removed"), ("lgs.rows_removed > 0", "legs")):
        with pytest.raises(UsageError) as caught:
            failed([rule], [LEGS, OTHER])
        assert meant in (caught.value.hint or "")


def test_dividing_by_nothing_is_told() -> None:
    """An empty dataset makes no rule crash."""
    with pytest.raises(UsageError, match="divides by zero"):
        failed(["rows_changed / rows_before > 0.1"], [])


def test_every_figure_can_be_named() -> None:
    """Alone, and of a dataset."""
    for name in FIGURES:
        failed([f"{name} > 0", f"legs.{name} > 0"], [LEGS])
