"""Traces on their way: a run's spans to a file, or to a receiver of OTLP over HTTP."""

from __future__ import annotations

import gzip
import json
import os
from importlib.metadata import version
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError
from anabranch.platforms.delivery import REFUSED
from anabranch.platforms.delivery.lines import append
from anabranch.platforms.delivery.post import Poster
from anabranch.platforms.opentelemetry.otlp import request
from anabranch.platforms.opentelemetry.protobuf import encode, rejected
from anabranch.platforms.opentelemetry.settings import receiver, resource
from anabranch.platforms.opentelemetry.spans import Tracer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.model.export import OpenTelemetry, Origin
    from anabranch.model.run import Recorded
    from anabranch.platforms.opentelemetry.settings import Receiver
    from anabranch.platforms.opentelemetry.spans import Span


class TraceExporter:
    """The `Exporter` of OpenTelemetry."""

    noun = "span"
    batch = 512

    def __init__(self, target: OpenTelemetry, origin: Origin) -> None:
        """Name where the spans go and where the run is from; variables are read and secrets resolved.

        Raises:
            StepError: `missing-secret`, `export-refused`.
        """
        self._tracer = Tracer(origin)
        self._resource = resource(origin.project, version("anabranch"), os.environ)
        self._file = target.file
        found = None if target.file else receiver(target, os.environ)
        self._gzip = found is not None and found.gzip
        self._poster = None if found is None else Poster(found.url, _headers(found), tls=found.tls())
        self.where = target.file if self._poster is None else self._poster.where

    def tell(self, recorded: Recorded) -> Sequence[Span]:
        """Return the spans that the next event of the run has ended."""
        return self._tracer.tell(recorded)

    def abandon(self) -> Sequence[Span]:
        """Return what the run has left open when nobody drives it any more."""
        return self._tracer.abandon()

    def lines(self, messages: Sequence[Span]) -> list[str]:
        """Return spans as one request of OTLP in JSON, on one line."""
        told = request(self._resource, messages)
        return [json.dumps(told, ensure_ascii=False, separators=(",", ":"))] if messages else []

    def send(self, messages: Sequence[Span]) -> None:
        """Deliver spans.

        Raises:
            StepError: `export-unreachable`, `export-refused`.
        """
        if self._poster is None:
            append(self._file, self.lines(messages))
            return
        body = encode(request(self._resource, messages))
        count, why = rejected(self._poster.post(gzip.compress(body) if self._gzip else body))
        if count:
            message = f"{self.where} rejects {count:,} of {len(messages):,} spans: {why or 'it does not say why'}"
            raise StepError(message, code=REFUSED, hint="look at its log")

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._poster is not None:
            self._poster.close()


def _headers(found: Receiver) -> dict[str, str]:
    told = {"Content-Type": "application/x-protobuf", **found.headers}
    return {**told, "Content-Encoding": "gzip"} if found.gzip else told
