"""Worker processes on this machine: each runs one step at a time, in a process group of its own.

The first workers are forked, so that the project's modules are there at once; this happens before this process opens
anything or starts a thread. A process that has threads already (a notebook, or a module that used polars while it was
imported) must not fork: then, and for workers that replace killed ones, a fresh interpreter is started.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model import codec
from anabranch.run.serve import become_worker
from anabranch.run.wire import Inbox, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anabranch.model.task import Task


@dataclass(eq=False)
class Worker:
    """One worker process, and the task that it has. `pid` is its process group too."""

    pid: int
    sock: socket.socket
    process: subprocess.Popen[bytes] | None
    inbox: Inbox = field(default_factory=Inbox)
    task: Task | None = None

    def send(self, task: Task, log: str) -> None:
        """Give it a task. A worker that has died answers by its closed socket."""
        self.task = task
        with suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(pack({"task": codec.encode(task, places=True), "log": log}))

    def signal(self, number: int) -> None:
        """Signal the worker and all of its children."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def reap(self) -> int:
        """Kill what is left of it, and return its exit code; negative is the signal that killed it."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.2)  # it closed its socket, so it is on its way out by itself
        self.signal(signal.SIGKILL)
        self.sock.close()
        if self.process is not None:
            return self.process.wait()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Pool:
    """A number of workers, made when they are needed."""

    def __init__(
        self, size: int, serve: Callable[[socket.socket], None], command: Sequence[str], *, fork: bool
    ) -> None:
        """Describe the workers.

        Args:
            size: how many run at once.
            serve: what a forked worker does with its socket.
            command: what starts a worker anew; the socket's file descriptor is appended.
            fork: whether the modules that this process has loaded are those that the run is to use.
        """
        self.size = size
        self._serve, self._command, self._fork = serve, command, fork
        self.workers: list[Worker] = []

    def start(self, count: int) -> None:
        """Fork the first workers, if this process may fork: call it before opening files or starting threads."""
        if self._fork and may_fork():
            for _ in range(min(count, self.size)):
                self.workers.append(self._forked())

    def idle(self) -> Worker | None:
        """Return a worker without a task, or None when all that there may be are busy."""
        for worker in self.workers:
            if worker.task is None:
                return worker
        if len(self.workers) < self.size:
            self.workers.append(self._fresh())
            return self.workers[-1]
        return None

    def remove(self, worker: Worker) -> int:
        """Forget a worker whose socket has closed; return its exit code."""
        self.workers.remove(worker)
        return worker.reap()

    def close(self) -> None:
        """End all workers. Those that are idle leave by themselves, the others are killed."""
        for worker in self.workers:
            worker.sock.close()
        for worker in self.workers:
            if worker.task is not None:
                worker.signal(signal.SIGKILL)
        for worker in self.workers:
            worker.reap()
        self.workers.clear()

    def _forked(self) -> Worker:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            theirs.close()
            return Worker(pid, ours, None)
        code = 1
        try:
            ours.close()
            for sibling in self.workers:
                sibling.sock.close()
            become_worker()
            self._serve(theirs)
            code = 0
        except BaseException:  # noqa: BLE001 - nothing above may go on in this process
            traceback.print_exc()
        finally:
            os._exit(code)

    def _fresh(self) -> Worker:
        ours, theirs = socket.socketpair()
        package = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
        process = subprocess.Popen(
            [*self._command, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": paths} if not _installed(package) else None,
        )
        theirs.close()
        return Worker(process.pid, ours, process)


def may_fork() -> bool:
    """Tell whether this process has one thread only, so that a fork copies all of it."""
    if sys.platform != "linux":
        return False
    return threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - no paths needed


def _installed(package: str) -> bool:
    return "site-packages" in package
