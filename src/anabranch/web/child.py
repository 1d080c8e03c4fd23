"""Commands in processes of their own: whatever they do, the pages go on; and they go on when the pages end."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from anabranch.model.errors import (
    AnabranchError,
    ConflictError,
    Diagnostic,
    InvalidProject,
    NotFoundError,
    Severity,
    StepError,
    UsageError,
)
from anabranch.model.place import Place
from anabranch.model.run import RunId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anabranch.show.shapes import Shape

PATIENCE = 60.0
"""Seconds that a question may take."""

START = 30.0
"""Seconds in which a run must have begun."""

PAUSE = 0.03
KEPT = 50
"""What so many of the newest commands said is kept, for people who look for it."""

_KINDS = {kind.exit_code: kind for kind in (UsageError, StepError, ConflictError, NotFoundError)}
_started: list[subprocess.Popen[bytes]] = []
_named: dict[str, subprocess.Popen[bytes]] = {}
_lock = threading.Lock()


def ask(root: Path, *words: str) -> Shape:
    """Run a command to its end; return the object that it says.

    Raises:
        AnabranchError: what the command raised; `no-answer`, it took too long.
    """
    command = [sys.executable, "-m", "anabranch", "-C", str(root), *_with_json(words)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False, cwd=root
        )
    except subprocess.TimeoutExpired as error:
        message = f"`anabranch {' '.join(words)}` took longer than {PATIENCE:g} s"
        raise AnabranchError(message, code="no-answer", hint="run it in a terminal") from error
    return _told(done.stdout, done.stderr, done.returncode)


def start(root: Path, folder: Path, *words: str) -> RunId:
    """Start a command that runs something; return the run as soon as it has begun.

    Args:
        root: of the project.
        folder: where what the command says is kept.
        words: the command.

    Raises:
        AnabranchError: what the command raised before anything ran; `not-started`.
    """
    process, out = launch(root, folder, *words)
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        ended = process.poll() is not None  # looked at first: what it said last is read below
        for line in _lines(out):
            if isinstance(line.get("run"), str) and "event" in line:
                return RunId(line["run"])
        if ended:
            told = _told(out.read_bytes(), out.with_suffix(".err").read_bytes(), process.returncode)
            message = "there was nothing to run" if told.get("result", told) is None else "it ended without a run"
            raise ConflictError(message, code="nothing-to-run", hint="anabranch branch show")
        time.sleep(PAUSE)
    message = f"`anabranch {' '.join(words)}` has not begun after {START:g} s"
    raise AnabranchError(message, code="not-started", hint=f"see {out}")


def launch(root: Path, folder: Path, *words: str, name: str = "") -> tuple[subprocess.Popen[bytes], Path]:
    """Start a command in a session of its own; return its process, and the file that it writes its JSON to."""
    folder.mkdir(parents=True, exist_ok=True)
    _tidy(folder)
    out = folder / f"{name or f'{time.time():.3f}-{uuid4().hex[:8]}'}.ndjson"
    command = [sys.executable, "-m", "anabranch", "-C", str(root), *_with_json(words)]
    with out.open("wb") as told, out.with_suffix(".err").open("wb") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=told, stderr=errors, start_new_session=True, cwd=root
        )
    with _lock:
        _started[:] = [each for each in _started if each.poll() is None]  # nobody else waits for them
        _started.append(process)
        if name:
            _named[name] = process
    return process, out


def _with_json(words: Sequence[str]) -> list[str]:
    """Return a command that answers in JSON.

    >>> _with_json(["branch", "drop", "--", "x"]), _with_json(["run", "p"])
    (['branch', 'drop', '--json', '--', 'x'], ['run', 'p', '--json'])
    """
    plain = [word.replace("\0", "\N{REPLACEMENT CHARACTER}") for word in words]  # no argument can hold it, and no name
    at = plain.index("--") if "--" in plain else len(plain)
    return [*plain[:at], "--json", *plain[at:]]


def alive(name: str) -> bool:
    """Tell whether the command that was launched by that name goes on."""
    with _lock:
        process = _named.get(name)
    return process is not None and process.poll() is None


def failure(folder: Path, name: str) -> AnabranchError | None:
    """Return why the command that was last launched by that name failed; None when it did not."""
    with _lock:
        process = _named.get(name)
    if process is None or process.poll() in {None, 0}:
        return None
    out = folder / f"{name}.ndjson"
    try:
        _told(out.read_bytes(), out.with_suffix(".err").read_bytes(), process.returncode)
    except (AnabranchError, OSError) as error:
        return error if isinstance(error, AnabranchError) else None
    return None


def _lines(path: Path) -> list[dict[str, Any]]:
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]


def _told(out: bytes, errors: bytes, code: int) -> Shape:
    """Return a command's result.

    Raises:
        AnabranchError: what it raised.
    """
    last = out.strip().rpartition(b"\n")[2]
    try:
        told: Shape = json.loads(last)
    except ValueError as error:
        said = errors.decode(errors="replace").strip().rpartition("\n")[2] or f"exit code {code}"
        raise AnabranchError(f"the command said nothing: {said}", hint="run it in a terminal") from error
    if "diagnostics" in told and told.get("ok") is False and "exit_code" in told:
        raise raised(told)
    return told


def raised(told: Shape) -> AnabranchError:
    """Return the error that a command told of."""
    found = [
        Diagnostic(
            each["code"],
            each["message"],
            each["hint"],
            Place(each["file"], each["line"] or 0) if each["file"] else None,
            Severity(each["severity"]),
        )
        for each in told["diagnostics"]
    ]
    if told["exit_code"] == InvalidProject.exit_code and found:
        return InvalidProject(found)
    first = found[0] if found else Diagnostic("internal", "something went wrong")
    kind = _KINDS.get(told["exit_code"], AnabranchError)
    return kind(first.message, code=first.code, hint=first.hint, place=first.place)


def _tidy(folder: Path) -> None:
    """Forget what the oldest commands said."""
    for old in sorted(folder.glob("[0-9]*.ndjson"))[:-KEPT]:
        old.unlink(missing_ok=True)
        old.with_suffix(".err").unlink(missing_ok=True)
