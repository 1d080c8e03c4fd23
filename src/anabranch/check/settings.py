"""Rules about schedules, limits, params and secrets."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import Diagnostic
from anabranch.model.pipeline import Param, ParamType, Schedule
from anabranch.model.secret import is_reference, is_told

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.check.subject import Subject

_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def schedules(subject: Subject) -> list[Diagnostic]:
    """A schedule is a cron expression that ever fires, in a time zone that exists."""
    trigger, place = subject.pipeline.trigger, subject.pipeline.place
    if not isinstance(trigger, Schedule):
        return []
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from cronsim import CronSim, CronSimError

    found: list[Diagnostic] = []
    try:
        ZoneInfo(trigger.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"there is no time zone `{trigger.timezone}`"
        found.append(Diagnostic("bad-timezone", message, "a name such as Europe/Berlin, or UTC", place))
    try:
        next(CronSim(trigger.cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        message = f"`{trigger.cron}` is no cron expression that ever fires"
        hint = 'five fields, minute hour day month weekday: "0 6 * * *" is six every morning'
        found.append(Diagnostic("bad-cron", message, hint, place))
    return found


def ranges(subject: Subject) -> list[Diagnostic]:
    """Retries and timeouts are possible."""
    found: list[Diagnostic] = []
    for step in subject.pipeline.steps:
        retry = step.retry
        wrong = [
            what
            for what, bad in (
                (f"{retry.attempts} attempts", retry.attempts < 1),
                (f"a delay of {retry.delay:g} s", retry.delay < 0),
                (f"a backoff of {retry.backoff:g}", retry.backoff < 1),
                (f"a jitter of {retry.jitter:g}", not 0 <= retry.jitter <= 1),
                (f"a timeout of {step.timeout or 0:g} s", step.timeout is not None and step.timeout <= 0),
            )
            if bad
        ]
        hint = "attempts from 1, delay from 0, backoff from 1, jitter in 0 to 1, timeout above 0"
        found += [Diagnostic("out-of-range", f"step `{step.id}` has {what}", hint, step.place) for what in wrong]
    return found


_PARSERS: dict[ParamType, Callable[[str], Any]] = {
    ParamType.STRING: str,
    ParamType.INT: int,
    ParamType.FLOAT: float,
    ParamType.BOOL: {"true": True, "false": False}.__getitem__,
    ParamType.DATE: date.fromisoformat,
    ParamType.DATETIME: datetime.fromisoformat,
}


def params(subject: Subject) -> list[Diagnostic]:
    """Defaults and choices are of their param's type, and the default is one of the choices."""
    found: list[Diagnostic] = []
    for param in subject.pipeline.params:
        texts = [*param.choices, *([] if param.default is None else [param.default])]
        for text in texts:
            if not _fits(param, text):
                message = f"param `{param.name}` must be of type {param.type}, and `{text}` is not"
                found.append(Diagnostic("bad-param", message, "correct the default or the type", param.place))
        if param.choices and param.default is not None and param.default not in param.choices:
            message = f"param `{param.name}`: its default `{param.default}` is none of its choices"
            found.append(Diagnostic("bad-param", message, "add it to the choices", param.place))
    return found


def _fits(param: Param, text: str) -> bool:
    try:
        _PARSERS[param.type](text)
    except (ValueError, KeyError):
        return False
    return True


def secrets(subject: Subject) -> list[Diagnostic]:
    """Secrets are references, and variables can be set."""
    found: list[Diagnostic] = []
    for step in subject.pipeline.steps:
        for variable, reference in step.needs.secrets:
            if not is_reference(reference):
                # The text may be the secret itself, so it is not shown.
                message = f"step `{step.id}`: the secret `{variable}` is not a reference"
                hint = "write secret://env/NAME or secret://file/PATH, and never the secret itself"
                found.append(Diagnostic("bad-secret", message, hint, step.place))
        for variable, value in step.needs.env:
            if is_told(variable, value):
                message = f"step `{step.id}`: its variable `{variable}` seems to hold a secret"
                hint = f"secrets: {{{variable}: secret://env/{variable}}}, and keep the value out of the project"
                found.append(Diagnostic("bad-secret", message, hint, step.place))
        for variable, _ in (*step.needs.env, *step.needs.secrets):
            if not _VARIABLE.match(variable):
                message = f"step `{step.id}`: `{variable}` cannot be an environment variable"
                found.append(Diagnostic("bad-name", message, "letters, digits and `_`", step.place))
    return found
