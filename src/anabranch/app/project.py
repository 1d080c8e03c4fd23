"""A project: its pipelines and datasets, and everything that can be done with them."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from anabranch.app.execute import Place, RunResult, execute
from anabranch.app.history import values_from_before
from anabranch.app.retry import Again, Retry, plan_retry
from anabranch.data.objects import mirror
from anabranch.frontends.deferred import defer_data_libraries
from anabranch.frontends.load import load_project
from anabranch.model.branch import MAIN
from anabranch.model.environment import folders_of
from anabranch.model.errors import ConflictError, InvalidProject, NotFoundError, Severity, UsageError, closest
from anabranch.model.graph import select
from anabranch.model.run import RunState
from anabranch.run.params import bind_params
from anabranch.run.plan import RunPlan, known_steps, need_input, new_run_id, sources_outside
from anabranch.run.runner import log_file
from anabranch.store.code import CodeStore
from anabranch.store.runs import SqliteRunStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anabranch.app.branches import Branches
    from anabranch.app.deploy import Deployment
    from anabranch.app.elsewhere import Elsewhere
    from anabranch.app.export.past import Past
    from anabranch.app.export.replay import Exported
    from anabranch.app.remote import RemoteRuns
    from anabranch.data.preview import Preview
    from anabranch.frontends.project import ProjectFile
    from anabranch.model.branch import Branch
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import Json, Pipeline, StepId, TestCase
    from anabranch.model.run import Run, RunId
    from anabranch.ports import Reporter
    from anabranch.testing import TestResult


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
        """The folder where its datasets lie, or that mirrors where they lie."""
        return mirror.local(self.file.storage)

    @property
    def folder(self) -> Path:
        """Where we keep runs, logs and snapshots of code."""
        return self.root / ".anabranch"

    @property
    def where(self) -> str:
        """The environment that its runs are in; empty for this machine."""
        return ""

    @property
    def branch_storage(self) -> Path:
        """Below which storage its branches have their roots."""
        return mirror.local(self.file.branch_storage) if self.file.branch_storage else self.storage

    @cached_property
    def id(self) -> str:
        """What tells this checkout's records from those of others that share its storage."""
        path = self.folder / "id"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"id.{uuid4().hex}")
            fresh.write_text(uuid4().hex)
            with suppress(FileExistsError):
                os.link(fresh, path)  # the first of several processes wins
            fresh.unlink()
        return path.read_text()

    @cached_property
    def runs(self) -> SqliteRunStore:
        """The history of runs."""
        return SqliteRunStore(self.folder)

    @cached_property
    def branches(self) -> Branches:
        """The project's branches."""
        from anabranch.app.branches import Branches

        return Branches(self)

    @cached_property
    def code(self) -> CodeStore:
        """Snapshots of the project's code."""
        return CodeStore(self.root, self.folder / "code", self.no_code)

    @property
    def no_code(self) -> tuple[Path, ...]:
        """Files and folders that may lie in the project, and are none of its code."""
        elsewhere = [path for each in self.file.environments.values() for path in folders_of(each)]
        told = [Path(each.file) for each in self.file.exports if each.file]
        return (self.storage, self.branch_storage, *elsewhere, *told)

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

    def deployment(self, environment: str) -> Deployment:
        """Return what is, and what should be, deployed to an environment.

        Raises:
            NotFoundError: `no-environment`.
        """
        from anabranch.app.deploy import Deployment, environment_of

        return Deployment(self, environment_of(self, environment))

    def remote(self, environment: str) -> RemoteRuns:
        """Return the runs of an environment.

        Raises:
            NotFoundError: `no-environment`.
            UsageError: `no-url`.
        """
        from anabranch.app.remote import RemoteRuns

        return RemoteRuns(self, self.deployment(environment))

    def check(self, pipeline: str | None = None) -> tuple[Diagnostic, ...]:
        """Return everything that is wrong or doubtful with one pipeline, or with all and their datasets together."""
        from anabranch import check

        chosen = list(self.pipelines.values()) if pipeline is None else [self.pipeline(pipeline)]
        return check.project(chosen, self.root, _binder(), self.datasets, remote=mirror.is_url(self.file.storage))

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
        self.demand_valid(chosen_pipeline)
        chosen_pipeline = self.locked(chosen_pipeline)
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
        reused = values_from_before(self.runs, chosen_pipeline.name, sources_outside(chosen_pipeline, chosen))
        plan = RunPlan(
            new_run_id(),
            chosen_pipeline,
            frozenset(chosen),
            reused,
            bind_params(chosen_pipeline, params or {}),
            input,
        )
        return self.execute(plan, self.place, jobs=jobs, reporter=reporter, wait=wait)

    def execute(
        self,
        plan: RunPlan,
        place: Place,
        *,
        jobs: int | None = None,
        reporter: Reporter | None = None,
        wait: float = 0,
    ) -> RunResult:
        """Run what was planned, where the project runs, and tell those whom it exports to."""

        def act(told: Reporter | None, trace: str) -> RunResult:
            return self._execute(plan, place, jobs=jobs, reporter=told, wait=wait, trace=trace)

        if not self.file.exports:
            return act(reporter, "")
        from anabranch.app.export.live import exported

        return exported(self, plan, place, reporter, act)

    def _execute(
        self, plan: RunPlan, place: Place, *, jobs: int | None, reporter: Reporter | None, wait: float, trace: str
    ) -> RunResult:
        return execute(plan, place, self.code, jobs=jobs, reporter=reporter, wait=wait, trace=trace)

    def past(self, run: str) -> Past:
        """Return a run with all that was recorded of it.

        Raises:
            NotFoundError: `no-run`.
            UsageError: `ambiguous-run`.
        """
        from anabranch.app.export.past import Past, storage_of

        told = self.runs.run(self.runs.resolve(run))
        pipeline = self.runs.definition(told.id)
        return Past(told, pipeline, tuple(self.runs.events(told.id)), storage_of(self, told))

    def export(self, run: str, to: str | None = None) -> tuple[Exported, ...]:
        """Tell other systems of a run again, from its record.

        Args:
            run: an id, a unique prefix, or `last`.
            to: `openlineage` or `opentelemetry`; all that `anabranch.yaml` names by default.

        Raises:
            NotFoundError: `no-run`; `no-export`, `anabranch.yaml` names none.
            StepError: `export-unreachable`, `export-refused`, `missing-secret`.
        """
        from anabranch.app.export.replay import replay

        return replay(self, self.past(run), to)

    def told(self, past: Past, kind: str) -> list[str]:
        """Return what `openlineage` or `opentelemetry` would be told of a run, as lines of JSON."""
        from anabranch.app.export.replay import lines

        return lines(self, past, kind)

    def withdraw(self, branch: Branch, *, force: bool = False) -> None:
        """Delete what was deployed for a branch; on this machine that is nothing."""

    def policy(self, branch: Branch) -> str:  # noqa: ARG002 - it is there for environments
        """Return what narrows each call of a branch to its root: on this machine a guard does, and no document."""
        return ""

    def at(self, environment: str) -> Elsewhere:
        """Return the project as it is in an environment: its storage, its runs, its branches.

        Raises:
            NotFoundError: `no-environment`.
            UsageError: `no-url`.
        """
        from anabranch.app.deploy import environment_of
        from anabranch.app.elsewhere import Elsewhere

        return Elsewhere(self, environment_of(self, environment))

    def retry(  # noqa: PLR0913 - one keyword for each option of the verb
        self,
        run: str,
        *,
        start: Iterable[str] = (),
        everything: bool = False,
        code: Literal["current", "same"] = "current",
        jobs: int | None = None,
        reporter: Reporter | None = None,
        wait: float = 0,
    ) -> RunResult:
        """Run again what a run did not finish, and reuse what it did.

        Args:
            run: an id, a unique prefix, or `last`.
            start: rerun these steps and everything downstream, though they succeeded.
            everything: rerun all of its steps.
            code: the project's code as it is now, or the same that the run had.
            jobs: how many steps run at once.
            reporter: who is told while it happens.
            wait: seconds to wait for another run of the pipeline to end.

        Raises:
            NotFoundError: no such run, or its code is not kept any more.
            ConflictError: `still-running`.
        """
        earlier, asked, same = self._ended(run), Again(tuple(start), everything), code == "same"
        if earlier.namespace != MAIN:
            return self.branches.retry(earlier, asked, same=same, jobs=jobs, reporter=reporter, wait=wait)
        plan = self._planned_retry(earlier, asked, same=same).plan
        place = replace(self.place, code=self.code.materialise(earlier.code)) if same else self.place
        return self.execute(plan, place, jobs=jobs, reporter=reporter, wait=wait)

    def preview_retry(
        self,
        run: str,
        *,
        start: Iterable[str] = (),
        everything: bool = False,
        code: Literal["current", "same"] = "current",
    ) -> Retry:
        """Return exactly what `retry` would run again, and what it would reuse; nothing is run."""
        earlier, asked, same = self._ended(run), Again(tuple(start), everything), code == "same"
        if earlier.namespace != MAIN:
            return self.branches.preview_retry(earlier, asked, same=same)
        return self._planned_retry(earlier, asked, same=same)

    def _ended(self, run: str) -> Run:
        earlier = self.runs.run(self.runs.resolve(run))
        if earlier.state is RunState.RUNNING:
            message = f"run {earlier.id} is still running"
            raise ConflictError(message, code="still-running", hint=f"anabranch runs cancel {earlier.id}")
        return earlier

    def _planned_retry(self, earlier: Run, asked: Again, *, same: bool) -> Retry:
        pipeline = self.runs.definition(earlier.id) if same else self.pipeline(earlier.pipeline)
        if not same:
            self.demand_valid(pipeline)
            pipeline = self.locked(pipeline)
        return plan_retry(self.runs, earlier, pipeline, asked, self.storage, same=same)

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
            self.demand_valid(each)

        def start(pipeline: Pipeline, case: TestCase, steps: frozenset[StepId], storage: Path, state: Path) -> Run:
            need_input(pipeline, steps, case.input)
            plan = RunPlan(
                new_run_id(), pipeline, steps, {}, bind_params(pipeline, dict(case.params)), case.input, trigger="test"
            )
            place = Place(self.root, storage, state, SqliteRunStore(state), self.root)
            return self.execute(plan, place, reporter=reporter).run

        return tuple(
            run_case(each, case, self.root, start) for each, case in cases if not wanted or case.name in wanted
        )

    def ports_of(self, dataset: str) -> tuple[list[str], list[str]]:
        """Return who writes and who reads a dataset, as `pipeline/step`."""
        steps = [(pipeline, step) for pipeline in self.pipelines.values() for step in pipeline.steps]
        writers = [(pipe, step) for pipe, step in steps if any(port.dataset == dataset for port in step.outputs)]
        readers = [(pipe, step) for pipe, step in steps if any(port.dataset == dataset for port in step.reads)]
        return [f"{pipe.name}/{step.id}" for pipe, step in writers], [
            f"{pipe.name}/{step.id}" for pipe, step in readers
        ]

    def preview(self, dataset: str, rows: int = 20, namespace: str = MAIN) -> Preview:
        """Return the first rows of a dataset as they lie in main, or as a branch sees them.

        Raises:
            NotFoundError: `unknown-dataset`; `no-data`, nothing lies there.
            StepError: `unreadable-input`.
        """
        from anabranch.data.preview import preview

        if dataset not in self.datasets:
            message = f"no dataset `{dataset}`"
            raise NotFoundError(message, code="unknown-dataset", hint=closest(dataset, self.datasets))
        if namespace == MAIN:
            return preview(self.storage, self.datasets[dataset], rows)
        branch = self.branches.find(namespace)
        carved = self.runs.definition(branch.run).dataset_by_name if branch.run is not None else {}
        return preview(Path(branch.root), carved.get(dataset, self.datasets[dataset]), rows)

    def log_path(self, run: RunId, step: StepId, attempt: int) -> Path:
        """Return the file with what an attempt printed; it may not exist."""
        return log_file(self.folder / "runs" / run, step, attempt)

    def location(self, dataset: DatasetSpec) -> str:
        """Return where a dataset lies: a path or a URL."""
        return f"{self.shown(self.storage)}/{dataset.location}"

    def shown(self, storage: str | Path) -> str:
        """Return a storage root as people know it: its path, or the URL that the folder mirrors."""
        return mirror.shown(Path(storage))

    def demand_valid(self, pipeline: Pipeline) -> None:
        """Make sure that a pipeline can run.

        Raises:
            InvalidProject: with every error that `check` finds.
        """
        errors = [found for found in self.check(pipeline.name) if found.severity is Severity.ERROR]
        if errors:
            raise InvalidProject(errors)

    def locked(self, pipeline: Pipeline) -> Pipeline:
        """Return the pipeline with its requirements at locked versions; what was never resolved is resolved now.

        Where nobody can resolve it, it stays as it is asked for: the step says what is wrong when it runs.
        """
        from anabranch.frontends.lock import read_locks, unlocked, with_locks, write_locks

        if not any(step.needs.requirements for step in pipeline.steps):
            return pipeline
        locks = read_locks(self.root)
        if missing := unlocked([pipeline], locks):
            from anabranch.run.envs import resolve
            from anabranch.worker import cache_folder

            found = {key: resolve(each, cache_folder()) for key, each in missing.items()}
            if new := {key: each for key, each in found.items() if each is not None}:
                locks |= new
                with suppress(OSError):  # a folder that cannot be written keeps no locks
                    write_locks(self.root, locks)
        self.pipelines[pipeline.name] = with_locks(pipeline, locks)
        return self.pipelines[pipeline.name]

    @property
    def place(self) -> Place:
        """Where main's runs happen."""
        return Place(self.root, self.storage, self.folder, self.runs, self.root)


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
