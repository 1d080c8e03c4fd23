"""A JSON object for each event, on stdout, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.cli.face import VERSION, write_json
from anabranch.show import shapes

if TYPE_CHECKING:
    from anabranch.model.run import Recorded


class NdjsonReporter:
    """Writes to stdout. When nobody reads any more the run goes on, unseen."""

    def __init__(self, verb: str) -> None:
        """Report as this verb."""
        self._head = {"anabranch": VERSION, "verb": verb}
        self._broken = False

    def report(self, recorded: Recorded) -> None:
        """Write the event."""
        if self._broken:
            return
        try:
            write_json(self._head | shapes.event(recorded))
        except BrokenPipeError:
            self._broken = True
