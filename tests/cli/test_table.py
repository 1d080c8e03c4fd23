from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anabranch.cli.table import Cell, table
from anabranch.cli.terminal import Terminal
from anabranch.show.text import width


@given(st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=3), min_size=1, max_size=6))
def test_a_row_is_one_line_whatever_its_cells_hold(rows: list[list[str]]) -> None:
    lines = list(table(["a", "b", "c"], rows))
    assert all(len(line.splitlines()) <= 1 for line in lines)
    assert len(lines) == len(rows) + 1
    assert all(line == line.rstrip() for line in lines)


def test_numbers_line_up_at_the_right_and_text_at_the_left() -> None:
    rows = [["clean", "336,776", "x"], ["summarise", "16", "y"]]
    assert list(table(["step", "rows", "note"], rows, right=[1])) == [
        "step          rows  note",
        "clean      336,776  x",
        "summarise       16  y",
    ]


def test_a_column_without_content_is_left_out() -> None:
    assert list(table(["a", "b", "c"], [["1", "", "2"]])) == ["a  c", "1  2"]


def test_wide_characters_take_two_columns() -> None:
    lines = list(table(["", ""], [["日本", "x"], ["abcd", "y"]]))
    assert lines == ["日本  x", "abcd  y"]
    assert width("日本") == 4


def test_colour_changes_no_width() -> None:
    rows = [[Cell("a", ("red",)), "x"], ["long", "y"]]
    lines = list(table(["", ""], rows, terminal=Terminal(colour=True)))
    assert lines == ["\x1b[31ma\x1b[0m     x", "long  y"]
