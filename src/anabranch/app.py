"""The verbs, wired: what the command line calls, and the library's public API.

anabranch.Project.load(".").run("daily").outputs["delays_by_carrier"].read()
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anabranch.frontends.deferred import defer_data_libraries
from anabranch.frontends.load import load_project
from anabranch.model.dataset import Ingestion
from anabranch.model.errors import ConflictError, InvalidProject, NotFoundError, Severity, UsageError, closest
from anabranch.model.graph import select
from anabranch.model.run import RunState
from anabranch.run.params import bind_params
from anabranch.run.plan import RunPlan, known_steps, need_input, new_run_id, reusable, sources_outside
from anabranch.run.pool import Pool
from anabranch.run.runner import Runner, log_file
from anabranch.store.code import CodeStore
from anabranch.store.locks import PipelineLock
from anabranch.store.sqlite import SqliteRunStore
from anabranch.testing import TestResult
from anabranch.worker import serve_here

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anabranch.frontends.project import ProjectFile
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import Json, Pipeline, StepId, TestCase
    from anabranch.model.run import Recorded, Run, RunId, StepRun
    from anabranch.ports import Reporter, RunStore


class Quiet:
    """A `Reporter` that shows nothing."""

    def report(self, recorded: Recorded) -> None:
        """Show nothing."""


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

    @property
    def ok(self) -> bool:
        """Whether every step succeeded."""
        return self.run.state is RunState.SUCCEEDED


@dataclass(frozen=True)
class Place:
    """Where a run happens: its code, its data, and what we keep of it."""

    code: Path
    storage: Path
    state: Path
    store: RunStore


class Project:
    """A folder with an `anabranch.yaml`: its pipelines and datasets, and everything that can be done with them."""

    def __init__(
        self, file: ProjectFile, pipelines: Mapping[str, Pipeline], datasets: Mapping[str, DatasetSpec]
    ) -> None:
        """Use `Project.load`."""
        self.file = file
        self.pipelines = dict(pipelines)
        self.datasets = dict(datasets)

    @classmethod
    def load(cls, path: str | Path = ".", *, defer: bool = False) -> Project:
        """Read the project at or above a path.

        Args:
            path: where to look for `anabranch.yaml`.
            defer: import polars, pandas and others only when they are used; for processes that are ours, not notebooks.

        Raises:
            NotFoundError: `no-project`, there is no `anabranch.yaml`.
            InvalidProject: with every problem found in any of its files.
        """
        if defer:
            defer_data_libraries()
        return cls(*load_project(Path(path)))

    @property
    def name(self) -> str:
        """The project's name."""
        return self.file.name

    @property
    def root(self) -> Path:
        """The folder of `anabranch.yaml`."""
        return self.file.root

    @property
    def storage(self) -> Path:
        """Where its datasets lie."""
        return self.file.storage

    @property
    def folder(self) -> Path:
        """Where we keep runs, logs and snapshots of code."""
        return self.root / ".anabranch"

    @cached_property
    def runs(self) -> RunStore:
        """The history of runs."""
        return SqliteRunStore(self.folder)

    @cached_property
    def code(self) -> CodeStore:
        """Snapshots of the project's code."""
        return CodeStore(self.root, self.folder / "code", [self.storage])

    def pipeline(self, name: str | None = None) -> Pipeline:
        """Return a pipeline by name; without a name the only one.

        Raises:
            NotFoundError: `no-pipeline`.
            UsageError: `which-pipeline`, there are several.
        """
        if name is None:
            if len(self.pipelines) == 1:
                return next(iter(self.pipelines.values()))
            message = f"the project has {len(self.pipelines)} pipelines: {', '.join(sorted(self.pipelines))}"
            raise UsageError(message, code="which-pipeline", hint="name one of them")
        if name not in self.pipelines:
            message = f"no pipeline `{name}`"
            raise NotFoundError(message, code="no-pipeline", hint=closest(name, self.pipelines))
        return self.pipelines[name]

    def check(self, pipeline: str | None = None) -> tuple[Diagnostic, ...]:
        """Return everything that is wrong or doubtful with one pipeline, or with all and their datasets together."""
        from anabranch import check

        chosen = list(self.pipelines.values()) if pipeline is None else [self.pipeline(pipeline)]
        return check.project(chosen, self.root, _binder(), self.datasets)

    def run(  # noqa: PLR0913 - one keyword for each option of the verb
        self,
        pipeline: str | None = None,
        *,
        params: Mapping[str, object] | None = None,
        input: Json = None,  # noqa: A002 - the verb's word
        jobs: int | None = None,
        only: Iterable[str] = (),
        start: Iterable[str] = (),
        end: Iterable[str] = (),
        reporter: Reporter | None = None,
        wait: float = 0,
    ) -> RunResult:
        """Run a pipeline, or a part of it, and wait until it has ended.

        Args:
            pipeline: its name; may be left out when there is one.
            params: values by name, as text or as Python values.
            input: the event for first steps that take one.
            jobs: how many steps run at once; the number of cores by default.
            only: just these steps.
            start: these steps and everything downstream.
            end: these steps and everything upstream.
            reporter: who is told while it happens.
            wait: seconds to wait for another run of the pipeline to end.

        Raises:
            InvalidProject: `check` finds errors.
            UsageError: params, selection or input are wrong.
            ConflictError: `already-running`.
        """
        chosen_pipeline = self.pipeline(pipeline)
        self._demand_valid(chosen_pipeline)
        chosen = select(
            chosen_pipeline,
            only=known_steps(chosen_pipeline, only),
            start=known_steps(chosen_pipeline, start),
            end=known_steps(chosen_pipeline, end),
        )
        if not chosen:
            message = "no step is chosen by these --only, --from and --to together"
            raise UsageError(message, code="nothing-chosen", hint="anabranch graph")
        need_input(chosen_pipeline, chosen, input)
        reused = self._values_from_before(chosen_pipeline, sources_outside(chosen_pipeline, chosen))
        plan = RunPlan(
            new_run_id(),
            chosen_pipeline,
            frozenset(chosen),
            reused,
            bind_params(chosen_pipeline, params or {}),
            input,
        )
        return self._execute(plan, jobs, reporter, wait, self._place)

    def retry(
        self,
        run: str,
        *,
        start: Iterable[str] = (),
        code: Literal["current", "same"] = "current",
        jobs: int | None = None,
        reporter: Reporter | None = None,
        wait: float = 0,
    ) -> RunResult:
        """Run again what a run did not finish, and reuse what it did.

        Args:
            run: an id, a unique prefix, or `last`.
            start: rerun these steps and everything downstream, though they succeeded.
            code: the project's code as it is now, or the same that the run had.
            jobs: how many steps run at once.
            reporter: who is told while it happens.
            wait: seconds to wait for another run of the pipeline to end.

        Raises:
            NotFoundError: no such run, or its code is not kept any more.
            ConflictError: `still-running`.
        """
        earlier = self.runs.run(self.runs.resolve(run))
        if earlier.state is RunState.RUNNING:
            message = f"run {earlier.id} is still running"
            raise ConflictError(message, code="still-running", hint=f"anabranch runs cancel {earlier.id}")
        before = self.runs.definition(earlier.id)
        pipeline = before if code == "same" else self.pipeline(earlier.pipeline)
        if code == "current":
            self._demand_valid(pipeline)
        whole = {step.id for step in before.steps} == set(earlier.step_by_id)
        chosen = {step.id for step in pipeline.steps if whole or step.id in earlier.step_by_id}
        again = known_steps(pipeline, start)
        reused = reusable(pipeline, earlier, again | self._changed_since(pipeline, earlier))
        rerun = chosen - set(reused)
        if not rerun:
            message = f"run {earlier.id} has nothing to do again: every step succeeded"
            raise UsageError(message, code="nothing-to-retry", hint="name a step with --from")
        kept = {step: told for step, told in reused.items() if step in chosen}
        outside = sources_outside(pipeline, chosen)
        kept |= self._values_from_before(pipeline, outside)
        declared = {param.name for param in pipeline.params}
        plan = RunPlan(
            new_run_id(),
            pipeline,
            frozenset(chosen),
            kept,
            bind_params(pipeline, {name: value for name, value in earlier.params if name in declared}),
            earlier.input,
            earlier.code if code == "same" else "",
            earlier.id,
        )
        place = replace(self._place, code=self.code.materialise(earlier.code)) if code == "same" else self._place
        return self._execute(plan, jobs, reporter, wait, place)

    def code_diff(self, run: str, other: str | None = None) -> str:
        """Return how the code changed since a run, until now or until another run, as a unified diff."""
        old = self.runs.run(self.runs.resolve(run)).code
        new = self.runs.run(self.runs.resolve(other)).code if other else self.code.snapshot()
        return self.code.diff(old, new) if old != new else ""

    def test(
        self, pipeline: str | None = None, names: Iterable[str] = (), *, reporter: Reporter | None = None
    ) -> tuple[TestResult, ...]:
        """Run test cases, each in a storage of its own, and compare what comes out.

        Args:
            pipeline: whose tests; all pipelines' by default.
            names: only these cases.
            reporter: who is told while it happens.

        Raises:
            NotFoundError: `no-test`, no case of that name.
        """
        from anabranch.testing import run_case

        chosen = list(self.pipelines.values()) if pipeline is None else [self.pipeline(pipeline)]
        cases = [(each, case) for each in chosen for case in each.tests]
        wanted = list(names)
        for name in wanted:
            if all(case.name != name for _, case in cases):
                message = f"no test `{name}`"
                raise NotFoundError(message, code="no-test", hint=closest(name, [case.name for _, case in cases]))
        for each in chosen:
            self._demand_valid(each)

        def start(pipeline: Pipeline, case: TestCase, steps: frozenset[StepId], storage: Path, state: Path) -> Run:
            need_input(pipeline, steps, case.input)
            plan = RunPlan(
                new_run_id(), pipeline, steps, {}, bind_params(pipeline, dict(case.params)), case.input, trigger="test"
            )
            place = Place(self.root, storage, state, SqliteRunStore(state))
            return self._execute(plan, None, reporter, 0, place).run

        return tuple(
            run_case(each, case, self.root, start) for each, case in cases if not wanted or case.name in wanted
        )

    def log_path(self, run: RunId, step: StepId, attempt: int) -> Path:
        """Return the file with what an attempt printed; it may not exist."""
        return log_file(self.folder / "runs" / run, step, attempt)

    def location(self, dataset: DatasetSpec) -> Path:
        """Return where a dataset lies."""
        return self.storage / dataset.location

    def _demand_valid(self, pipeline: Pipeline) -> None:
        errors = [found for found in self.check(pipeline.name) if found.severity is Severity.ERROR]
        if errors:
            raise InvalidProject(errors)

    def _values_from_before(self, pipeline: Pipeline, steps: Iterable[StepId]) -> dict[StepId, tuple[RunId, StepRun]]:
        """Return the newest value of each of these steps, from runs that succeeded in it."""
        missing = set(steps)
        found: dict[StepId, tuple[RunId, StepRun]] = {}
        if not missing:
            return found
        for run in self.runs.runs(pipeline.name, limit=50):
            for step in sorted(missing):
                told = run.step_by_id.get(step)
                if told is not None and told.state.ok:
                    found[step] = (told.of or run.id, told)
                    missing.discard(step)
            if not missing:
                break
        if missing:
            name = min(missing)
            message = f"the chosen steps need the value of `{name}`, which has never succeeded"
            raise UsageError(message, code="missing-value", hint=f"choose `{name}` too")
        return found

    def _changed_since(self, pipeline: Pipeline, earlier: Run) -> set[StepId]:
        """Return the steps whose outputs are not those any more that the run made, or whose raw inputs have changed.

        An incremental input is no reason: the step has had its rows, and gets the new ones when the pipeline runs next.
        """
        from anabranch.data.describe import current_version

        specs, writers = pipeline.dataset_by_name, pipeline.writer_of
        changed: set[StepId] = set()
        for step in pipeline.steps:
            told = earlier.step_by_id.get(step.id)
            if told is None:
                continue
            raw = [
                port
                for port in told.reads
                if port.dataset not in writers
                and port.dataset in specs
                and specs[port.dataset].ingestion is Ingestion.FULL
            ]
            made = [port for port in told.writes if port.dataset in specs]
            if any(current_version(self.storage, specs[port.dataset]) != port.version for port in (*made, *raw)):
                changed.add(step.id)
        return changed

    @property
    def _place(self) -> Place:
        return Place(self.root, self.storage, self.folder, self.runs)

    def _execute(
        self, plan: RunPlan, jobs: int | None, reporter: Reporter | None, wait: float, place: Place
    ) -> RunResult:
        """Run a plan: workers first, while this process may fork, then the locks, the store and the loop."""
        if isinstance(place.store, SqliteRunStore):
            place.store.close()
        command = [sys.executable, "-P", "-m", "anabranch.worker"]
        pool = Pool(jobs or os.cpu_count() or 1, serve_here, command, fork=place.code == self.root)
        pool.start(len(plan.chosen) - len(plan.reused))
        try:
            with PipelineLock(place.state / "locks", plan.pipeline.name, plan.namespace, run=plan.run, wait=wait):
                if plan.pipeline.datasets:
                    from anabranch.data.local import LocalData

                    LocalData(place.storage).recover(plan.pipeline.name)
                Runner(
                    plan if plan.code else replace(plan, code=self.code.snapshot()),
                    pool=pool,
                    store=place.store,
                    reporter=reporter or Quiet(),
                    root=place.code,
                    storage=place.storage,
                    folder=place.state / "runs" / plan.run,
                ).run()
                run = place.store.run(plan.run)
        finally:
            pool.close()
        return self._result(run, plan.pipeline, place.storage)

    @staticmethod
    def _result(run: Run, pipeline: Pipeline, storage: Path) -> RunResult:
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


def schemas() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the JSON Schemas of pipeline specs and of `anabranch.yaml`."""
    from anabranch.frontends.schema import project_schema, spec_schema

    return spec_schema(), project_schema()


def _binder() -> Any:
    """Return what checks SQL against contracts, where duckdb is installed."""
    from importlib.util import find_spec

    if find_spec("duckdb") is None:
        return None
    from anabranch.data.bind import bind

    return bind


__all__ = ["DatasetOutput", "Project", "Quiet", "RunResult", "TestResult", "schemas"]
