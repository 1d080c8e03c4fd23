"""Attempts without a runner: what the data room is given by a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from anabranch.data.local import LocalData
from anabranch.model.call import Call, PythonCall
from anabranch.model.dataset import DatasetSpec
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Rows, Step, StepId
from anabranch.model.run import RunId
from anabranch.model.task import Task
from anabranch.ports import Staging

Begin = Callable[..., Staging]


def task(
    storage: Path,
    reads: list[DatasetSpec],
    writes: list[DatasetSpec],
    *,
    call: Call | None = None,
    run: str = "run1",
    attempt: int = 1,
    rows: Rows = Rows.AUTO,
) -> Task:
    """One attempt that reads and writes these datasets."""
    step = Step(
        StepId("s"),
        call or PythonCall("m:f"),
        tuple(DatasetInput(spec.name, spec.name, rows=rows) for spec in reads),
        tuple(DatasetOutput(spec.name, spec.name) for spec in writes),
    )
    scratch = str(storage / "scratch")
    return Task(RunId(run), "p", step, attempt, str(storage), str(storage), scratch, datasets=(*reads, *writes))


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Begin an attempt in a temporary storage."""

    def start(reads: list[DatasetSpec], writes: list[DatasetSpec], **options: object) -> Staging:
        return LocalData(tmp_path).begin(task(tmp_path, reads, writes, **options))  # type: ignore[arg-type]

    return start
