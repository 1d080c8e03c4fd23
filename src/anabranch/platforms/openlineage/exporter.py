"""Lineage on its way: a run's events to a file, or one by one to a catalogue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anabranch.platforms.delivery.lines import append
from anabranch.platforms.delivery.post import Poster
from anabranch.platforms.openlineage.story import Story
from anabranch.platforms.process.secrets import resolve_references

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.model.export import OpenLineage, Origin
    from anabranch.model.run import Recorded
    from anabranch.platforms.openlineage.story import RunEvent

PATH = "/api/v1/lineage"
"""Where catalogues take events, unless the URL names another path.

Source: https://openlineage.io/apidocs/openapi
"""


class LineageExporter:
    """The `Exporter` of OpenLineage."""

    noun = "event"

    def __init__(self, target: OpenLineage, origin: Origin) -> None:
        """Name where the events go and where the run is from; secrets are resolved.

        Raises:
            StepError: `missing-secret`.
        """
        self._story = Story(origin, target.namespace)
        headers = {"Content-Type": "application/json", **resolve_references(target.headers)}
        if target.token:
            headers["Authorization"] = f"Bearer {resolve_references([('token', target.token)])['token']}"
        self._file = target.file
        self._poster = Poster(address(target.url), headers) if target.url else None
        self.batch = 1 if self._poster else 1000
        self.where = self._poster.where if self._poster else self._file

    def tell(self, recorded: Recorded) -> Sequence[RunEvent]:
        """Return what the next event of the run means here."""
        return self._story.tell(recorded)

    def abandon(self) -> Sequence[RunEvent]:
        """Return how the run ends when nobody drives it any more."""
        return self._story.abandon()

    def lines(self, messages: Sequence[RunEvent]) -> list[str]:
        """Return events as JSON, each on one line."""
        return [json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in messages]

    def send(self, messages: Sequence[RunEvent]) -> None:
        """Deliver events.

        Raises:
            StepError: `export-unreachable`, `export-refused`.
        """
        lines = self.lines(messages)
        if self._poster is None:
            append(self._file, lines)
            return
        for line in lines:
            self._poster.post(line.encode(errors="replace"))

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._poster is not None:
            self._poster.close()


def address(url: str) -> str:
    """Return where events are posted to.

    >>> address("http://marquez:5000"), address("https://catalogue/lineage/in")
    ('http://marquez:5000/api/v1/lineage', 'https://catalogue/lineage/in')
    """
    return url.rstrip("/") + PATH if urlsplit(url).path in {"", "/"} else url
