"""Ids of traces and spans: computed, so that whoever knows a run knows its trace, before and after it happens."""

from __future__ import annotations

import hashlib


def trace_id(run: str) -> str:
    """Return the id of a run's trace: 32 hexadecimal digits.

    Args:
        run: what identifies it among those of all projects; see `Origin.key`.

    >>> trace_id("flights//7f3a9c2k")
    '860ef2f6d2c4693e211adb1241d9203e'
    """
    return hashlib.sha256(f"anabranch:{run}".encode()).hexdigest()[:32]


def span_id(trace: str, *path: str | int) -> str:
    """Return the id of a span: 16 hexadecimal digits.

    Args:
        trace: the id of its trace.
        path: nothing for the run, its id for a step, that and a number for an attempt.

    >>> span_id("4bf92f3577b34da6a3ce929d0e0e4736", "clean", 1)
    '811ed0d55e6abbe4'
    """
    return hashlib.sha256("\0".join([trace, *map(str, path)]).encode()).hexdigest()[:16]


def traceparent(trace: str, step: str, attempt: int) -> str:
    """Return what tells the code of an attempt which span is its parent, as W3C's Trace Context writes it.

    Source: https://www.w3.org/TR/trace-context/#traceparent-header

    >>> traceparent("4bf92f3577b34da6a3ce929d0e0e4736", "clean", 1)
    '00-4bf92f3577b34da6a3ce929d0e0e4736-811ed0d55e6abbe4-01'
    """
    return f"00-{trace}-{span_id(trace, step, attempt)}-01"
