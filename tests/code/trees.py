"""Snapshots of projects in memory, and the fingerprints of steps in them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anabranch.code.fingerprint import Fingerprint, Fingerprints
from anabranch.model.call import Call, PythonCall, SqlCall
from anabranch.model.dataset import DatasetSpec
from anabranch.model.pipeline import Param, Pipeline, Step, StepId

LIBRARIES = {"polars": "1.0", "duckdb": "1.3", "pyspark": "4.0", "pyyaml": "6.0", "numpy": "2.0", "pandas": "2.3"}


@dataclass
class Files:
    """A snapshot: texts by name, which may be indented."""

    texts: Mapping[str, str | bytes] = field(default_factory=dict)

    def names(self) -> list[str]:
        return sorted(self.texts)

    def read(self, name: str) -> bytes | None:
        text = self.texts.get(name)
        if text is None or isinstance(text, bytes):
            return text
        return textwrap.dedent(text).encode()


def of(
    files: Mapping[str, str | bytes],
    call: Call,
    *,
    libraries: Mapping[str, str] = LIBRARIES,
    params: tuple[Param, ...] = (),
    datasets: tuple[DatasetSpec, ...] = (),
    **step: Any,
) -> Fingerprint:
    """Return the fingerprint of a pipeline's only step."""
    one = Step(StepId("s"), call, **step)
    pipeline = Pipeline("p", (one,), datasets, params)
    return Fingerprints(Files(files), libraries).of(pipeline, one)


def python(files: Mapping[str, str | bytes] | str, entry: str = "flights:clean", **more: Any) -> Fingerprint:
    """Return the fingerprint of a function; a text alone is `flights.py`."""
    return of({"flights.py": files} if isinstance(files, str) else files, PythonCall(entry), **more)


def sql(query: str, **more: Any) -> Fingerprint:
    """Return the fingerprint of a query."""
    return of({}, SqlCall(query), **more)
