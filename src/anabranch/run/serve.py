"""The worker's loop: take a task, perform it with its output in the step's log, answer, until the runner goes."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from anabranch.model import codec
from anabranch.model.task import Broken, Outcome, Task
from anabranch.run.redact import Redactor
from anabranch.run.wire import Inbox, pack, receive

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator

_PR_SET_PDEATHSIG = 1


def serve(sock: socket.socket, perform: Callable[[Task], Outcome], secrets: Callable[[Task], list[str]]) -> None:
    """Perform tasks one after the other. Returns when the runner closes its end.

    Args:
        sock: the connection to the runner.
        perform: does one task.
        secrets: the values that must not be shown, for one task.
    """
    inbox = Inbox()
    while (message := receive(sock, inbox)) is not None:
        task = codec.decode(Task, message["task"])
        sock.sendall(pack({"outcome": codec.encode(logged(task, message["log"], perform, secrets))}))


def logged(task: Task, log: str, perform: Callable[[Task], Outcome], secrets: Callable[[Task], list[str]]) -> Outcome:
    """Perform a task with stdout and stderr in its log, and no secret in either log or outcome."""
    hidden = secrets(task) if task.step.needs.secrets else []
    with _output(log, Redactor(hidden)) as redactor:
        outcome = perform(task)
        if isinstance(outcome, Broken) and outcome.failure.trace:
            sys.stdout.flush()  # what the step printed comes before what it died of
            print(outcome.failure.trace, file=sys.stderr)  # noqa: T201 - the log is the step's output
    return redactor.outcome(outcome) if hidden else outcome


@contextmanager
def _output(log: str, redactor: Redactor) -> Generator[Redactor]:
    """Send what this process and its children print to a file: directly, or past the redactor if there are secrets."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    pump: threading.Thread | None = None
    target = file
    if redactor.active:
        source, target = os.pipe()
        pump = threading.Thread(target=redactor.pump, args=(source, file), daemon=True)
        pump.start()
    saved = [os.dup(fd) for fd in (1, 2)]
    for fd in (1, 2):
        os.dup2(target, fd)
    try:
        yield redactor
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        for fd, old in zip((1, 2), saved, strict=True):
            os.dup2(old, fd)
            os.close(old)
        if pump is not None:
            os.close(target)
            pump.join(timeout=5)
        os.close(file)


def become_worker() -> None:
    """Prepare this process: a group of its own to die with its children, deaf to Ctrl-C, not to outlive the runner."""
    with suppress(PermissionError):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a worker reads nothing from the terminal


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere the closed socket ends it."""
    if sys.platform == "linux":
        libc: Any = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
