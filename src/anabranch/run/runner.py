"""The local runner: one loop that hears of ended steps, records, reports, then starts what may start."""

from __future__ import annotations

import heapq
import random
import selectors
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from anabranch.model import codec
from anabranch.model.failures import killed, timed_out, unanswered
from anabranch.model.run import (
    AttemptFailed,
    Event,
    Failure,
    RunEnded,
    RunStarted,
    RunState,
    StepCancelled,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from anabranch.model.task import Broken, Done, Outcome, Task
from anabranch.model.tracing import traceparent
from anabranch.run.plan import task_values
from anabranch.run.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from anabranch.model.pipeline import Json, StepId
    from anabranch.model.run import Recorded
    from anabranch.ports import Reporter, RunStore
    from anabranch.run.plan import RunPlan
    from anabranch.run.pool import Pool, Worker

BEAT = 1.0
"""Seconds between two signs of life; a request to cancel is heard as often."""

GRACE = 3.0
"""Seconds between asking a step to stop and killing it."""


class Runner:
    """Runs one plan. Every event is durable before it is reported, and recorded before the step that it starts."""

    def __init__(  # noqa: PLR0913 - the places that a run touches
        self,
        plan: RunPlan,
        *,
        pool: Pool,
        store: RunStore,
        reporter: Reporter,
        root: Path,
        storage: Path,
        folder: Path,
        protected: Path | None = None,
        draw: Callable[[], float] = random.random,
        trace: str = "",
    ) -> None:
        """Prepare the run.

        Args:
            plan: what to do.
            pool: where steps run.
            store: where events go.
            reporter: who is told.
            root: the folder of the code.
            storage: where datasets lie.
            folder: of the run: logs and scratch files.
            protected: storage that Python code must not write to.
            draw: random numbers in 0 to 1, for the jitter of retries.
            trace: the id of the run's trace, that steps are told of; empty when nobody gets it.
        """
        self._plan, self._pool, self._store, self._reporter = plan, pool, store, reporter
        self._root, self._storage, self._folder, self._draw = root, storage, folder, draw
        self._protected = str(protected) if protected else ""
        self._logs, self._trace = str(folder / "logs"), trace
        self._schedule = Schedule(plan.pipeline, plan.chosen, plan.reused)
        self._values: dict[StepId, Json] = {step: told.value for step, (_, told) in plan.reused.items()}
        self._attempts: dict[StepId, int] = {}
        self._waiting: list[tuple[float, StepId]] = []
        self._deadlines: dict[Worker, float] = {}
        self._sent: dict[Worker, float] = {}
        self._stopping: dict[Worker, str] = {}
        self._selector = selectors.DefaultSelector()
        self._stop = 0
        self._forced = False
        self._batch: list[Event] = []
        self._starts: list[tuple[Worker, Task]] = []
        self._began = time.monotonic()

    def run(self) -> RunState:
        """Run to the end; return how it ended."""
        plan = self._plan
        with suppress(OSError):  # the store says it better
            Path(self._logs).mkdir(parents=True, exist_ok=True)
        first = RunStarted(
            plan.pipeline.name,
            self._schedule.steps,
            plan.namespace,
            plan.params,
            plan.input,
            plan.code,
            plan.of,
            plan.trigger,
        )
        self._report((self._store.begin(plan.run, plan.pipeline, first),))
        try:
            with self._signals():
                self._batch += [
                    StepReused(step, of, told.writes, told.value)
                    for step, (of, told) in sorted(plan.reused.items())
                    if step in self._schedule.state
                ]
                state = self._loop()
        except BaseException as error:
            # The store itself may be what failed; then the run's lock falls with this process, and it shows as dead.
            with suppress(Exception):
                self._store.append(plan.run, [RunEnded(RunState.FAILED, time.monotonic() - self._began, str(error))])
            raise
        finally:
            self._pool.close()
            self._selector.close()
        return state

    def _loop(self) -> RunState:
        beat_at = time.monotonic() + BEAT
        while True:
            self._start_ready()
            self._flush()
            if self._schedule.ended:
                break
            now = time.monotonic()
            if now >= beat_at:
                beat_at = now + BEAT
                if self._store.beat(self._plan.run) and not self._stop:
                    self._stop = signal.SIGTERM
            if self._stop:
                self._cancel()
                break
            self._hear(min([beat_at, *self._deadlines.values(), *(at for at, _ in self._waiting[:1])]) - now)
            self._enforce()
        state = RunState.CANCELLED if self._stop else RunState.SUCCEEDED if self._schedule.ok else RunState.FAILED
        self._batch.append(RunEnded(state, time.monotonic() - self._began))
        self._flush()
        return state

    def _start_ready(self) -> None:
        """Give ready steps to idle workers; the events come first, the tasks are sent when these are durable."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            self._schedule.back(heapq.heappop(self._waiting)[1])
        while not self._stop and (worker := self._pool.idle()) is not None:
            step = self._schedule.next()
            if step is None:
                return
            attempt = self._attempts.get(step, 0) + 1
            self._attempts[step] = attempt
            task = self._task(step, attempt)
            worker.task = task
            self._batch.append(StepStarted(step, attempt))
            self._starts.append((worker, task))

    def _task(self, step_id: StepId, attempt: int) -> Task:
        plan, pipeline = self._plan, self._plan.pipeline
        step = pipeline.step_by_id[step_id]
        names = {port.dataset for port in step.reads} | {port.dataset for port in step.outputs}
        return Task(
            plan.run,
            pipeline.name,
            step,
            attempt,
            str(self._root),
            str(self._storage),
            f"{self._folder}/scratch/{file_name(step_id)}.{attempt}",
            plan.namespace,
            tuple(pipeline.dataset_by_name[name] for name in sorted(names)),
            pipeline.params,
            plan.params,
            task_values(step, self._values, plan.input),
            self._protected,
            traceparent(self._trace, step_id, attempt) if self._trace else "",
        )

    def _flush(self) -> None:
        """Record what has happened, then tell it, then do what it says."""
        if self._batch:
            recorded = self._store.append(self._plan.run, self._batch)
            self._batch = []
            self._report(recorded)
        for worker, task in self._starts:
            key = self._selector.get_map().get(worker.sock)
            if key is None:
                self._selector.register(worker.sock, selectors.EVENT_READ, worker)
            worker.send(task, f"{self._logs}/{file_name(task.step.id)}.{task.attempt}.log")
            self._sent[worker] = time.monotonic()
            if task.step.timeout is not None:
                self._deadlines[worker] = self._sent[worker] + task.step.timeout
        self._starts = []

    def _report(self, recorded: tuple[Recorded, ...]) -> None:
        for each in recorded:
            self._reporter.report(each)

    def _hear(self, seconds: float) -> None:
        """Wait for workers' answers or ends, at most that long."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            if key.data is None:
                cast("socket.socket", key.fileobj).recv(1024)
                continue
            worker: Worker = key.data
            try:
                piece = worker.sock.recv(1 << 20)
            except ConnectionResetError:
                piece = b""
            if not piece:
                self._lost(worker)
            for message in worker.inbox.feed(piece):
                self._answered(worker, codec.decode(Outcome, message["outcome"]))  # type: ignore[arg-type]

    def _answered(self, worker: Worker, outcome: Outcome) -> None:
        task = cast("Task", worker.task)
        worker.task = None
        self._deadlines.pop(worker, None)
        self._ended(task, outcome)

    def _lost(self, worker: Worker) -> None:
        """A worker has gone in the middle of its step: killed by us, by the system, or by its own code."""
        self._selector.unregister(worker.sock)
        self._deadlines.pop(worker, None)
        why = self._stopping.pop(worker, "")
        code = self._pool.remove(worker)
        if worker.task is not None and why != "cancel":
            seconds = time.monotonic() - self._sent[worker]
            self._ended(worker.task, Broken(seconds, _death(code, why, worker.task)))

    def _ended(self, task: Task, outcome: Outcome) -> None:
        step = task.step
        match outcome:
            case Done():
                self._schedule.succeeded(step.id)
                if step.value is not None:
                    self._values[step.id] = outcome.value
                self._batch.append(
                    StepSucceeded(
                        step.id,
                        task.attempt,
                        outcome.seconds,
                        outcome.reads,
                        outcome.writes,
                        outcome.value,
                        outcome.parts,
                    )
                )
            case Broken(seconds, failure, parts):
                if task.attempt < step.retry.attempts and failure.kind != "contract":
                    wait = step.retry.wait(task.attempt, self._draw())
                    self._schedule.again(step.id)
                    heapq.heappush(self._waiting, (time.monotonic() + wait, step.id))
                    self._batch.append(AttemptFailed(step.id, task.attempt, failure, seconds, wait))
                    return
                skipped = self._schedule.failed(step.id)
                self._batch.append(StepFailed(step.id, task.attempt, failure, seconds, parts))
                self._batch += [StepSkipped(each, step.id) for each in skipped]

    def _enforce(self) -> None:
        """Stop steps whose time is over: ask, then kill."""
        now = time.monotonic()
        for worker, deadline in list(self._deadlines.items()):
            if now < deadline:
                continue
            if worker in self._stopping:
                worker.signal(signal.SIGKILL)
                del self._deadlines[worker]
            else:
                self._stopping[worker] = "timeout"
                self._deadlines[worker] = now + GRACE
                worker.signal(signal.SIGTERM)

    def _cancel(self) -> None:
        """Stop everything: running steps are asked, then killed; nothing else starts."""
        busy = [worker for worker in self._pool.workers if worker.task is not None]
        for worker in busy:
            self._stopping[worker] = "cancel"
            worker.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while not self._forced and time.monotonic() < deadline and any(w in self._pool.workers for w in busy):
            self._hear(0.1)
        self._batch += [StepCancelled(step) for step in self._schedule.cancel()]

    @contextmanager
    def _signals(self) -> Generator[None]:
        """Hear SIGINT and SIGTERM in the loop; the second one does not wait for anybody."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard, wake = socket.socketpair()
        heard.setblocking(False)  # noqa: FBT003 - its only parameter
        wake.setblocking(False)  # noqa: FBT003 - as above

        def note(number: int, _frame: object) -> None:
            self._forced = bool(self._stop)
            self._stop = number

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        old = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(heard, selectors.EVENT_READ, None)
        try:
            yield
        finally:
            signal.set_wakeup_fd(old)
            for number, handler in before.items():
                signal.signal(number, handler)
            heard.close()
            wake.close()


def _death(code: int, why: str, task: Task) -> Failure:
    if why == "timeout":
        return timed_out(task.step.timeout or 0.0)
    if code < 0:
        return killed(-code)
    return unanswered(f"its process ended with exit code {code} without an answer", "see the log")


def file_name(step: StepId) -> str:
    """Return a step's id as part of a file's name."""
    return step.replace("%", "%25").replace("/", "%2F")


def log_file(folder: Path, step: StepId, attempt: int) -> Path:
    """Return where an attempt's output is kept, below the run's folder."""
    return folder / "logs" / f"{file_name(step)}.{attempt}.log"
