"""Secrets do not get past the redactor, however the stream is cut."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from anabranch.model.run import Failure
from anabranch.model.task import Broken
from anabranch.run.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "pa55-wörd!"


@given(
    st.lists(st.sampled_from([SECRET, SECRET[:4], SECRET[4:], "x", "\n", SECRET * 2]), max_size=20), st.integers(1, 7)
)
def test_no_cut_of_the_stream_lets_a_secret_through(parts: list[str], size: int) -> None:
    """What comes out equals the whole text with the secret replaced, whatever the pieces."""
    whole = "".join(parts).encode()
    source, sink = os.pipe()
    out, target = os.pipe()
    pump = threading.Thread(target=Redactor([SECRET]).pump, args=(source, target))
    pump.start()
    for start in range(0, len(whole), size):
        os.write(sink, whole[start : start + size])
    os.close(sink)
    pump.join()
    os.close(target)
    with os.fdopen(out, "rb") as file:
        assert file.read() == whole.replace(SECRET.encode(), b"***")


def test_an_outcome_does_not_show_it_even_escaped() -> None:
    """A secret with quotes and line breaks is found in the JSON of an outcome."""
    secret = 'a"b\\c\nsecond line'
    broken = Broken(0.1, Failure("error", f"could not log in with {secret}", trace="second line"))
    told = Redactor([secret]).outcome(broken)
    assert isinstance(told, Broken)
    assert "second line" not in told.failure.message + told.failure.trace
    assert told.failure.message == "could not log in with ***"


def test_many_megabytes_pass(tmp_path: Path) -> None:
    """The pump keeps up and keeps nothing."""
    source, sink = os.pipe()
    target = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    pump = threading.Thread(target=Redactor([SECRET]).pump, args=(source, target))
    pump.start()
    piece = b"0123456789abcdef" * 4096
    for _ in range(160):
        os.write(sink, piece)
    os.close(sink)
    pump.join()
    os.close(target)
    assert (tmp_path / "log").stat().st_size == 160 * len(piece)
