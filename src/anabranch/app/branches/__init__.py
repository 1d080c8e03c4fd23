"""Branches of a project, wired: create, run, compare, promote, drop."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.app.branches import create as creating
from anabranch.app.branches import deltas as comparing
from anabranch.app.branches import drop as dropping
from anabranch.app.branches import git, reports
from anabranch.app.branches import look as looking
from anabranch.app.branches import promote as promoting
from anabranch.app.branches import run as running
from anabranch.app.branches.deltas import Asked
from anabranch.branch.names import slug
from anabranch.data import branching
from anabranch.model.branch import BranchKind
from anabranch.model.errors import ConflictError
from anabranch.store.branches import SqliteBranchStore
from anabranch.store.locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from anabranch.app.branches.drop import Collected
    from anabranch.app.branches.look import Look
    from anabranch.app.execute import RunResult
    from anabranch.app.project import Project
    from anabranch.app.retry import Again, Retry
    from anabranch.model.branch import Branch, SampleRate
    from anabranch.model.delta import Report
    from anabranch.model.run import Run
    from anabranch.ports import Reporter


class Branches:
    """The branches of a project."""

    def __init__(self, project: Project) -> None:
        """Use `Project.branches`."""
        self.project = project
        self.store = SqliteBranchStore(project.runs.database)

    def create(  # noqa: PLR0913 - one keyword for each option of the verb
        self,
        name: str,
        pipeline: str | None = None,
        *,
        at: Iterable[str] = (),
        skip: Iterable[str] = (),
        kind: BranchKind = BranchKind.RESEARCH,
        sample: SampleRate | None = None,
        days: float | None = None,
        from_git: bool = False,
    ) -> Branch:
        """Carve a branch. Nothing is copied and nothing is run; only its record is written.

        Args:
            name: any name; paths have a slug of it. Ignored with `from_git`.
            pipeline: what to carve; may be left out when there is one.
            at: the steps to redo, with all downstream; without any, those that differ from main's last run.
            skip: steps to leave out, with all that needs what they give.
            kind: what it is for.
            sample: how much of main's data it sees.
            days: how long it lives after its last use.
            from_git: name it after the git branch; one that is there is brought up to date.

        Raises:
            InvalidProject: `check` finds errors, or a step cannot be branched.
            UsageError: `bad-name`, `unknown-step`, `main-never-ran`, `external-step`.
            ConflictError: `branch-exists`.
        """
        name = git.current(self.project.root) if from_git else name
        slug(name)
        if from_git and any(branch.name == name for branch in self.store.all()):
            with self.held(name) as branch:
                return self._updated(branch, at, skip)
        if any(branch.name == name for branch in self.store.all()):
            self.store.add(self.find(name))  # says that it is there
        now = time.time()
        branch = creating.carved(
            self.project,
            name,
            creating.pipeline_of(self.project, pipeline, tuple(at)),
            tuple(at),
            tuple(skip),
            kind,
            sample,
            now,
            days,
            name if from_git else "",
        )
        self.store.add(branch)
        if kind is BranchKind.SERVING:  # what it serves is what main has now, not when it first runs
            with self.held(name):
                branch = running.pinned(self, branch, running.code_of(self.project, branch).pipeline)
                self.store.save(branch)
        return branch

    def _updated(self, branch: Branch, at: Iterable[str], skip: Iterable[str]) -> Branch:
        pipeline = self.project.pipeline(branch.pipeline)
        found = creating.steps_of(self.project, pipeline, at or branch.at, skip or branch.skipped)
        branch = self.used(replace(branch, reasons=found))
        self.store.save(branch)
        return branch

    def all(self) -> tuple[Branch, ...]:
        """Return every branch, by name."""
        return self.store.all()

    def find(self, name: str) -> Branch:
        """Return a branch.

        Raises:
            NotFoundError: `no-branch`.
        """
        return self.store.find(name)

    def run(
        self,
        name: str,
        *,
        rebase: bool = False,
        params: Mapping[str, object] | None = None,
        jobs: int | None = None,
        reporter: Reporter | None = None,
        wait: float = 0,
    ) -> RunResult | None:
        """Run a branch's steps on the versions of main's data that it is pinned to; the first run pins them.

        Args:
            name: the branch.
            rebase: pin what main has now, and begin anew.
            params: values by name; main's last ones by default.
            jobs: how many steps run at once.
            reporter: who is told while it happens.
            wait: seconds to wait for another run of the branch to end.

        Returns:
            The run; None when nothing differs from main, so that there is nothing to run.

        Raises:
            StepError: `missing-input`, `main-unfinished`.
            ConflictError: `branch-busy`, `already-running`.
        """
        with self.held(name, wait) as branch:
            return running.run(self, branch, rebase=rebase, params=params, jobs=jobs, reporter=reporter)

    def due(self, pipeline: str) -> tuple[Branch, ...]:
        """Return the branches that run again whenever main has run: those of the kind e2e."""
        return tuple(b for b in self.all() if b.pipeline == pipeline and b.kind is BranchKind.E2E and not b.dropping)

    def retry(
        self,
        earlier: Run,
        asked: Again,
        *,
        same: bool,
        jobs: int | None,
        reporter: Reporter | None,
        wait: float,
    ) -> RunResult:
        """Run again what a run of a branch did not finish."""
        with self.held(earlier.namespace, wait) as branch:
            return running.retry(self, branch, earlier, asked, same=same, jobs=jobs, reporter=reporter)

    def preview_retry(self, earlier: Run, asked: Again, *, same: bool) -> Retry:
        """Return what a retry of a run of a branch would do."""
        return running.planned_retry(self, self.find(earlier.namespace), earlier, asked, same=same)[0]

    def look(self, name: str) -> Look:
        """Look at a branch: whether main has moved on, and how its code differs."""
        return looking.look(self, self.find(name))

    def deltas(self, name: str, asked: Asked | None = None, *, reporter: Reporter | None = None) -> Report:
        """Compare what a branch wrote with main's output of the same inputs.

        Where main's is of other inputs, main's code runs on the branch's (a control), below the branch's root. Where a
        step may make something else each time, it runs once more, and what then differs is told as noise.

        Args:
            name: the branch.
            asked: how they are wanted.
            reporter: who is told of controls.

        Raises:
            ConflictError: `branch-not-run`, `control-failed`.
            StepError: `unreadable-input`, `missing-input`, the data vanished; `disk-full`.
        """
        with self.held(name) as branch:
            report = comparing.report(self, branch, asked or Asked(), reporter)
            reports.keep(self, branch, report)
            return report

    def report(self, name: str) -> Report | None:
        """Return what `deltas` last showed; None when nobody has compared it."""
        return reports.kept(self, self.find(name))

    def preview_promote(self, name: str) -> promoting.Preview:
        """Return what `promote` would change in main, and what stands in its way; nothing is changed.

        Raises:
            UsageError: `sampled-branch`.
            ConflictError: `branch-not-run`, `run-not-succeeded`, `promoted`.
        """
        return promoting.preview(self, self.find(name))

    def preview_drop(self, name: str) -> tuple[str, ...]:
        """Return what `drop` would delete below the branch's root; nothing is deleted."""
        return branching.owned(self.root(self.find(name)))

    def promote(self, name: str) -> Branch:
        """Take a branch's outputs into main without a rerun; the branch's record says what changed.

        All of them or none, whenever it is killed: after the commit point whoever runs next in main finishes it.

        Raises:
            UsageError: `sampled-branch`.
            ConflictError: `promote-conflict`, main's code, inputs or outputs are not those that the branch ran with
                and was compared with; `branch-not-run`, `run-not-succeeded`, `already-running`, `promoted`.
        """
        with self.held(name) as branch:
            return promoting.promote(self, branch)

    def undo(self, name: str) -> Branch:
        """Give main back what the last promotion replaced.

        Raises:
            ConflictError: `not-promoted`; `promote-conflict`, main has changed again.
        """
        with self.held(name) as branch:
            return promoting.undo(self, branch)

    def drop(self, name: str, *, force: bool = False) -> tuple[str, ...]:
        """Delete all that a branch owns, its data first and its record last; return what was deleted.

        Raises:
            ConflictError: `branch-busy`, a run is alive; `not-dropped`, something remains.
        """
        return dropping.drop(self, self.find(name), force=force)

    def gc(self, *, dry: bool = False) -> tuple[Collected, ...]:
        """Drop branches whose time is over, and what crashed ones left; one that fails does not keep the others."""
        return dropping.collect(self, time.time(), dry=dry)

    def used(self, branch: Branch) -> Branch:
        """Return the branch as it is after a use: its life is renewed."""
        return replace(branch, expires_at=time.time() + branch.ttl)

    def root(self, branch: Branch) -> Path:
        """Return the storage root of a branch."""
        return Path(branch.root)

    @contextmanager
    def held(self, name: str, wait: float = 0) -> Generator[Branch]:
        """Hold a branch for oneself, and get it as it is then.

        Raises:
            ConflictError: `branch-busy`; `being-dropped`.
        """
        lock = self.lock(self.find(name))
        deadline = time.monotonic() + wait
        while not lock.try_acquire(name):
            if time.monotonic() >= deadline:
                message = f"branch `{name}` is in use by another process"
                raise ConflictError(message, code="branch-busy", hint="wait for it, or look: anabranch runs list")
            time.sleep(0.1)
        try:
            branch = self.find(name)
            if branch.dropping:
                message = f"branch `{name}` was being dropped, and that was cut off"
                raise ConflictError(message, code="being-dropped", hint=f"anabranch branch drop {name}")
            yield branch
        finally:
            lock.release()

    def lock(self, branch: Branch) -> FileLock:
        """Return the lock of a branch."""
        return FileLock(self.project.folder / "locks" / f"branch-{branch.slug}.lock")
