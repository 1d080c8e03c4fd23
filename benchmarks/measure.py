"""Timing of whole processes: several runs in turn, medians, and the peak of memory that the system counted."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """A command's median seconds and largest peak memory in MB; `told` is what its last run printed.

    `cpu` is the median of the seconds in which it computed: what others take to answer it is not among them.
    """

    seconds: float
    megabytes: float
    told: str
    cpu: float


def once(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> Timing:
    """Run a command once.

    Raises:
        RuntimeError: it failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    told = process.stdout.read().decode(errors="replace")
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"{' '.join(command)} exited with {process.returncode}:\n{told}"
        raise RuntimeError(message)
    return Timing(time.perf_counter() - began, usage.ru_maxrss / 1024, told, usage.ru_utime + usage.ru_stime)


def in_turn(
    commands: dict[str, Sequence[str]], folder: Path, runs: int = 5, environment: dict[str, str] | None = None
) -> dict[str, Timing]:
    """Run the commands A B C A B C ..., so that a slow moment of the machine hits all of them; one warm-up each."""
    found: dict[str, list[Timing]] = {name: [] for name in commands}
    for round_ in range(runs + 1):
        for name, command in commands.items():
            measured = once(command, folder, environment)
            if round_:
                found[name].append(measured)
    return {
        name: Timing(
            statistics.median(each.seconds for each in measured),
            max(each.megabytes for each in measured),
            measured[-1].told,
            statistics.median(each.cpu for each in measured),
        )
        for name, measured in found.items()
    }


@dataclass(frozen=True)
class Row:
    """One line of the table. `met` is None where there is no target."""

    what: str
    ours: str
    other: str
    ratio: str = ""
    target: str = ""
    met: bool | None = None


def verdict(ok: bool) -> str:  # noqa: FBT001 - that is all it tells
    """Return how a target is shown."""
    return "yes" if ok else "**no**"
