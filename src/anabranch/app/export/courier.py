"""Delivery in the background: bounded in what it keeps, how long it tries and how long it is waited for."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import AnabranchError, Diagnostic, Severity
from anabranch.platforms.delivery import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.model.run import Recorded
    from anabranch.ports import Exporter

MOST = 20_000
"""Events, and as many messages, that wait at most: of a run that has more while nobody answers, the rest is lost."""

PATIENCE = 5.0
"""Seconds that a run's end waits for what is not delivered yet. It waits for nothing once an attempt has failed."""

PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two attempts: twice as long after each failure."""


class Courier:
    """Takes a run's events, and delivers what they mean to one target. Nothing that goes wrong here reaches the run.

    The thread starts with the first event: by then the runner has forked its workers.
    """

    def __init__(self, kind: str, make: Callable[[], Exporter[Any]]) -> None:
        """Name the target.

        Args:
            kind: as `anabranch.yaml` names it.
            make: returns its exporter; called in the background.
        """
        self.kind, self._make = kind, make
        self._changed = threading.Condition()
        self._events: deque[Recorded] = deque()
        self._closing = self._done = self._broke = False
        self._overflow = self._lost = self._waiting = 0
        self._problem: AnabranchError | None = None
        self._noun, self._run = "event", ""
        self._thread: threading.Thread | None = None

    def report(self, recorded: Recorded) -> None:
        """Take one event; returns at once."""
        self._run = recorded.run
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"export-{self.kind}", daemon=True)
            self._thread.start()
        with self._changed:
            if len(self._events) >= MOST or self._done:
                self._overflow += 1
                return
            self._events.append(recorded)
            self._changed.notify()

    def hurry(self) -> None:
        """Say that no more events come."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def close(self, deadline: float) -> Diagnostic | None:
        """Wait until all is delivered or given up; return a warning if something was not.

        Args:
            deadline: by the monotonic clock; what is under way then is left to itself.
        """
        self.hurry()
        if self._thread is None:
            return None
        self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            lost = self._overflow + self._lost + self._waiting + len(self._events)
            done, why = self._done, self._problem
        if done and not lost and not self._broke:
            return None
        told = why.message if why else f"that takes longer than {PATIENCE:g} s"
        many = f"{lost:,} {self._noun}{'' if lost == 1 else 's'}" if lost else "the end"
        message = f"{many} of run {self._run} did not reach {self.kind}: {told}"
        hint = f"anabranch runs export {self._run} --to {self.kind}"
        return Diagnostic("export-undelivered", message, hint, severity=Severity.WARNING)

    def _work(self) -> None:
        try:
            with closing(self._make()) as exporter:
                self._deliver(exporter)
        except AnabranchError as error:
            self._problem, self._broke = error, True
        except Exception as error:  # noqa: BLE001 - a run must not die of its export, whatever is wrong with it
            self._problem, self._broke = AnabranchError(f"{type(error).__name__}: {error}"), True
        with self._changed:
            self._done = True

    def _deliver(self, exporter: Exporter[Any]) -> None:
        self._noun = exporter.noun
        messages: deque[Any] = deque()
        pause = 0.0
        while True:
            events, ends = self._next(pause, idle=not messages)
            for event in events:
                messages.extend(exporter.tell(event))
            while len(messages) > MOST:
                messages.pop()
                self._lost += 1
            self._waiting = len(messages)
            try:
                while messages:
                    self._send(exporter, messages)
                    pause = 0.0
            except AnabranchError as error:
                self._problem = error
                if ends:
                    return
                pause = min(LONGEST_PAUSE, pause * 2 or PAUSE)
            else:
                if ends:
                    return

    def _next(self, pause: float, *, idle: bool) -> tuple[list[Recorded], bool]:
        """Wait for events, for the end, or until it is time to try again; return what has come, and whether it ends."""
        with self._changed:
            if idle:
                self._changed.wait_for(lambda: self._events or self._closing)
            else:
                self._changed.wait_for(lambda: self._closing, pause)
            events = list(self._events)
            self._events.clear()
            return events, self._closing

    def _send(self, exporter: Exporter[Any], messages: deque[Any]) -> None:
        """Deliver the first batch; what is refused for good is lost, and the next one goes on.

        Raises:
            StepError: `export-unreachable`.
        """
        batch = [messages[i] for i in range(min(exporter.batch, len(messages)))]
        try:
            exporter.send(batch)
        except AnabranchError as error:
            if error.code == UNREACHABLE:
                raise
            self._problem = error
            self._lost += len(batch)
        for _ in batch:
            messages.popleft()
        self._waiting = len(messages)
