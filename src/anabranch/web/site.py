"""What all pages of one application share: the project, its stores, and the threads that look things up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

from anabranch.app import Project
from anabranch.model.errors import AnabranchError
from anabranch.model.run import RunState, fold
from anabranch.store.runs import SqliteRunStore
from anabranch.store.summaries import LIVE
from anabranch.web import child
from anabranch.web.failure import diagnostics_of
from anabranch.web.reread import reread, signature
from anabranch.web.spans import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import Run, RunId
    from anabranch.model.summary import StepBrief, Summary
    from anabranch.web.guard import Access
    from anabranch.web.spans import Span

T = TypeVar("T")

FRESH = 1.0
"""Seconds between two looks whether the project's files have changed."""

LEARN = 15.0
"""Seconds between two questions to an environment that somebody looks at."""

KEPT_BRIEFS = 60
"""Ended runs whose steps are kept in memory in numbers: two pipelines' worth of a page."""

THREADS, SLOW_THREADS = 4, 2
"""Threads for pages, and for what may take longer than a page: logs, code, data."""

KEPT = 32
"""Ended runs that are kept in memory with all that their events tell."""


@dataclass(frozen=True)
class Told:
    """A run with the spans of its attempts."""

    run: Run
    spans: Mapping[StepId, tuple[Span, ...]]


class Site:
    """One project as its pages see it. Every thread has stores of its own: SQLite's connections are not shared."""

    def __init__(self, project: Project, access: Access) -> None:
        """Show a project."""
        self.access = access
        self.problems: tuple[Diagnostic, ...] = ()
        """Why the project's files, as they are now, cannot be read; what is shown is how they were before."""
        self._loaded = project
        self._signature: int | None = signature(project.root, [project.storage, project.branch_storage])
        self._learned: dict[str, float] = {}
        self._looked_at = time.monotonic()
        self._looking: asyncio.Task[None] | None = None
        self._own = threading.local()
        self._ended: OrderedDict[tuple[str, RunId], Told] = OrderedDict()
        self._definitions: OrderedDict[tuple[str, RunId], Pipeline] = OrderedDict()
        self._briefs: OrderedDict[tuple[str, RunId], tuple[StepBrief, ...]] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def _limiter(self) -> CapacityLimiter:
        return CapacityLimiter(THREADS)

    @cached_property
    def _slow(self) -> CapacityLimiter:
        return CapacityLimiter(SLOW_THREADS)

    async def work(self, act: Callable[[], T], *, slow: bool = False) -> T:
        """Do something in a thread, and wait for it without keeping others from being served."""
        return await anyio.to_thread.run_sync(act, limiter=self._slow if slow else self._limiter)

    @property
    def project(self) -> Project:
        """The project, with stores that belong to the calling thread."""
        mine: tuple[Project, Project] | None = getattr(self._own, "project", None)
        if mine is None or mine[0] is not self._loaded:
            loaded = self._loaded
            mine = loaded, Project(loaded.file, loaded.pipelines, loaded.datasets)
            self._own.project = mine
        return mine[1]

    def freshen(self) -> None:
        """See whether the project's files have changed, now and then; nobody waits for it."""
        if self._looking is not None and not self._looking.done():
            return
        if time.monotonic() - self._looked_at >= FRESH:
            self._looked_at = time.monotonic()
            self._looking = asyncio.get_running_loop().create_task(self.work(self._reread, slow=True))

    def _reread(self) -> None:
        """Read the project anew if its files have changed."""
        loaded = self._loaded
        now = signature(loaded.root, [loaded.storage, loaded.branch_storage])
        before, self._signature = self._signature, now
        if before in {None, now}:
            return
        try:
            self._loaded, self.problems = reread(loaded.root), ()
        except AnabranchError as error:
            self.problems = diagnostics_of(error)

    def store(self, environment: str = "") -> SqliteRunStore:
        """Return the runs of this machine, or those of an environment as they were last told."""
        if not environment:
            return self.project.runs
        self._learn(environment)
        folder = self.project.folder / "environments" / environment
        stores: dict[Path, SqliteRunStore] = self._own.__dict__.setdefault("stores", {})
        return stores.setdefault(folder, SqliteRunStore(folder))

    def _learn(self, environment: str) -> None:
        """Ask an environment what has run there, now and then, in a process of its own; what it tells is kept here."""
        name = f"learn-{environment}"
        with self._lock:
            if time.monotonic() - self._learned.get(environment, -LEARN) < LEARN or child.alive(name):
                return
            self._learned[environment] = time.monotonic()
        project = self.project
        child.launch(project.root, project.folder / "ui", "branch", "list", "-e", environment, name=name)

    def definition(self, run: RunId, environment: str = "") -> Pipeline:
        """Return the pipeline as the run started with it: that never changes."""
        key = environment, run
        with self._lock:
            if key in self._definitions:
                return self._definitions[key]
        found = self.store(environment).definition(run)
        with self._lock:
            self._definitions[key] = found
            while len(self._definitions) > KEPT:
                self._definitions.popitem(last=False)
        return found

    def steps(self, runs: Sequence[Summary], environment: str = "") -> dict[RunId, tuple[StepBrief, ...]]:
        """Return the steps of runs in numbers; of those that have ended what was found the first time."""
        wanted = [(environment, run.id) for run in runs]
        with self._lock:
            found = {run: self._briefs[environment, run] for _, run in wanted if (environment, run) in self._briefs}
        missing = [run.id for run in runs if run.id not in found]
        fresh = self.store(environment).summaries.steps(missing)
        with self._lock:
            for run in runs:
                if run.id in fresh and run.state not in LIVE:
                    self._briefs[environment, run.id] = fresh[run.id]
            while len(self._briefs) > KEPT_BRIEFS:
                self._briefs.popitem(last=False)
        return {run: (found | fresh)[run] for _, run in wanted if run in found or run in fresh}

    def told(self, run: RunId, environment: str = "") -> Told:
        """Return a run with its spans; of one that has ended what was found the first time.

        Raises:
            NotFoundError: `no-run`.
        """
        key = environment, run
        with self._lock:
            if key in self._ended:
                self._ended.move_to_end(key)
                return self._ended[key]
        store = self.store(environment)
        events = tuple(store.events(run))
        found = fold(events)
        if found is None or found.state is RunState.RUNNING:
            found = store.run(run)  # says that there is none, or that it is dead
        told = Told(found, spans(events, self.definition(run, environment).upstream))
        if found.state not in LIVE:
            with self._lock:
                self._ended[key] = told
                while len(self._ended) > KEPT:
                    self._ended.popitem(last=False)
        return told
