"""A line for each step that ends: for logs, pipes and CI."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from anabranch.cli.progress.words import Words
from anabranch.cli.terminal import terminal

if TYPE_CHECKING:
    from typing import TextIO

    from anabranch.model.pipeline import Pipeline
    from anabranch.model.run import Recorded


class LineReporter:
    """Writes to stderr. When nobody reads any more the run goes on, unseen."""

    def __init__(self, pipeline: Pipeline | None = None, stream: TextIO | None = None) -> None:
        """Write to `stream`, by default stderr; `pipeline` is what runs."""
        target = stream or sys.stderr
        self._stream: TextIO | None = target
        self._words = Words(terminal(target), pipeline)

    def report(self, recorded: Recorded) -> None:
        """Write the event's line, if it has one."""
        line = self._words.line(recorded)
        if line is None or self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._stream = None
