"""What current diff tools get wrong, one test each."""

from __future__ import annotations

import time

import pytest
from tests.deltas.tables import column, delta, queries

from anabranch.model.delta import Status, Verdict


def test_a_widened_integer_of_which_every_value_changed_is_no_match() -> None:
    """INT to BIGINT is compared by value, and both types are shown."""
    found = queries(
        "SELECT i::INT AS k, i::INT AS v FROM range(5) t(i)",
        "SELECT i::INT AS k, (i + 1)::BIGINT AS v FROM range(5) t(i)",
        ("k",),
    )
    told = column(found, "v")
    assert (told.before, told.after, told.compared_as, told.changed) == ("INTEGER", "BIGINT", "int64", 5)
    assert found.verdict is Verdict.CHANGED


def test_a_widened_integer_of_the_same_values_is_a_change_of_schema_only() -> None:
    """And no row differs."""
    found = queries("SELECT 1 AS k, 7::INT AS v", "SELECT 1 AS k, 7::BIGINT AS v", ("k",))
    assert (found.verdict, found.same) == (Verdict.SCHEMA, 1)


def test_a_struct_that_gains_a_field_is_compared_by_those_that_it_had() -> None:
    """The new field is a change of schema; a changed value of an old one is seen."""
    before = "SELECT 1 AS k, {'a': 1, 'b': 2} AS s"
    found = queries(before, "SELECT 1 AS k, {'b': 2, 'c': 3, 'a': 1} AS s", ("k",))
    assert (found.verdict, found.same, column(found, "s").why) == (Verdict.SCHEMA, 1, "fields +c")
    assert queries(before, "SELECT 1 AS k, {'a': 9, 'b': 2, 'c': 3} AS s", ("k",)).changed == 1


@pytest.mark.parametrize("a, b", [("0.0001", "0.0004"), ("1.0", "1.000001"), ("1e-300", "2e-300")])
def test_nothing_is_rounded(a: str, b: str) -> None:
    """No digit is too small."""
    assert queries(f"SELECT 1 AS k, {a}::DOUBLE AS v", f"SELECT 1 AS k, {b}::DOUBLE AS v", ("k",)).changed == 1


def test_nan_equals_nan_and_nothing_else() -> None:
    """Also where it is the key."""
    same = "SELECT 1 AS k, 'nan'::DOUBLE AS v"
    assert queries(same, same, ("k",)).verdict is Verdict.EQUAL
    assert queries(same, "SELECT 1 AS k, NULL::DOUBLE AS v", ("k",)).changed == 1
    assert queries(same, same, ("v",)).same == 1


def test_a_null_key_does_not_vanish() -> None:
    """A row without a key is matched with one without a key, and counted."""
    kinds = {"k": "INT", "v": "INT"}
    found = delta((kinds, [(None, 1), (1, 1)]), (kinds, [(None, 2), (1, 1)]), ("k",))
    assert (found.same, found.changed, found.nulls) == (1, 1, (1, 1))
    assert column(found, "v").examples[0].key == (("k", None),)


def test_composite_keys_are_not_joined_as_text() -> None:
    """('a', NULL) is not ('a', ''), and ('a,b', 'c') is not ('a', 'b,c')."""
    kinds = {"a": "VARCHAR", "b": "VARCHAR", "v": "INT"}
    found = delta((kinds, [("a", None, 1), ("a,b", "c", 1)]), (kinds, [("a", "", 1), ("a", "b,c", 1)]), ("a", "b"))
    assert (found.same, found.added, found.removed) == (0, 2, 2)


def test_identical_tables_with_duplicate_keys_are_equal_in_any_order() -> None:
    """They are multisets per key, and told."""
    kinds = {"k": "INT", "v": "INT"}
    found = delta((kinds, [(1, 1), (1, 2), (2, 3)]), (kinds, [(1, 2), (2, 3), (1, 1)]), ("k",))
    assert (found.verdict, found.same, found.duplicates) == (Verdict.EQUAL, 3, (1, 1))
    assert any("is not unique" in note for note in found.notes)


def test_duplicates_that_only_one_side_has_are_rows_added() -> None:
    """Equal rows, one of them twice."""
    kinds = {"k": "INT", "v": "INT"}
    found = delta((kinds, [(1, 1)]), (kinds, [(1, 1), (1, 1)]), ("k",))
    assert (found.same, found.added, found.changed, found.duplicates) == (1, 1, 0, (0, 1))


