"""One step of a run in full: its error with the user's own frame first, its attempts, its log, its ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.call import kind
from anabranch.show import shapes
from anabranch.show.human import iso
from anabranch.web import logs

if TYPE_CHECKING:
    from anabranch.model.pipeline import Pipeline
    from anabranch.model.run import StepRun
    from anabranch.show.shapes import Shape
    from anabranch.web.page import Asked
    from anabranch.web.site import Told

TAIL = 40
"""Lines of the newest log that the step shows itself."""


def step(asked: Asked, told: Told, pipeline: Pipeline, found: StepRun) -> Shape:
    """Return what is to be seen of one step of a run."""
    defined = pipeline.step_by_id.get(found.step)
    spans = told.spans.get(found.step, ())
    attempts = [
        {
            "attempt": span.attempt,
            "state": span.state.value,
            "queued_seconds": round(span.started_at - span.queued_at, 3),
            "starting_seconds": round(span.running_at - span.started_at, 3) if span.running_at is not None else None,
            "running_seconds": (
                round(span.ended_at - span.running_at, 3)
                if span.ended_at is not None and span.running_at is not None
                else None
            ),
            "started_at": iso(span.started_at),
            "ended_at": iso(span.ended_at),
            "failure": shapes.failure(span.failure),
            "log_bytes": _size(asked, told, found, span.attempt),
        }
        for span in spans
    ]
    return {
        **shapes.step_run(found),
        "kind": kind(defined.call) if defined is not None else None,
        "description": defined.description if defined is not None else "",
        "retry": {"attempts": defined.retry.attempts} if defined is not None else None,
        "timeout": defined.timeout if defined is not None else None,
        "external": defined.external if defined is not None else False,
        **shapes.place(defined.place if defined is not None else None),
        "upstream": list(pipeline.upstream.get(found.step, ())),
        "downstream": list(pipeline.downstream.get(found.step, ())),
        "attempts_told": attempts,
        "log": _tail(asked, told, found),
    }


def _size(asked: Asked, told: Told, found: StepRun, attempt: int) -> int | None:
    if asked.environment:
        return None
    return logs.size(asked.project.log_path(told.run.id, found.step, attempt))


def _tail(asked: Asked, told: Told, found: StepRun) -> Shape | None:
    """Return the last lines of the newest log; None where there is none here."""
    if not found.attempts or asked.environment:
        return None
    path = asked.project.log_path(told.run.id, found.step, found.attempts)
    if not logs.size(path):
        return None
    page = logs.last(path, TAIL)
    return {"attempt": found.attempts, "lines": list(page.lines), "bytes": page.whole, "cut": page.start > 0}
