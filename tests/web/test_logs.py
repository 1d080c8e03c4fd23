"""Pages of logs join without a gap or an overlap, whatever a log holds."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from anabranch.web import logs

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40), max_size=1300)


def written(text: bytes) -> Path:
    """Write a log; the system clears the folder."""
    path = Path(tempfile.mkdtemp()) / "log"
    path.write_bytes(text)
    return path


@given(LINES, st.booleans())
def test_pages_read_forwards_and_backwards_are_the_whole_log(lines: list[str], ended: bool) -> None:
    text = "\n".join(lines).encode() + (b"\n" if ended and lines else b"")
    path = written(text)
    at, forwards = 0, b""
    while at < len(text):
        page = logs.page(path, at)
        assert page.start == at
        assert page.end > at
        assert len(page.lines) <= logs.LINES
        forwards += text[page.start : page.end]
        at = page.end
    assert forwards == text
    end, backwards = len(text), b""
    while end > 0:
        page = logs.last(path, end=end)
        assert (page.end, page.start < end) == (end, True)
        backwards = text[page.start : page.end] + backwards
        end = page.start
    assert backwards == text


@given(LINES, st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=3))
def test_a_search_finds_what_reading_finds(lines: list[str], wanted: str) -> None:
    path = written("\n".join(lines).encode())
    hits = logs.search(path, wanted)
    expected = [line for line in lines if wanted.lower().encode() in line.encode().lower()]
    assert len(hits.found) == min(len(expected), logs.HITS)
    for at, line in hits.found:
        assert wanted.lower() in line.lower()
        assert logs.page(path, at).start == at


def test_colours_and_progress_bars_of_terminals_are_left_out() -> None:
    path = written(b"\x1b[1;31mred\x1b[0m\n 10%\r 50%\r100%\r\n\x00\x07\n")
    assert logs.page(path, 0).lines == ("red", "100%", "\N{REPLACEMENT CHARACTER}" * 2)
