"""Five-field cron expressions as EventBridge Scheduler writes them: days of the week count from Sunday, by name."""

from __future__ import annotations

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def scheduler_cron(cron: str) -> str:
    """Return a cron expression for EventBridge Scheduler.

    Args:
        cron: five fields, valid; not both a day of the month and a day of the week.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html

    >>> scheduler_cron("0 6 * * 1-5")
    'cron(0 6 ? * MON,TUE,WED,THU,FRI *)'
    >>> scheduler_cron("*/15 0 1 * *")
    'cron(*/15 0 1 * ? *)'
    """
    minute, hour, day, month, weekday = cron.split()
    if weekday in {"*", "?"}:
        return f"cron({minute} {hour} {day} {month} ? *)"
    days = sorted(_weekdays(weekday))
    return f"cron({minute} {hour} ? {month} {','.join(_DAYS[each] for each in days)} *)"


def names_both_days(cron: str) -> bool:
    """Tell whether an expression is for days of the month and for days of the week: cron takes either, AWS neither.

    >>> names_both_days("0 0 1 * MON")
    True
    """
    _, _, day, _, weekday = cron.split()
    return day not in {"*", "?"} and weekday not in {"*", "?"}


def is_plain(cron: str) -> bool:
    """Tell whether an expression uses only what every cron knows: numbers, names, lists, ranges and steps.

    >>> is_plain("0 6 * * 1-5"), is_plain("0 6 L * *"), is_plain("@daily")
    (True, False, False)
    """
    fields = cron.split()
    if len(fields) != len(("minute", "hour", "day", "month", "weekday")):
        return False
    names = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", *_DAYS}
    for field in fields:
        for part in field.replace("/", ",").replace("-", ",").split(","):
            if not (part.isdigit() or part in {"*", "?"} or part.upper() in names):
                return False
    return True


def _weekdays(field: str) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in {"*", "?"}:
            low, high = 0, 6
        else:
            low = _number(first)
            high = _number(last) if last else (6 if step else low)
        high = high if high >= low else high + 7
        found |= {day % 7 for day in range(low, high + 1, int(step or 1))}
    return found


def _number(text: str) -> int:
    return _DAYS.index(text.upper()[:3]) if text.isalpha() else int(text)
