from __future__ import annotations

import io
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anabranch.cli import logfile

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\n", b"")), max_size=9), st.booleans(), st.integers(0, 12)
)
def test_the_last_lines_are_those_that_splitting_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], ended: bool, wanted: int
) -> None:
    monkeypatch.setattr(logfile, "BLOCK", 4)
    text = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    path = tmp_path / "log"
    path.write_bytes(text)
    out = io.BytesIO()
    logfile.copy(path, out, logfile.start_of_last(path, wanted))
    everything = io.BytesIO(text).readlines()
    assert out.getvalue() == b"".join(everything[max(len(everything) - wanted, 0) :])


def test_the_tail_of_a_huge_log_is_found_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(4_000_000_000)  # a hole: takes no room
        file.seek(0, io.SEEK_END)
        file.write(b"\nlast but one\nlast\n")
    assert logfile.last_lines(path, 2) == (["last but one", "last"], True)