def test_an_integer_column_that_becomes_a_float_of_equal_values_has_no_change() -> None:
    """They are compared as numbers, not by what a hash makes of their bytes."""
    found = queries(
        "SELECT i AS k, i::INT AS v FROM range(1000) t(i)",
        "SELECT i AS k, i::DOUBLE AS v FROM range(1000) t(i)",
        ("k",),
    )
    assert (found.verdict, found.same) == (Verdict.SCHEMA, 1000)


def test_two_to_the_53rd_and_one_is_not_the_float_below_it() -> None:
    """64-bit integers never go through a float."""
    before = "SELECT 1 AS k, 9007199254740993::BIGINT AS v"
    assert queries(before, "SELECT 1 AS k, 9007199254740992::DOUBLE AS v", ("k",)).changed == 1
    assert queries(before, "SELECT 1 AS k, 9007199254740992::BIGINT AS v", ("k",)).changed == 1
    exact = queries(
        "SELECT 1 AS k, 9007199254740992::BIGINT AS v", "SELECT 1 AS k, 9007199254740992::DOUBLE AS v", ("k",)
    )
    assert exact.same == 1


def test_changes_that_are_spread_out_are_all_found() -> None:
    """One in a thousand rows, everywhere."""
    before = "SELECT i AS k, i AS v FROM range(100000) t(i)"
    after = "SELECT i AS k, CASE WHEN i % 1000 = 7 THEN -1 ELSE i END AS v FROM range(100000) t(i)"
    assert queries(before, after, ("k",)).changed == 100


@pytest.mark.parametrize(
    "a, b",
    [
        ("1::INT", "'1'"),
        ("TIMESTAMP '2020-01-01'", "TIMESTAMPTZ '2020-01-01 00:00:00+00'"),
        ("DATE '2020-01-01'", "TIMESTAMP '2020-01-01'"),
        ("true", "1"),
        ("12345678901234567.8::DECIMAL(18,1)", "12345678901234567.8::DOUBLE"),
        ("[1]", "['1']"),
    ],
)
def test_what_cannot_be_compared_is_unknown_and_never_a_match(a: str, b: str) -> None:
    """And the delta says so."""
    found = queries(f"SELECT 1 AS k, {a} AS v", f"SELECT 1 AS k, {b} AS v", ("k",))
    assert column(found, "v").status is Status.UNKNOWN
    assert found.verdict is Verdict.UNKNOWN
    assert found.differs


@pytest.mark.parametrize(
    "a, b",
    [
        ("0.0::DOUBLE", "-0.0::DOUBLE"),
        ("[0.0::DOUBLE]", "[-0.0::DOUBLE]"),
        ("1.0::DECIMAL(3,1)", "1.00::DECIMAL(9,2)"),
        ("1.1::DECIMAL(10,2)", "1.1::DOUBLE"),
        ("1::UTINYINT", "1::BIGINT"),
        ("18446744073709551615::UBIGINT", "18446744073709551615::HUGEINT"),
        ("TIMESTAMPTZ '2020-01-01 02:00:00+02'", "TIMESTAMPTZ '2020-01-01 00:00:00+00'"),
        ("MAP {'a': 1, 'b': 2}", "MAP {'b': 2, 'a': 1}"),
        ("[{'x': 1::INT}]", "[{'x': 1::BIGINT}]"),
        ("NULL::INT", "NULL::BIGINT"),
        ("1.5::FLOAT", "1.5::DOUBLE"),
    ],
)
def test_what_is_equal_by_value_is_equal(a: str, b: str) -> None:
    """Whatever types, zones or order hold it."""
    found = queries(f"SELECT 1 AS k, {a} AS v", f"SELECT 1 AS k, {b} AS v", ("k",))
    assert found.same == 1, found


@pytest.mark.parametrize(
    "a, b",
    [
        ("NULL::VARCHAR", "''"),
        ("[1, 2]", "[2, 1]"),
        ("[1, NULL]", "[1]"),
        ("[1, NULL]", "[NULL, 1]"),
        ("[NULL]::INT[]", "[]::INT[]"),
        ("[[1], [2]]", "[[1, 2], []]"),
        ("[[], NULL]::INT[][]", "[NULL, []]::INT[][]"),
        ("{'a': [1], 'b': [2]}", "{'a': [1, 2], 'b': []::INT[]}"),
        ("MAP {'a': NULL::INT}", "MAP {'a': 0}"),
        ("[]::INT[]", "NULL::INT[]"),
        ("{'a': NULL::INT}", "NULL::STRUCT(a INT)"),
        ("0.1::FLOAT", "0.1::DOUBLE"),
        ("'é'", "'e\u0301'"),
        ("'a '", "'a'"),
        ("INTERVAL 1 DAY", "INTERVAL 23 HOUR"),
        ("'\\x00'::BLOB", "''::BLOB"),
    ],
)
def test_what_is_not_equal_is_not(a: str, b: str) -> None:
    """However alike it looks."""
    found = queries(f"SELECT 1 AS k, {a} AS v", f"SELECT 1 AS k, {b} AS v", ("k",))
    assert found.changed == 1, found


