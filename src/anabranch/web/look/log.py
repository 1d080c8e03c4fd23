"""The log of one attempt: a page of it, or what a search finds in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.errors import NotFoundError, closest
from anabranch.model.pipeline import StepId
from anabranch.model.run import RunState
from anabranch.show import shapes
from anabranch.web import logs
from anabranch.web.page import View

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.web.page import Asked


def log(asked: Asked) -> View:
    """Look at a log from a byte on; without one at its end."""
    path, attempt = path_of(asked)
    run = asked.site.told(asked.run).run
    wanted, at, before = str(asked.query["q"]), asked.query["at"], asked.query["before"]
    hits = logs.search(path, wanted, max(at, 0)) if wanted else None
    if hits is not None:
        page = logs.Lines((), hits.end, hits.end, hits.whole)
    elif before >= 0:
        page = logs.last(path, end=before)
    else:
        page = logs.page(path, at) if at >= 0 else logs.last(path)
    data = {
        "run": shapes.summary(asked.store.summaries.of([run.id])[0]),
        "step": asked.path["step"],
        "attempt": attempt,
        "live": run.state is RunState.RUNNING,
        "lines": list(page.lines),
        "start": page.start,
        "end": page.end,
        "bytes": page.whole,
        "q": wanted,
        "hits": [{"at": where, "line": line} for where, line in hits.found] if hits is not None else None,
        "searched": hits.end if hits is not None else None,
    }
    return View(data)


def path_of(asked: Asked) -> tuple[Path, int]:
    """Return the log's file and the attempt that it is of.

    Raises:
        NotFoundError: `unknown-step`, `unknown-attempt`, `no-log`.
    """
    text, step = asked.path["attempt"], asked.path["step"]
    if not (text.isascii() and text.isdecimal() and len(text) < 7):  # noqa: PLR2004 - attempts are few
        raise NotFoundError(f"{text[:60]!r} is no attempt", code="unknown-attempt", hint="attempts count from 1")
    run = asked.site.told(asked.run).run
    if step not in run.step_by_id:
        message = f"no step `{step}` in run {run.id}"
        raise NotFoundError(message, code="unknown-step", hint=closest(step, run.step_by_id))
    path = asked.project.log_path(run.id, StepId(step), int(text))
    if logs.size(path) is None:
        message = f"there is no log of attempt {int(text)} of `{step}` in run {run.id}"
        raise NotFoundError(message, code="no-log", hint="it was reused, did not run, or its branch was dropped")
    return path, int(text)
