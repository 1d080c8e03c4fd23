"""Environments for steps with requirements of their own: made once, kept by content, never half-made.

A virtual environment has its own path written into its scripts, so it is made where it stays, and counts once its
marker is there. Until then a lock of the kernel keeps others away, and goes with the process that holds it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError
from anabranch.run.serve import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

_SHOWN = 12
_MARKER = "complete"
_PACKAGE = re.compile(r"^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:$|[\[<>=!~;(@ ])")
_OFFLINE = re.compile(
    r"dns error|name resolution|name or service not known|client error \(connect\)|connection (?:refused|timed out)"
    r"|connection error|network is unreachable|network (?:connectivity )?(?:is|was) disabled|NewConnectionError"
    r"|failed to establish a new connection|--no-index|--offline",
    re.IGNORECASE,
)


def python_for(requirements: Sequence[str], cache: Path, extra: Sequence[str] = ()) -> Path:
    """Return a Python that has the requirements, from the cache or made now.

    The cache knows an environment by what was asked for: a requirement without a version stays at the one that was the
    newest then.

    Args:
        requirements: package specifiers, such as `scikit-learn==1.7`; no options and no paths.
        cache: where environments are kept, by the digest of what is in them.
        extra: what anabranch's own code needs there; a requirement for the same package wins.

    Raises:
        StepError: `bad-requirement`; `requirements-not-installable`, with the installer's last lines.
    """
    named = {package_of(each) for each in requirements}
    wanted = sorted({each.strip() for each in (*requirements, *(e for e in extra if package_of(e) not in named))})
    here = [platform.python_implementation(), platform.python_version(), platform.machine(), sys.platform]
    key = json.dumps([wanted, here])
    folder = cache / hashlib.sha256(key.encode()).hexdigest()[:24]
    if not _complete(folder):
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with _alone(folder.with_suffix(".lock")):
                if not _complete(folder):
                    _make(folder, wanted)
                    (folder / _MARKER).write_text(key, encoding="utf-8")
        except OSError as error:
            message = f"no environment for requirements can be made in {cache}: {error.strerror}"
            raise StepError(
                message, code="requirements-not-installable", hint="set XDG_CACHE_HOME elsewhere"
            ) from error
    return folder / "bin" / "python"


def resolve(requirements: Sequence[str], cache: Path) -> list[str] | None:
    """Return what requirements come to today, with all that they need in turn; None where nobody can tell.

    Args:
        requirements: package specifiers.
        cache: a folder to work in.
    """
    try:
        for each in requirements:
            package_of(each)
        cache.mkdir(parents=True, exist_ok=True)
        return _compiled(requirements, cache) if find_uv() else _reported(requirements, cache)
    except (OSError, StepError, ValueError, KeyError):
        return None


def _compiled(requirements: Sequence[str], cache: Path) -> list[str] | None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [find_uv(), "pip", "compile", "--quiet", "--no-config", "--universal", "--python-version", version]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "-"]
    told = _asked(command, cache, "\n".join(requirements))
    return None if told is None else sorted(line.strip() for line in told.splitlines() if "==" in line)


def _reported(requirements: Sequence[str], cache: Path) -> list[str] | None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--dry-run"]
    told = _asked([*command, "--ignore-installed", "--report", "-", "--", *requirements], cache, "")
    if told is None:
        return None
    found = [each["metadata"] for each in json.loads(told)["install"]]
    return sorted(f"{each['name'].lower()}=={each['version']}" for each in found)


def _asked(command: Sequence[str], folder: Path, given: str) -> str | None:
    done = subprocess.run(
        command, input=given, cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=300
    )
    return done.stdout if done.returncode == 0 else None


def activated(python: Path) -> dict[str, str]:
    """Return the variables by which processes find an environment's commands before all others."""
    paths = [str(python.parent), os.environ.get("PATH", os.defpath)]
    return {"PATH": os.pathsep.join(paths), "VIRTUAL_ENV": str(python.parent.parent)}


def _complete(folder: Path) -> bool:
    """Tell whether it is there in full; the Python that it was made of may have been removed since."""
    return (folder / _MARKER).exists() and (folder / "bin" / "python").exists()


def package_of(requirement: str) -> str:
    """Return the normal name of a requirement's package.

    Raises:
        StepError: `bad-requirement`.
    """
    if match := _PACKAGE.match(requirement):
        return re.sub(r"[-_.]+", "-", match[1]).lower()
    message = f"`{requirement}` is not a requirement"
    hint = "name a package and its version, such as six==1.17.0; an index is set by UV_INDEX_URL or PIP_INDEX_URL"
    raise StepError(message, code="bad-requirement", hint=hint)


def _make(folder: Path, wanted: Sequence[str]) -> None:
    """Make an environment in the place of a half-made one, of a process that was killed."""
    shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.write(f"installing {', '.join(wanted)}\n")
    sys.stderr.flush()
    python, uv = folder / "bin" / "python", find_uv()
    if uv:
        commands = [
            [uv, "venv", "--quiet", "--no-config", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), "--", *wanted],
        ]
    else:
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        commands = [[sys.executable, "-m", "venv", str(folder)], [*pip, "--", *wanted]]
    # What the project's own environment says of itself is not true of the new one.
    ours = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    for command in commands:
        done = subprocess.run(
            command,
            env=ours,
            cwd=folder.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            preexec_fn=die_with_parent,  # an installer that outlived us would write into what another makes anew
        )
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise _not_installable(wanted, done.stdout)


def _not_installable(wanted: Sequence[str], output: str) -> StepError:
    tail = "\n".join(output.strip().splitlines()[-_SHOWN:])
    message = f"the requirements {', '.join(wanted)} cannot be installed:\n{tail}"
    hint = "correct the names and versions"
    if _OFFLINE.search(output):
        hint = "the package index cannot be reached: run once with a network, and the environment is kept from then on"
    elif "ensurepip" in output:
        hint = "install uv, or Python's venv package (python3-venv on Debian and Ubuntu)"
    return StepError(message, code="requirements-not-installable", hint=hint)


def find_uv() -> str:
    """Return the path of uv, on PATH or beside our interpreter; empty where there is none."""
    beside = Path(sys.executable).with_name("uv")
    return shutil.which("uv") or (str(beside) if beside.exists() else "")


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Let one process at a time make an environment; the others wait, and find it made."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
