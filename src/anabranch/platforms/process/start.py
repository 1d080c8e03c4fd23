"""Runs one process of a step, with its output in the step's log, and tells how it ended."""

from __future__ import annotations

import ctypes
import difflib
import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_NOT_EXECUTABLE, _NOT_FOUND, _SIGNALLED = 126, 127, 128
_LOG = "see what it printed: `anabranch runs logs`"


def start(argv: Sequence[str], *, folder: Path, environment: Mapping[str, str], name: str = "") -> None:
    """Run a process to its end. It reads nothing, prints to our stdout and stderr, and dies with this process.

    Args:
        argv: the command, without any shell.
        folder: where it runs; a command with a slash is looked for there.
        environment: what is added to ours, which holds the step's own variables and secrets already.
        name: what messages call it; the command's name by default.

    Raises:
        StepError: `command-not-found`, `not-executable`, `too-long`; `step-failed` with its exit code or signal.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    command = [str(folder / argv[0]) if "/" in argv[0] else argv[0], *argv[1:]]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            preexec_fn=dying_with(os.getpid()),  # noqa: PLW1509 - no more than one system call
        )
    except OSError as error:
        raise _not_started(argv[0], folder, error) from None
    try:
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code:
        raise ended_badly(name or Path(argv[0]).name, code)


def ended_badly(name: str, code: int) -> StepError:
    """Return what to say of a process that failed.

    >>> ended_badly("awk", 3).message, ended_badly("awk", -9).message
    ('`awk` exited with 3', '`awk` was killed by SIGKILL (out of memory?)')
    """
    if code < 0:
        killer = _signal(-code)
        maybe = " (out of memory?)" if killer == "SIGKILL" else ""
        return StepError(f"`{name}` was killed by {killer}{maybe}", hint=_LOG)
    hints = {_NOT_FOUND: "a command in it was not found", _NOT_EXECUTABLE: "a command in it is not executable"}
    if _SIGNALLED < code < _SIGNALLED + signal.NSIG:
        hints[code] = f"a command in it was killed by {_signal(code - _SIGNALLED)}"
    hint = f"{hints[code]}; {_LOG}" if code in hints else _LOG
    return StepError(f"`{name}` exited with {code}", hint=hint)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _not_started(command: str, folder: Path, error: OSError) -> StepError:
    path = folder / command if "/" in command else Path(shutil.which(command) or command)
    if path.is_dir():
        message, hint = f"`{command}` is a folder", "name an executable"
        return StepError(message, code="not-executable", hint=hint)
    if path.is_file():
        return _not_executable(command, path, error)
    if error.errno == errno.E2BIG:
        return _too_long(command)
    if "/" not in command and (folder / command).is_file():
        hint = f"it is in the project's folder: write ./{command}"
    else:
        near = difflib.get_close_matches(Path(command).name, _commands(path), n=1, cutoff=0.75)
        hint = f"did you mean `{near[0]}`?" if near else "install it, correct its name, or add its folder to PATH"
    return StepError(f"there is no command `{command}`", code="command-not-found", hint=hint)


def _not_executable(command: str, path: Path, error: OSError) -> StepError:
    match error.errno:
        case errno.E2BIG:
            return _too_long(command)
        case errno.EACCES:
            message, hint = f"`{command}` is not executable", f"chmod +x {command}"
        case errno.ENOEXEC:
            message = f"`{command}` is neither a program nor a script that says what runs it"
            hint = "begin it with a line such as #!/bin/sh"
        case errno.ENOENT:
            with path.open("rb") as file:
                first = file.readline(200).decode(errors="replace").strip()
            message, hint = f"what `{command}` says it is run by is not there: {first}", "correct its first line"
        case _:
            message, hint = f"`{command}` cannot be started: {error.strerror}", "look at the file"
    return StepError(message, code="not-executable", hint=hint)


def _too_long(command: str) -> StepError:
    message = f"the arguments of `{command}`, or the step's environment, are longer than the system allows"
    hint = "let the process read large values from the JSON file named by ANABRANCH_CONTEXT"
    return StepError(message, code="too-long", hint=hint)


def _commands(path: Path) -> list[str]:
    folders = [str(path.parent)] if path.is_absolute() else os.get_exec_path()
    return sorted({each for folder in folders if Path(folder).is_dir() for each in os.listdir(folder)})  # noqa: PTH208


def dying_with(parent: int) -> Callable[[], None]:
    """Return what a child process calls first, so that it is killed when its parent dies.

    Linux only; elsewhere a process lives on until it is done. What it starts in its turn is not covered: the runner
    kills a worker's whole process group.
    """
    if sys.platform != "linux":
        return lambda: None
    libc: Any = ctypes.CDLL(None)  # loaded here, because little is safe between fork and exec

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask
