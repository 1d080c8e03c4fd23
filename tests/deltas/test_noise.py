"""What differs between two runs of the same code is noise, and nothing else is."""

from __future__ import annotations

from tests.deltas.tables import column, queries

from anabranch.deltas.noise import with_noise
from anabranch.model.delta import Status, Verdict

MAIN = "SELECT i AS k, i AS v, i AS made_at FROM range(10) t(i)"
AGAIN = MAIN.replace("i AS made_at", "i + 7 AS made_at")
NOISE = queries(MAIN, AGAIN, ("k",))


def test_a_column_that_differs_anyway_is_noise_and_so_is_the_delta() -> None:
    """Its cells are still counted."""
    found = with_noise(queries(MAIN, MAIN.replace("i AS made_at", "i + 9 AS made_at"), ("k",)), NOISE)
    assert (found.verdict, found.differs) == (Verdict.NOISE, False)
    assert (column(found, "made_at").status, column(found, "made_at").changed) == (Status.NOISE, 10)
    assert any("`" not in note and "made_at" in note for note in found.notes)


def test_a_change_beside_noise_is_a_change() -> None:
    """Of a value, a row, a type, a struct's field, or a column."""
    beside = {
        "a value": AGAIN.replace("i AS v", "i + 1 AS v"),
        "a row": AGAIN.replace("range(10)", "range(9)"),
        "a type": AGAIN.replace("i AS v", "i::INT AS v"),
        "a column": AGAIN.replace("i AS v,", "i AS v, 1 AS w,"),
        "text for numbers": AGAIN.replace("i AS v", "i::VARCHAR AS v"),
    }
    for what, query in beside.items():
        found = with_noise(queries(MAIN, query, ("k",)), NOISE)
        assert found.differs, what
        assert column(found, "made_at").status is Status.NOISE, what


def test_a_structs_new_field_is_no_noise() -> None:
    """It is a change of schema that leaves every value as it was."""
    main = MAIN.replace("i AS v", "{'a': i} AS v")
    noise = queries(main, main.replace("i AS made_at", "i + 7 AS made_at"), ("k",))
    found = queries(main, AGAIN.replace("i AS v", "{'a': i, 'b': 1} AS v"), ("k",))
    assert with_noise(found, noise).differs


def test_rows_that_come_and_go_anyway_are_noise() -> None:
    """As of a sample drawn anew each time."""
    drawn = "SELECT i AS k FROM range({0}, {0} + 5) t(i)"
    noise = queries(drawn.format(0), drawn.format(3), ("k",))
    found = with_noise(queries(drawn.format(0), drawn.format(4), ("k",)), noise)
    assert (found.verdict, found.noisy_rows) == (Verdict.NOISE, True)


def test_nothing_is_noise_where_two_runs_agree() -> None:
    """Also where they cannot be compared in full."""
    found = queries(MAIN, AGAIN, ("k",))
    assert with_noise(found, queries(MAIN, MAIN, ("k",))) == found
    unknown = queries("SELECT 1 AS k, 1 AS v", "SELECT 1 AS k, '1' AS v", ("k",))
    assert unknown.verdict is Verdict.UNKNOWN
    assert with_noise(found, unknown) == found
