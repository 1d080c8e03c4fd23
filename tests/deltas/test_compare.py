"""Deltas agree with a reference in plain Python, whatever is in the tables."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.deltas.tables import column, delta, queries, reference

from anabranch.model.delta import Status, Verdict

numbers = st.none() | st.integers(-3, 3)
texts = st.none() | st.sampled_from(["", "a", "b", "a,b", "null", "None", "\\N", "é"])
floats = st.none() | st.sampled_from([0.0, -0.0, 1.0, 1.000001, float("nan"), float("inf"), 0.1 + 0.2, 0.3])
lists = st.none() | st.lists(floats, max_size=2)
structs = st.none() | st.fixed_dictionaries({"x": floats, "y": texts})
KINDS = {
    "k": "BIGINT",
    "l": "VARCHAR",
    "n": "INTEGER",
    "t": "VARCHAR",
    "f": "DOUBLE",
    "a": "DOUBLE[]",
    "s": "STRUCT(x DOUBLE, y VARCHAR)",
}
rows = st.lists(st.tuples(numbers, texts, numbers, texts, floats, lists, structs), max_size=8)
some = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@some
@given(before=rows, after=rows, key=st.sampled_from([("k",), ("k", "l"), ("f",), ()]))
def test_counts_agree_with_the_reference(before: list[Any], after: list[Any], key: tuple[str, ...]) -> None:
    """Rows same, changed, added and removed, and duplicates, are those of a walk row by row; and they add up."""
    found = delta((KINDS, before), (KINDS, after), key)
    wanted = reference(list(KINDS), before, after, key)
    assert (found.same, found.changed, found.added, found.removed) == (
        wanted.same,
        wanted.changed,
        wanted.added,
        wanted.removed,
    )
    assert found.duplicates == wanted.duplicates
    assert found.same + found.changed + found.removed == len(before) == found.before
    assert found.same + found.changed + found.added == len(after) == found.after


@some
@given(before=rows, after=rows, key=st.sampled_from([("k",), ("k", "l")]))
def test_changed_cells_agree_with_the_reference(before: list[Any], after: list[Any], key: tuple[str, ...]) -> None:
    """Each column has as many changed cells as the reference counts."""
    found = delta((KINDS, before), (KINDS, after), key)
    wanted = reference(list(KINDS), before, after, key)
    assert {name: column(found, name).changed for name in wanted.cells} == wanted.cells


@some
@given(table=rows, order=st.randoms(), key=st.sampled_from([("k",), ("k", "l"), ()]))
def test_a_table_equals_itself_in_any_order(table: list[Any], order: Any, key: tuple[str, ...]) -> None:
    """Also with duplicate and null keys, NaN and nested values."""
    other = list(table)
    order.shuffle(other)
    found = delta((KINDS, table), (KINDS, other), key)
    assert found.verdict is Verdict.EQUAL
    assert found.same == len(table)
    assert all(each.status in {Status.SAME, Status.KEY} for each in found.columns)


@some
@given(before=rows, after=rows, key=st.sampled_from([("k",), ()]))
def test_values_of_sensitive_columns_never_appear(before: list[Any], after: list[Any], key: tuple[str, ...]) -> None:
    """Not in examples, keys, rows or profiles."""
    secret = [(*row[:3], f"SECRET{i}", *row[4:]) for i, row in enumerate(before)]
    other = [(*row[:3], f"SECRET{i}x", *row[4:]) for i, row in enumerate(after)]
    found = delta((KINDS, secret), (KINDS, other), key, sensitive={"t"}, profile=True)
    assert "SECRET" not in repr(found)
    keyed = delta((KINDS, secret), (KINDS, other), ("t",), sensitive={"t"}, profile=True)
    assert "SECRET" not in repr(keyed)


@some
@given(before=rows, after=rows, key=st.sampled_from([("k",), ("f", "a"), ("s",), ()]))
def test_a_delta_is_json_whatever_is_in_the_tables(before: list[Any], after: list[Any], key: tuple[str, ...]) -> None:
    """Nothing but text, numbers, truth and null; no NaN."""
    found = delta((KINDS, before), (KINDS, after), key, profile=True)
    told = json.loads(json.dumps(asdict(found), allow_nan=False))
    assert told["same"] == found.same


@some
@given(
    secrets=st.lists(st.uuids(), min_size=4, max_size=12, unique=True),
    shape=st.sampled_from(["'{}'", "['{}']", "{{'x': '{}'}}", "MAP {{'{}': 1}}", "'{}'::UUID", "'{}'::BLOB"]),
    key=st.sampled_from([("k",), ("v",), ("k", "v"), ()]),
)
def test_secrets_never_leave_a_sensitive_column(secrets: list[Any], shape: str, key: tuple[str, ...]) -> None:
    """Of any shape: not as a value, a row, a key that repeats, a bound or a type; while all is counted."""
    half = len(secrets) // 2
    sides = [
        " UNION ALL ".join(f"SELECT {i // 2} AS k, {shape.format(each)} AS v" for i, each in enumerate(some_of_them))
        for some_of_them in (secrets[:half], secrets[half:])
    ]
    found = queries(*sides, key, sensitive={"V"}, profile=True)
    told = json.dumps(asdict(found)).lower()
    assert not [each for each in secrets if str(each) in told or each.hex in told]
    assert found.changed + found.removed == half


def test_examples_show_the_key_and_both_values() -> None:
    """In the order of the key, and as many as are asked for."""
    before = ({"k": "INT", "v": "INT"}, [(i, i) for i in range(20)])
    after = ({"k": "INT", "v": "INT"}, [(i, i + 100) for i in range(20)])
    cells = column(delta(before, after, ("k",), samples=3), "v").examples
    assert [(cell.key, cell.before, cell.after) for cell in cells] == [
        ((("k", str(i)),), str(i), str(i + 100)) for i in range(3)
    ]


def test_added_and_removed_rows_are_shown() -> None:
    """Some of them, whole."""
    found = queries("SELECT 1 AS k, 'gone' AS v", "SELECT 2 AS k, 'new' AS v", ("k",))
    assert found.removed_rows == ((("k", "1"), ("v", "gone")),)
    assert found.added_rows == ((("k", "2"), ("v", "new")),)


def test_profiles_and_a_histogram_tell_how_values_moved() -> None:
    """Nulls, distinct values, least, greatest and mean; buckets are shared and hold every number."""
    before = "SELECT i AS k, i::DOUBLE AS v FROM range(100) t(i)"
    after = "SELECT i AS k, CASE WHEN i < 10 THEN NULL ELSE i * 2::DOUBLE END AS v FROM range(100) t(i)"
    told = column(queries(before, after, ("k",)), "v")
    assert told.profile_before is not None
    assert told.profile_after is not None
    assert (told.profile_before.nulls, told.profile_after.nulls) == (0, 10)
    assert (told.profile_before.max, told.profile_after.max) == ("99.0", "198.0")
    assert told.profile_after.mean == pytest.approx(109)
    assert sum(bucket.before for bucket in told.histogram) == 100
    assert sum(bucket.after for bucket in told.histogram) == 90


@pytest.mark.parametrize("key", [("k",), ()])
def test_empty_tables(key: tuple[str, ...]) -> None:
    """Empty against empty is equal; against rows all are added."""
    nothing, one = "SELECT 1 AS k, 2 AS v WHERE false", "SELECT 1 AS k, 2 AS v"
    assert queries(nothing, nothing, key).verdict is Verdict.EQUAL
    assert queries(nothing, one, key).added == 1
    assert queries(one, nothing, key).removed == 1


def test_five_thousand_columns() -> None:
    """Are compared, and the one that differs is found."""
    names = ", ".join(f"{i} AS c{i}" for i in range(5000))
    found = queries(f"SELECT 1 AS k, {names}", f"SELECT 1 AS k, {names.replace('4321 AS', '0 AS')}", ("k",))
    assert [each.name for each in found.columns if each.status is Status.CHANGED] == ["c4321"]


def test_columns_named_like_ours() -> None:
    """Names that we use ourselves are columns like any other."""
    names = "k0, h, a_h, a_in, ina, inb, same, n, nokey, s, x, y, w, c0, v0, before, after"
    values = ", ".join(f"1 AS {name}" for name in names.split(", "))
    other = values.replace("1 AS nokey", "2 AS nokey")
    found = queries(f"SELECT {values}", f"SELECT {other}", ("k0",))
    assert [each.name for each in found.columns if each.status is Status.CHANGED] == ["nokey"]
    assert queries(f"SELECT {values}", f"SELECT {other}").removed == 1


def test_a_key_that_one_side_has_not() -> None:
    """Whole rows are compared, and why is said."""
    found = queries("SELECT 1 AS k, 2 AS v", "SELECT 2 AS v", ("k",))
    assert found.key == ()
    assert any("key column `k`" in note for note in found.notes)
    assert column(found, "k").status is Status.REMOVED


def test_a_key_of_another_type() -> None:
    """A wider integer is the same key; text is not."""
    found = queries("SELECT 1::INTEGER AS k, 2 AS v", "SELECT 1::BIGINT AS k, 2 AS v", ("k",))
    assert (found.same, found.verdict) == (1, Verdict.SCHEMA)
    found = queries("SELECT 1 AS k, 2 AS v", "SELECT '1' AS k, 2 AS v", ("k",))
    assert column(found, "k").status is Status.UNKNOWN
    assert any("key column `k`" in note for note in found.notes)


def test_no_column_in_common() -> None:
    """Everything is another column; nothing crashes."""
    found = queries("SELECT 1 AS a", "SELECT 1 AS b")
    assert {each.name: each.status for each in found.columns} == {"a": Status.REMOVED, "b": Status.ADDED}
    assert found.differs


def test_a_renamed_column_is_one_removed_and_one_added() -> None:
    """The others are compared all the same."""
    found = queries("SELECT 1 AS k, 5 AS old, 3 AS v", "SELECT 1 AS k, 5 AS new, 4 AS v", ("k",))
    assert (column(found, "old").status, column(found, "new").status) == (Status.REMOVED, Status.ADDED)
    assert column(found, "v").changed == 1


def test_a_tolerance_only_where_it_is_asked_for_and_it_is_told() -> None:
    """Numbers within it count as equal; null does not."""
    before = "SELECT * FROM (VALUES (1, 1.0, 1.0), (2, NULL, 2.0), (3, 'nan'::DOUBLE, 3.0)) t(k, v, w)"
    after = "SELECT * FROM (VALUES (1, 1.05, 1.05), (2, 0.0, 2.0), (3, 'nan'::DOUBLE, 3.0)) t(k, v, w)"
    found = queries(before, after, ("k",), tolerance={"v": 0.1})
    assert (column(found, "v").changed, column(found, "v").tolerance) == (1, 0.1)
    assert column(found, "w").changed == 1
    assert found.changed == 2


def test_a_list_that_is_a_set() -> None:
    """Its order and repetitions mean nothing, if it is declared one."""
    before, after = "SELECT 1 AS k, [1, 2, 2] AS v", "SELECT 1 AS k, [2, 1] AS v"
    assert queries(before, after, ("k",)).changed == 1
    assert queries(before, after, ("k",), sets=("v",)).verdict is Verdict.EQUAL
