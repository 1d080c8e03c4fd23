"""One run, wired: where it happens, its workers, its locks, its loop."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anabranch.model.run import RunState
from anabranch.run.pool import Pool
from anabranch.run.runner import Runner
from anabranch.store.locks import PipelineLock
from anabranch.store.runs import SqliteRunStore
from anabranch.worker import serve_here

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import Pipeline
    from anabranch.model.run import Recorded, Run
    from anabranch.ports import Reporter, RunStore
    from anabranch.run.plan import RunPlan
    from anabranch.store.code import CodeStore


class Quiet:
    """A `Reporter` that shows nothing."""

    def report(self, recorded: Recorded) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Place:
    """Where a run happens: its code, its data, and what we keep of it.

    Attributes:
        code: the folder that is imported from.
        storage: the root below which it writes.
        state: where its logs and locks lie.
        store: who records it.
        root: the project's own root; workers are forked only when the code is of there.
        protected: storage that its Python code must not write to: main's, in a branch.
    """

    code: Path
    storage: Path
    state: Path
    store: RunStore
    root: Path
    protected: Path | None = None


@dataclass(frozen=True)
class DatasetOutput:
    """A dataset that a run wrote."""

    dataset: DatasetSpec
    location: Path
    rows: int | None
    version: str
    storage: Path

    def read(self, annotation: Any = "polars.DataFrame") -> Any:
        """Return its rows as polars.DataFrame, or as the frame type that is asked for."""
        from anabranch.data.describe import read_dataset

        return read_dataset(self.storage, self.dataset, annotation)


@dataclass(frozen=True)
class RunResult:
    """A run that has ended. `outputs` has datasets by name, and values by the step that returned them."""

    run: Run
    outputs: Mapping[str, Any]
    warnings: tuple[Diagnostic, ...] = ()
    """What went wrong beside the run, such as its export."""

    @property
    def ok(self) -> bool:
        """Whether every step succeeded."""
        return self.run.state is RunState.SUCCEEDED


def execute(  # noqa: PLR0913 - the options of a run
    plan: RunPlan,
    place: Place,
    code: CodeStore,
    *,
    jobs: int | None = None,
    reporter: Reporter | None = None,
    wait: float = 0,
    trace: str = "",
) -> RunResult:
    """Run a plan: workers first, while this process may fork, then the locks, the store and the loop.

    Args:
        plan: what to do.
        place: where.
        code: keeps snapshots of it.
        jobs: how many steps run at once.
        reporter: who is told.
        wait: seconds to wait for another run of the pipeline to end.
        trace: the id of the run's trace; empty when nobody gets it.

    Raises:
        ConflictError: `already-running`.
    """
    if isinstance(place.store, SqliteRunStore):
        place.store.close()
    command = [sys.executable, "-P", "-m", "anabranch.worker"]
    pool = Pool(jobs or os.cpu_count() or 1, serve_here, command, fork=place.code == place.root)
    pool.start(len(plan.chosen) - len(plan.chosen & set(plan.reused)))
    try:
        with PipelineLock(place.state / "locks", plan.pipeline.name, plan.namespace, run=plan.run, wait=wait):
            if plan.pipeline.datasets:
                from anabranch.data.local import LocalData

                LocalData(place.storage).recover(plan.pipeline.name)
            Runner(
                plan if plan.code else replace(plan, code=code.snapshot()),
                pool=pool,
                store=place.store,
                reporter=reporter or Quiet(),
                root=place.code,
                storage=place.storage,
                protected=place.protected,
                folder=place.state / "runs" / plan.run,
                trace=trace,
            ).run()
            run = place.store.run(plan.run)
    finally:
        pool.close()
    return result(run, plan.pipeline, place.storage)


def result(run: Run, pipeline: Pipeline, storage: Path) -> RunResult:
    """Return a run with handles on what it made."""
    outputs: dict[str, Any] = {}
    for step in run.steps:
        if not step.state.ok:
            continue
        if step.value is not None:
            outputs[step.step] = step.value
        for port in step.writes:
            spec = pipeline.dataset_by_name[port.dataset]
            outputs[port.dataset] = DatasetOutput(spec, storage / spec.location, port.rows, port.version, storage)
    return RunResult(run, outputs)
