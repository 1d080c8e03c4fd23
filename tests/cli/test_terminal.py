from __future__ import annotations

import io
from typing import TextIO

import pytest

from anabranch.cli.terminal import ASCII, Marks, terminal


class Tty(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def stream(kind: type[io.TextIOWrapper] = io.TextIOWrapper, encoding: str = "utf-8") -> TextIO:
    return kind(io.BytesIO(), encoding=encoding)


def test_off_a_terminal_there_is_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not terminal(stream()).colour
    assert terminal(stream(Tty)).colour


@pytest.mark.parametrize("name, value", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_and_dumb_terminals_are_honoured(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    assert not terminal(stream(Tty)).colour


def test_signs_are_plain_where_the_encoding_has_no_others() -> None:
    assert terminal(stream(encoding="ascii")).marks == ASCII
    assert terminal(stream(encoding="utf-8")).marks == Marks()
