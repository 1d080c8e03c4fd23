"""Environments for steps with requirements of their own: made once, kept by content, never half-made."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

_SHOWN = 12


def python_for(requirements: Sequence[str], cache: Path, extra: Sequence[str] = ()) -> Path:
    """Return a Python that has the requirements, from the cache or made now.

    Args:
        requirements: as in a requirements file: `scikit-learn==1.7`.
        cache: where environments are kept, by the digest of what is in them.
        extra: what anabranch's own code needs there; a requirement for the same package wins.

    Raises:
        StepError: `requirements-not-installable`, with the installer's last lines.
    """
    named = {_package(each) for each in requirements}
    wanted = sorted({*requirements, *(each for each in extra if _package(each) not in named)})
    key = json.dumps([wanted, platform.python_version(), platform.machine(), sys.platform])
    folder = cache / hashlib.sha256(key.encode()).hexdigest()[:24]
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)  # a half-made one, of a process that was killed
            _make(folder, wanted)
            (folder / "complete").write_text(key)
    return python


def _package(requirement: str) -> str:
    name = requirement
    for mark in "<>=!~[ ;@":
        name = name.partition(mark)[0]
    return name.strip().lower().replace("_", "-")


def _make(folder: Path, wanted: Sequence[str]) -> None:
    uv = shutil.which("uv") or _beside("uv")
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write("\n".join(wanted) + "\n")
    if uv:
        commands = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "-r", file.name],
        ]
    else:
        commands = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", file.name],
        ]
    try:
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - an installer
            if done.returncode:
                tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_SHOWN:])
                message = f"the requirements {', '.join(wanted)} cannot be installed:\n{tail}"
                hint = "correct the versions; without a network, install them once with one"
                raise StepError(message, code="requirements-not-installable", hint=hint)
    finally:
        Path(file.name).unlink()


def _beside(name: str) -> str:
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else ""


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Let one process at a time make an environment; the others wait, and find it made."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
