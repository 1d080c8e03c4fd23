"""A project as it is in an environment: what runs there is recorded here as it is told, so branches work there too."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import count, islice
from typing import TYPE_CHECKING

from anabranch.app.deploy import Deployment, with_variables
from anabranch.app.execute import result
from anabranch.app.export.past import Past
from anabranch.app.project import Project
from anabranch.app.remote import HELD_EVERY, POLL, RemoteRuns, key_of, need_going_on
from anabranch.branch.names import slug
from anabranch.data import reports
from anabranch.data.objects import mirror
from anabranch.model import codec
from anabranch.model.branch import MAIN, Role
from anabranch.model.errors import AnabranchError, ConflictError, NotFoundError, UsageError
from anabranch.model.graph import order
from anabranch.model.run import RunEnded, RunId, RunStarted, RunState, fold
from anabranch.model.task import Done
from anabranch.store.branches import SqliteBranchStore
from anabranch.store.runs import SqliteRunStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anabranch.app.execute import Place, RunResult
    from anabranch.model.branch import Branch
    from anabranch.model.environment import Environment
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Recorded, Run
    from anabranch.ports import Reporter, Runs
    from anabranch.run.plan import RunPlan
    from anabranch.store.code import CodeStore

RECENT = 25
"""Runs of a pipeline that are asked for, to learn what main has done."""


class Elsewhere(Project):
    """A project in an environment. Its history there is kept beside the project's own, as the platform tells it."""

    def __init__(self, here: Project, environment: Environment) -> None:
        """Use `Project.at`."""
        bound = {name: with_variables(each, environment) for name, each in here.pipelines.items()}
        super().__init__(here.file, bound, here.datasets)
        self._here, self.environment = here, environment
        self._deployment = Deployment(here, environment)
        self.elsewhere = RemoteRuns(here, self._deployment)

    @property
    def storage(self) -> Path:
        """The root of main's datasets in the environment."""
        return mirror.local(self.environment.storage)

    @property
    def branch_storage(self) -> Path:
        """Below which storage branches have their roots: they lie where the environment's workers see them."""
        return self.storage

    @property
    def folder(self) -> Path:
        """Where what is known of the environment's runs and branches is kept."""
        return self._here.folder / "environments" / self.environment.name

    @cached_property
    def code(self) -> CodeStore:
        """Snapshots of the project's code: those that were deployed are among them."""
        return self._deployment.code

    @cached_property
    def runs(self) -> SqliteRunStore:
        """The history of the environment's runs, brought up to date."""
        store = SqliteRunStore(self.folder)
        for pipeline in self._here.pipelines.values():
            with suppress(NotFoundError):
                self._learn(store, pipeline)
        for branch in SqliteBranchStore(store.database).all() if store.path.exists() else ():
            with suppress(NotFoundError):
                if branch.run is not None and (run := store.run(RunId(branch.run))).state is RunState.DEAD:
                    self._caught_up(store, branch, run)
        return store

    def _caught_up(self, store: SqliteRunStore, branch: Branch, run: Run) -> Run:
        """Return a run of a branch, which nobody follows any more, as the platform tells it; its end is recorded.

        Raises:
            NotFoundError: it is not there.
        """
        known = list(store.events(run.id))
        seen = {key_of(each.event) for each in known}
        told = self._of_branch(branch, store.definition(run.id)).events(run.id)
        more = [each for each in told if key_of(each.event) not in seen]
        if any(isinstance(each.event, RunEnded) for each in more):
            store.append(run.id, [each.event for each in more])
            return store.run(run.id)
        return fold([*known, *more]) or run

    def _of_branch(self, branch: Branch, carved: Pipeline) -> Runs:
        """Return the runs of a branch; raises as `Orchestration.runs`."""
        deployment = self._deployment.of_branch(slug(branch.name))
        return self._runs_of(deployment, carved, mirror.local(branch.root))

    def _learn(self, store: SqliteRunStore, pipeline: Pipeline) -> None:
        """Record the runs of main that have ended since somebody looked last; those that had failed may be mended."""
        known = {run.id for run in store.runs(pipeline.name, 1000, MAIN) if run.state is RunState.SUCCEEDED}
        runs = self.elsewhere.of(pipeline)
        for name in reversed([each for each in islice(runs.names(), RECENT) if each not in known]):
            told = runs.events(name)
            if isinstance(told[-1].event, RunEnded):
                self._keep(store, pipeline, told)

    def _keep(self, store: SqliteRunStore, pipeline: Pipeline, told: Sequence[Recorded]) -> None:
        run, first = told[0].run, told[0].event
        found = reports.read(self.storage, pipeline.name, run)
        names = [str(each["definition"]) for each in found.values() if "definition" in each]
        definition = self._deployment.learned(names[-1]) if names else None
        if definition is None or not isinstance(first, RunStarted):
            return  # whoever deployed it has left nothing of it
        begun = replace(told[0], event=replace(first, code=definition.code))
        store.copy(definition.pipeline, (begun, *told[1:]))

    @property
    def where(self) -> str:
        """The environment's name."""
        return self.environment.name

    def past(self, run: str) -> Past:
        """Return a run as the platform tells of it; one of a branch, which was driven from here, as it was told then.

        Raises:
            NotFoundError: `no-run`.
            UsageError: `ambiguous-run`.
        """
        runs, told = self.find(run)
        try:
            return super().past(told.id)
        except NotFoundError:  # it goes on, so it is not recorded here yet
            return Past(told, self.pipeline(told.pipeline), tuple(runs.events(told.id)), self.storage)

    def _execute(
        self, plan: RunPlan, place: Place, *, jobs: int | None, reporter: Reporter | None, wait: float, trace: str
    ) -> RunResult:
        """Run what was planned for a branch on the platform; a control runs here, on the environment's data."""
        if plan.trigger == "control":
            return super()._execute(plan, place, jobs=jobs, reporter=reporter, wait=wait, trace=trace)
        plan = plan if plan.code else replace(plan, code=self.code.snapshot())
        steps = tuple(step for step in plan.pipeline.steps if step.id not in plan.reused)
        carved = replace(plan.pipeline, steps=steps)
        branch = self.branches.find(plan.namespace)
        deployment = self._deployment.of_branch(slug(branch.name))
        reused = self._unchanged(branch, carved)
        wanted = deployment.branch_resources(carved, self.shown(place.storage), plan.code, reused)
        deployment.apply(lambda _: None, wanted=wanted)
        for step, (_, told) in plan.reused.items():  # their values lie where those of the run will
            outcome = codec.encode(Done(0.0, value=told.value))
            reports.write(place.storage, carved.name, plan.run, step, 0, {"outcome": outcome})
        runs = self._runs_of(deployment, carved, place.storage)
        first = RunStarted(
            carved.name, order(carved), plan.namespace, plan.params, plan.input, plan.code, plan.of, plan.trigger
        )
        begun = self.runs.begin(plan.run, plan.pipeline, first)  # before it is there, so that it is never unknown here
        try:
            runs.start(plan.run, dict(plan.params), plan.input)
        except BaseException as error:
            self._not_begun(plan.run, runs, error)
            raise
        if reporter is not None:
            reporter.report(begun)
        return result(self._follow(plan, runs, reporter), plan.pipeline, place.storage)

    def _not_begun(self, run: RunId, runs: Runs, error: BaseException) -> None:
        """Record that a run did not begin; where that is not known, whoever looks later asks again."""
        with suppress(AnabranchError):
            try:
                runs.events(run)
            except NotFoundError:
                state = RunState.FAILED if isinstance(error, AnabranchError) else RunState.CANCELLED
                self.runs.append(run, [RunEnded(state, 0.0, str(error))])

    def _unchanged(self, branch: Branch, carved: Pipeline) -> dict[StepId, str]:
        """Return main's job for the steps that are in only because of what is upstream of them."""
        main = self._deployment.orchestration.jobs(carved)
        inside = {each.step for each in branch.reasons if each.role is Role.DOWNSTREAM}
        return {step: job for step, job in main.items() if step in inside}

    def _runs_of(self, deployment: Deployment, carved: Pipeline, storage: Path) -> Runs:
        def told(run: str) -> reports.Reports:
            found = reports.read(storage, carved.name, run)
            return {key: report for key, report in found.items() if key[1] > 0}

        return deployment.orchestration.runs(carved, self.shown(storage), told)

    def _follow(self, plan: RunPlan, runs: Runs, reporter: Reporter | None) -> Run:
        """Record what happens in a run as it happens, until it ends."""
        seen: set[tuple[object, ...]] = {(RunStarted, "", 0)}
        asked = False
        for look in count():
            for each in runs.events(plan.run):
                event = each.event
                if key_of(event) in seen:
                    continue
                seen.add(key_of(event))
                for kept in self.runs.append(plan.run, [event]):
                    if reporter is not None:
                        reporter.report(kept)
                if isinstance(event, RunEnded):
                    return self.runs.run(plan.run)
            if self.runs.beat(plan.run) and not asked:
                asked = True
                with suppress(ConflictError):  # it has ended meanwhile
                    runs.cancel(plan.run)
            if look % HELD_EVERY == HELD_EVERY - 1:
                need_going_on(runs, plan.run, self.environment.name)
            time.sleep(POLL)
        raise AssertionError  # it counts for ever

    def find(self, text: str) -> tuple[Runs, Run]:
        """Return the run of main or of a branch that an id, a unique prefix, or `last` means, and where to ask of it.

        Raises:
            NotFoundError: `no-run`.
            UsageError: `ambiguous-run`.
        """
        try:
            pipeline, run = self.elsewhere.find(text)
        except NotFoundError:
            run = self.runs.run(self.runs.resolve(text))
            if run.namespace == MAIN:
                raise
            branch = self.branches.find(run.namespace)
            if run.state is RunState.DEAD:
                with suppress(NotFoundError):
                    run = self._caught_up(self.runs, branch, run)
            return self._of_branch(branch, self.runs.definition(run.id)), run
        return self.elsewhere.of(pipeline), run

    def policy(self, branch: Branch) -> str:
        """Return what narrows each call of a branch to its root; empty where nothing can."""
        steps = [step for step in self.pipeline(branch.pipeline).steps if step.id in branch.steps]
        return self._deployment.orchestration.policy(self.shown(mirror.local(branch.root)), steps)

    def withdraw(self, branch: Branch, *, force: bool = False) -> None:
        """Delete what was deployed for a branch, and prove it.

        Raises:
            ConflictError: `not-dropped`; `branch-busy`, a run of it goes on there.
        """
        self._stop(branch, force=force)
        done = self._deployment.of_branch(slug(branch.name)).destroy(lambda _: None)
        if done.left:
            message = f"branch `{branch.name}` is not gone: {len(done.left)} objects remain in {self.environment.name}"
            raise ConflictError(message, code="not-dropped", hint="look at the rights, then drop it again")

    def _stop(self, branch: Branch, *, force: bool) -> None:
        """Make sure that no run of a branch goes on, nor a worker of one: it would write where nothing may be left."""
        stopped: list[tuple[Runs, RunId]] = []
        for known in self.runs.newest(branch.pipeline, branch.name, RECENT):
            if known.state not in {RunState.RUNNING, RunState.DEAD, RunState.CANCELLED}:
                continue
            try:
                runs = self._of_branch(branch, self.runs.definition(known.id))
                told = fold(runs.events(known.id))
            except (NotFoundError, UsageError):  # it is not there, or nobody says where to ask
                continue
            if told is None or told.state not in {RunState.RUNNING, RunState.CANCELLED}:
                continue
            if told.state is RunState.RUNNING:
                if not force:
                    message = f"branch `{branch.name}` is in use: run {known.id} goes on in {self.environment.name}"
                    hint = "wait for it, or stop it and drop all: --force"
                    raise ConflictError(message, code="branch-busy", hint=hint)
                with suppress(ConflictError):  # it has ended meanwhile
                    runs.cancel(known.id)
            stopped.append((runs, known.id))
        for runs, run in stopped:
            while runs.lingers(run):
                time.sleep(POLL)
