"""Runs one process of a step, with its output in the step's log, and tells how it ended."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_NOT_FOUND = 127


def start(argv: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a process to its end.

    Args:
        argv: the command, without any shell.
        folder: where it runs.
        environment: what is added to ours.

    Raises:
        StepError: `command-not-found`, `not-executable`, `step-failed` with its exit code or signal.
    """
    name = Path(argv[0]).name
    if "/" in argv[0] and (folder / argv[0]).is_file() and not os.access(folder / argv[0], os.X_OK):
        message = f"`{argv[0]}` is not executable"
        raise StepError(message, code="not-executable", hint=f"chmod +x {argv[0]}")
    sys.stdout.flush()
    sys.stderr.flush()
    command = [str(folder / argv[0]) if "/" in argv[0] else argv[0], *argv[1:]]
    try:
        code = subprocess.run(  # noqa: S603 - running the user's command is what a step is
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            check=False,
            preexec_fn=_die_with_worker,  # noqa: PLW1509 - a worker has one thread when it starts a process
        ).returncode
    except FileNotFoundError:
        message = f"there is no command `{argv[0]}`"
        raise StepError(message, code="command-not-found", hint=f"install {name}, or correct its name") from None
    except OSError as error:
        message = f"`{argv[0]}` cannot be started: {error.strerror}"
        hint = "a script needs a first line such as #!/bin/sh" if error.errno == 8 else "look at the file"  # noqa: PLR2004
        raise StepError(message, code="not-executable", hint=hint) from error
    if code:
        raise ended_badly(name, code)


def ended_badly(name: str, code: int) -> StepError:
    """Return what to say of a process that failed."""
    if code < 0:
        killer = signal.Signals(-code).name
        hint = "the system may have run out of memory: see the kernel's log" if killer == "SIGKILL" else "see the log"
        return StepError(f"`{name}` was killed by {killer}", hint=hint)
    hint = "a command in it was not found: see the log" if code == _NOT_FOUND else "see what it printed in the log"
    return StepError(f"`{name}` exited with {code}", hint=hint)


def _die_with_worker() -> None:
    """Ask Linux to kill the process when the worker dies, so that nothing runs on behind a cancelled run."""
    if sys.platform == "linux":
        with suppress(OSError):
            libc: Any = ctypes.CDLL(None)
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
