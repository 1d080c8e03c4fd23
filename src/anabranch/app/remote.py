"""Runs elsewhere, wired: started, watched and retried on the platform, and told as the same logical runs."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import count, islice
from typing import TYPE_CHECKING

from anabranch.data import reports
from anabranch.data.objects import mirror
from anabranch.model.errors import ConflictError, NotFoundError, StepError, UsageError
from anabranch.model.run import AttemptFailed, RunStarted, RunState, fold
from anabranch.run.params import bind_params
from anabranch.run.plan import known_steps, need_input, new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from anabranch.app.deploy import Deployment
    from anabranch.app.project import Project
    from anabranch.model.pipeline import Json, Pipeline
    from anabranch.model.run import Event, Recorded, Run
    from anabranch.ports import Reporter, Runs

POLL = 1.0
"""Seconds between two looks at a run."""
NAMES = 1000
"""Runs of a pipeline among which one is looked for by the beginning of its id."""
HELD_EVERY = 10
"""Looks at a run, after which it is asked whether something holds it."""


def need_going_on(runs: Runs, run: str, environment: str) -> None:
    """Make sure that it is of use to wait for a run.

    Raises:
        ConflictError: `run-held`, somebody paused it, and it goes on when he lets it.
    """
    if why := runs.held():
        message = f"run {run} waits and is not followed any more: {why}"
        hint = f"unpause it there; then anabranch runs show {run} -e {environment}"
        raise ConflictError(message, code="run-held", hint=hint)


def key_of(event: Event) -> tuple[object, ...]:
    """Return what tells an event from others: what is known of an attempt grows, and is told once."""
    return (type(event), getattr(event, "step", ""), getattr(event, "attempt", 0))


class RemoteRuns:
    """The runs of a project's pipelines in one environment."""

    def __init__(self, project: Project, deployment: Deployment) -> None:
        """Use `Project.remote`."""
        self._project, self._deployment = project, deployment
        self.storage = mirror.local(deployment.environment.storage)

    def of(self, pipeline: Pipeline) -> Runs:
        """Return the runs of one pipeline.

        Raises:
            NotFoundError: `not-deployed`.
            UsageError: `no-url`.
        """
        root = self._deployment.environment.storage
        return self._deployment.orchestration.runs(
            pipeline, root, lambda run: reports.read(self.storage, pipeline.name, run)
        )

    def run(
        self,
        pipeline: Pipeline,
        params: Mapping[str, object],
        event: Json,
        reporter: Reporter,
        *,
        wait: bool = True,
        said: Callable[[str], None] = lambda _: None,
    ) -> Run:
        """Start a run of the deployed pipeline, and follow it to its end.

        Args:
            pipeline: which.
            params: by name; those that are left out are what they are by default.
            event: its input.
            reporter: hears what happens.
            wait: follow it.
            said: hears what it waits for.

        Raises:
            UsageError: params or input are wrong.
            StepError: the platform does not answer, or has not seen what was deployed.
        """
        need_input(pipeline, pipeline.step_by_id, event)
        bound = dict(bind_params(pipeline, params))
        runs, run = self.of(pipeline), new_run_id()
        self._await_others(runs, said)
        runs.start(run, bound, event)
        return self.follow(pipeline, run, reporter) if wait else self._run(runs, run)

    def follow(self, pipeline: Pipeline, run: str, reporter: Reporter, before: Iterable[Recorded] = ()) -> Run:
        """Report what happens in a run until it ends; return how it ended.

        Args:
            pipeline: whose.
            run: its id.
            reporter: who is told.
            before: what happened before the run was retried: its attempts are not told again.
        """
        runs = self.of(pipeline)
        told = {
            key
            for each in before
            if isinstance(each.event, RunStarted) or key_of(each.event)[-1]
            # What was its last attempt is followed by another now.
            for key in (key_of(each.event), (AttemptFailed, *key_of(each.event)[1:]))
        }
        for look in count():
            happened = runs.events(run)
            for each in happened:
                if (key := key_of(each.event)) not in told:
                    told.add(key)
                    reporter.report(each)
            found = fold(happened)
            if found is not None and found.state is not RunState.RUNNING:
                return found
            if look % HELD_EVERY == HELD_EVERY - 1:
                need_going_on(runs, run, self._deployment.environment.name)
            time.sleep(POLL)
        raise AssertionError  # it counts for ever

    def _run(self, runs: Runs, run: str) -> Run:
        found = fold(runs.events(run))
        if found is None:
            raise NotFoundError(f"no run `{run}`", code="no-run", hint="anabranch runs list")
        return found

    def _await_others(self, runs: Runs, said: Callable[[str], None]) -> None:
        """Wait until nothing of a run that was stopped can write beside the next; its turn a run awaits by itself."""
        for newest in filter(None, map(fold, runs.newest(1))):
            if newest.state is RunState.RUNNING:
                said(f"run {newest.id} goes on: this one waits for its turn")
            if newest.state is RunState.CANCELLED and runs.lingers(newest.id):
                said(
                    f"run {newest.id} was stopped, and what it had begun may still write: waiting until that has ended"
                )
                while runs.lingers(newest.id):
                    time.sleep(POLL)

    def undeployed(self, pipeline: Pipeline) -> str:
        """Return how the project's code differs from that of a run that begins now, as a unified diff.

        It is empty where there is no difference, and where what was deployed cannot be read.
        """
        with suppress(StepError, NotFoundError):
            told = self._deployment.learned(self.of(pipeline).definition())
            if told is not None and told.code != (now := self._deployment.code.snapshot()):
                return self._deployment.code.diff(told.code, now)
        return ""

    def newest(self, pipeline: str | None, limit: int) -> list[Run]:
        """Return the newest runs of one pipeline, or of all that are deployed, the newest first."""
        chosen = [self._project.pipeline(pipeline)] if pipeline else list(self._project.pipelines.values())
        found: list[Run] = []
        for each in chosen:
            with suppress(NotFoundError):
                found += [run for told in self.of(each).newest(limit) if (run := fold(told)) is not None]
        return sorted(found, key=lambda run: run.started_at, reverse=True)[:limit]

    def find(self, text: str) -> tuple[Pipeline, Run]:
        """Return the run that an id, a unique prefix, or `last` means, with its pipeline.

        Raises:
            NotFoundError: `no-run`.
            UsageError: `ambiguous-run`.
        """
        if text == "last":
            newest = self.newest(None, 1)
            found = [(self._project.pipeline(run.pipeline), str(run.id)) for run in newest]
        else:
            found = self._named(text)
        if not found:
            where = self._deployment.environment.name
            message = f"no run `{text}` in {where}"
            raise NotFoundError(message, code="no-run", hint=f"anabranch runs list -e {where}")
        if len(found) > 1:
            message, some = f"`{text}` means {len(found)} runs", ", ".join(name for _, name in found[:5])
            raise UsageError(message, code="ambiguous-run", hint=f"one of {some}")
        pipeline, name = found[0]
        return pipeline, self._run(self.of(pipeline), name)

    def _named(self, text: str) -> list[tuple[Pipeline, str]]:
        """Return the run of that id, or of the newest those whose ids begin so, with their pipelines."""
        newest: list[tuple[Pipeline, str]] = []
        for pipeline in self._project.pipelines.values():
            with suppress(NotFoundError):
                newest += [(pipeline, name) for name in islice(self.of(pipeline).names(), NAMES)]
        if exact := [each for each in newest if each[1] == text]:
            return exact
        return [each for each in newest if each[1].startswith(text)] or list(self._older(text))

    def _older(self, text: str) -> Iterator[tuple[Pipeline, str]]:
        for pipeline in self._project.pipelines.values():
            with suppress(NotFoundError):
                self.of(pipeline).events(text)
                yield pipeline, text

    def retry(
        self, text: str, start: Iterable[str], reporter: Reporter, said: Callable[[str], None] = lambda _: None
    ) -> Run:
        """Run again what a run did not finish, or from some steps, and follow it to its end; `said` as of `run`.

        Raises:
            ConflictError: `still-running`.
            UsageError: `nothing-to-retry`.
        """
        pipeline, run = self.find(text)
        if run.state is RunState.RUNNING:
            message = f"run {run.id} is still running"
            hint = f"anabranch runs cancel {run.id} -e {self._deployment.environment.name}"
            raise ConflictError(message, code="still-running", hint=hint)
        steps = known_steps(pipeline, start) | {step.step for step in run.steps if not step.state.ok}
        if not steps:
            message = f"run {run.id} has nothing to do again: every step succeeded"
            raise UsageError(message, code="nothing-to-retry", hint="choose where to start: --from STEP")
        runs = self.of(pipeline)
        self._await_others(runs, said)
        before = runs.events(run.id)
        runs.retry(run.id, sorted(steps))
        return self.follow(pipeline, run.id, reporter, before)
