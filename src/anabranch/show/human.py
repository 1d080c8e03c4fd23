"""Numbers as people read them. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86400


def count(number: int | None) -> str:
    """Return a count with thousands separators; nothing for None.

    >>> count(336776), count(None)
    ('336,776', '')
    """
    return "" if number is None else f"{number:,}"


def plural(number: int, noun: str) -> str:
    """Return the count with its noun.

    >>> plural(1, "step"), plural(10000, "step")
    ('1 step', '10,000 steps')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def size(number: int | None) -> str:
    """Return a number of bytes, decimal units, two significant digits; nothing for None.

    >>> size(0), size(812), size(4_096_000), size(123_456_789), size(None)
    ('0 B', '812 B', '4.1 MB', '123 MB', '')
    """
    if number is None:
        return ""
    if number < 1000:  # noqa: PLR2004 - a thousand of one unit is one of the next
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5:  # noqa: PLR2004 - above, it would round to a thousand
            return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"  # noqa: PLR2004
    return f"{value / 1000:,.1f} PB"


def seconds(number: float | None) -> str:
    """Return a duration; nothing for None.

    >>> seconds(0.004), seconds(0.42), seconds(12.34), seconds(75), seconds(7260), seconds(None)
    ('0.00 s', '0.42 s', '12.3 s', '1 min 15 s', '2 h 01 min', '')
    """
    if number is None:
        return ""
    number = max(number, 0.0)
    if number < 9.995:  # noqa: PLR2004 - where two decimals would show 10.00
        return f"{number:.2f} s"
    if number < MINUTE - 0.05:
        return f"{number:.1f} s"
    whole = math.floor(number + 0.5)
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"


def short_seconds(number: float | None) -> str:
    """Return a setting such as a timeout, without needless digits.

    >>> short_seconds(90), short_seconds(60), short_seconds(3600), short_seconds(0.5), short_seconds(None)
    ('90 s', '1 min', '1 h', '0.5 s', '')
    """
    if number is None:
        return ""
    for unit, name in ((HOUR, "h"), (MINUTE, "min")):
        if number >= unit and number % unit == 0:
            return f"{number / unit:g} {name}"
    return f"{number:g} s"


def ago(at: float, now: float) -> str:
    """Return how long before `now` something was; clocks may jump, so never a negative time.

    >>> ago(100, 103), ago(0, 200), ago(0, 7300), ago(0, 200_000), ago(10, 5)
    ('3 s ago', '3 min ago', '2 h ago', '2 d ago', 'now')
    """
    passed = int(now - at)
    if passed < 1:
        return "now"
    if passed < MINUTE:
        return f"{passed} s ago"
    if passed < HOUR:
        return f"{passed // MINUTE} min ago"
    if passed < DAY:
        return f"{passed // HOUR} h ago"
    return f"{passed // DAY} d ago"


def clock(at: float) -> str:
    """Return a Unix time as local date and time."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(at: float | None) -> str | None:
    """Return a Unix time for machines: UTC, RFC 3339, milliseconds.

    >>> iso(0.25), iso(None)
    ('1970-01-01T00:00:00.250Z', None)
    """
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
