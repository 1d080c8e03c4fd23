"""What a Glue job prints is in the pipeline's log, too: every line, within what AWS takes at once."""

from __future__ import annotations

import io
from typing import Any

import pytest

from anabranch.platforms.aws import glueboot


class Logs:
    """A log that refuses what AWS refuses, and remembers what it took."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.calls = 0

    def create_log_stream(self, **_: str) -> None:
        """It is there."""

    def put_log_events(self, logEvents: list[dict[str, Any]], **_: str) -> None:  # noqa: N803 - as AWS calls it
        sizes = [len(each["message"].encode()) + 26 for each in logEvents]
        assert 0 < sum(sizes) <= 1_048_576
        assert max(sizes) <= 262_144
        assert len(sizes) <= 10_000
        self.calls += 1
        self.lines += [each["message"] for each in logEvents]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Logs:
    found = Logs()
    monkeypatch.setattr("boto3.client", lambda _: found)
    return found


def test_the_last_line_is_told_though_it_does_not_end(logs: Logs) -> None:
    told = glueboot.Told(io.StringIO(), "group")
    told.write("first\n\nthe last")
    told.end()
    told.end()
    assert logs.lines == ["first", " ", "the last"]


@pytest.mark.parametrize("character", ["x", "\N{EURO SIGN}", "\N{GRINNING FACE}"])
def test_long_lines_are_told_in_as_many_calls_as_they_need(logs: Logs, character: str) -> None:
    stream = io.StringIO()
    told = glueboot.Told(stream, "group")
    for _ in range(400):
        told.write(f"{character * 3_000}\n")
    told.write(f"{character * 300_000}\n")
    told.end()
    assert "not written" not in stream.getvalue()
    assert logs.lines[:400] == [character * 3_000] * 400
    assert len(logs.lines[400].encode()) > 199_990
    assert set(logs.lines[400]) == {character}


def test_a_character_that_no_text_has_is_no_trouble(logs: Logs) -> None:
    stream = io.StringIO()
    told = glueboot.Told(stream, "group")
    told.write("\udcff\n")
    told.end()
    assert logs.lines == ["?"]
