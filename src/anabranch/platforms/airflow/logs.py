"""What Airflow's log of an attempt says: what the step printed, and why it ended when the step could not say so."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CODE = re.compile(r"Command exited with return code (-?\d+)")
_SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a process."""


def entries(told: Mapping[str, Any]) -> list[Any]:
    """Return the entries of a log, as Airflow answers it: objects, or one text."""
    content: Any = told.get("content") or ""
    return content.splitlines() if isinstance(content, str) else list(content)


def text(entries: Sequence[Any]) -> str:
    """Return what an attempt printed, of the entries of its log."""
    return "".join(f"{line}\n" for line in printed([line for each in entries for line in _lines(each)]))


def why(entries: Sequence[Any]) -> str:
    """Return why an attempt ended, in Airflow's words or by its process's exit code; empty where the log tells nothing.

    >>> why([{"event": "Command exited with return code -9"}, {"level": "error", "event": "Task failed"}])
    'its process was killed by SIGKILL: the worker may have run out of memory'
    >>> why([{"level": "error", "event": "Task failed", "error_detail": [{"exc_type": "Oops", "exc_value": "no"}]}])
    'Oops: no'
    >>> why([{"level": "critical", "event": "Process terminated by signal. Likely out of memory error (OOM)."}])
    'Process terminated by signal. Likely out of memory error (OOM).'
    """
    found = ""
    for entry in entries:
        said = next(iter(_lines(entry)), "")
        if (code := _CODE.match(said)) and (name := _signal(int(code[1]))):
            out = ": the worker may have run out of memory" if name == "SIGKILL" else ""
            return f"its process was killed by {name}{out}"
        if isinstance(entry, dict) and entry.get("level") in {"error", "critical"}:
            found = (list(_lines(entry)) or [""])[-1]
    return found.partition("\n")[0]


def _signal(code: int) -> str:
    number = -code if code < 0 else code - _SIGNALLED
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _lines(entry: Any) -> Iterator[str]:
    """Yield what one entry of a log says, with the exception that it tells of."""
    if not isinstance(entry, dict):
        yield str(entry)
        return
    yield str(entry.get("event", ""))
    for each in entry.get("error_detail") or []:
        yield f"{each.get('exc_type')}: {each.get('exc_value')}"


def printed(lines: Sequence[str]) -> list[str]:
    """Return what a step printed, without what Airflow says around it; all that an operator says of another job.

    >>> printed(["Running command: ...", "Output:", "hello", "Command exited with return code 0"])
    ['hello']
    >>> printed(["Running command: ...", "Output:", "it still runs"])
    ['it still runs']
    """
    starts = [i for i, line in enumerate(lines) if line == "Output:"]
    ends = [i for i, line in enumerate(lines) if line.startswith("Command exited with return code")]
    if starts and not (ends and ends[-1] < starts[0]):
        return list(lines[starts[0] + 1 : ends[-1] if ends else None])
    return [line for line in lines if not line.startswith(("::group::", "::endgroup::"))]