@pytest.mark.parametrize("key", ["NULL::INT", "1"])
def test_a_key_that_all_rows_share_takes_no_longer_than_one_that_none_do(key: str) -> None:
    """Rows of one key are never joined with each other: 300,000 of them would make 90 thousand million pairs."""
    rows = f"SELECT {key} AS k, i AS v FROM range(300000) t(i)"
    began = time.perf_counter()
    found = queries(rows, rows.replace("i AS v", "i + 1 AS v"), ("k",))
    assert time.perf_counter() - began < 20
    assert (found.same, found.changed, found.duplicates) == (299_999, 1, (1, 1))
    assert [(cell.before, cell.after) for cell in column(found, "v").examples] == [("0", "300000")]


@pytest.mark.parametrize("key", [("k",), ()])
def test_a_tolerance_never_makes_different_rows_equal_where_none_has_one_counterpart(key: tuple[str, ...]) -> None:
    """They are compared exactly, which is said, and no tolerance is recorded."""
    kinds = {"k": "INT", "v": "DOUBLE"}
    found = delta((kinds, [(1, 1.0), (1, 2.0)]), (kinds, [(1, 1.0), (1, 500.0)]), key, tolerance={"v": 0.1})
    assert found.verdict is Verdict.CHANGED
    assert (column(found, "v").status, column(found, "v").tolerance) == (Status.CHANGED, 0.0)
    assert any("tolerances do not count" in note for note in found.notes)


def test_examples_of_repeated_keys_pair_only_values_that_the_other_side_has_not() -> None:
    """A row that both have is no example, whatever else its key has."""
    kinds = {"k": "INT", "v": "VARCHAR"}
    found = delta((kinds, [(1, "both"), (1, "old")]), (kinds, [(1, "new"), (1, "both")]), ("k",))
    assert [(cell.before, cell.after) for cell in column(found, "v").examples] == [("old", "new")]


def test_columns_whose_names_differ_only_by_case_are_one_and_it_is_told() -> None:
    """The engine takes them for one, so they are compared: also as key, with tolerance, and hidden."""
    found = queries(
        "SELECT 1 AS k, 2.0 AS Vv, 'SECRET' AS p, [1, 2] AS a",
        "SELECT 1 AS K, 2.05 AS vV, 'SECRET2' AS P, [2, 1] AS A",
        ("K",),
        tolerance={"VV": 0.1},
        sets=("A",),
        sensitive={"P"},
    )
    assert {each.name: each.status for each in found.columns} == {
        "k": Status.KEY,
        "Vv": Status.SAME,
        "p": Status.CHANGED,
        "a": Status.SAME,
    }
    assert column(found, "Vv").why == "spelled `vV` in the branch"
    assert "SECRET" not in repr(found)


def test_a_sensitive_column_is_hidden_however_its_name_is_spelled() -> None:
    """And the type of an enum does not list its values."""
    before = "SELECT 1 AS k, 'SECRET'::ENUM('SECRET', 'it''s (SECRET)') AS P"
    found = queries(before, "SELECT 1 AS k, 'SECRET2' AS P", ("k",), sensitive={"p"}, profile=True)
    assert column(found, "P").changed == 1
    assert "SECRET" not in repr(found)


def test_dates_beyond_those_of_python_are_shown_and_drawn() -> None:
    """Infinity and years before Christ are no crash, also where there is no key."""
    before = "SELECT 1 AS k, DATE '2020-01-01' AS v, TIMESTAMPTZ '2020-01-01 00:00:00+00' AS t"
    after = "SELECT 1 AS k, DATE '5877642-06-25 (BC)' AS v, TIMESTAMPTZ 'infinity' AS t"
    found = queries(before, after, ("k",))
    assert column(found, "v").examples[0].after == "5877642-06-25 (BC)"
    assert column(found, "t").examples[0].after == "infinity"
    assert queries(before, after).removed == 1
