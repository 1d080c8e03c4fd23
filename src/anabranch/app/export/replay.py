"""Runs told to other systems later, from their record: it is the truth, so nothing is lost when nobody listened."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anabranch.app.export.courier import PAUSE
from anabranch.app.export.origin import origin_of
from anabranch.app.export.targets import chosen, exporter, kind_of
from anabranch.model.errors import StepError
from anabranch.model.export import OpenLineage, OpenTelemetry
from anabranch.model.run import RunState
from anabranch.platforms.delivery import UNREACHABLE

if TYPE_CHECKING:
    from anabranch.app.export.past import Past
    from anabranch.app.project import Project
    from anabranch.model.export import Origin
    from anabranch.model.run import RunId
    from anabranch.ports import Exporter

TRIES = 3
"""Attempts of each delivery, with a growing pause before the next."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What one target was told of a run: how many messages, what these are called, and where they went."""

    run: RunId
    kind: str
    where: str
    messages: int
    noun: str


def replay(project: Project, past: Past, kind: str | None) -> tuple[Exported, ...]:
    """Tell the targets of `anabranch.yaml` of a run; see `Project.export`."""
    origin, told = _origin(project, past), list[Exported]()
    for target in chosen(project.file.exports, kind):
        with closing(exporter(target, origin)) as speaker:
            messages = _messages(speaker, past)
            for i in range(0, len(messages), speaker.batch):
                _send(speaker, messages[i : i + speaker.batch])
        told.append(Exported(past.run.id, kind_of(target), speaker.where, len(messages), speaker.noun))
    return tuple(told)


def lines(project: Project, past: Past, kind: str) -> list[str]:
    """Return what a target of some kind would be told of a run, as JSON: one message a line, or one request.

    Args:
        project: whose.
        past: the run.
        kind: `openlineage` or `opentelemetry`, whether `anabranch.yaml` names it or not.
    """
    base = next((each.namespace for each in project.file.exports if isinstance(each, OpenLineage)), "")
    target = OpenLineage(file="-", namespace=base) if kind == "openlineage" else OpenTelemetry(file="-")
    speaker = exporter(target, _origin(project, past))
    return list(speaker.lines(_messages(speaker, past)))


def _origin(project: Project, past: Past) -> Origin:
    # Only what the code still is can be looked up in git.
    current = bool(past.run.code) and project.code.snapshot() == past.run.code
    return origin_of(project, past.pipeline, past.storage, current=current)


def _messages(speaker: Exporter[Any], past: Past) -> list[Any]:
    found = [message for event in past.events for message in speaker.tell(event)]
    return [*found, *speaker.abandon()] if past.run.state is RunState.DEAD else found


def _send(speaker: Exporter[Any], messages: list[Any]) -> None:
    for attempt in range(TRIES):
        try:
            speaker.send(messages)
        except StepError as error:
            if error.code != UNREACHABLE or attempt == TRIES - 1:
                raise
            time.sleep(PAUSE * 2**attempt)
        else:
            return
