"""One row of a run's timeline: when an attempt was queued, starting and running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from anabranch.show.human import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.web.spans import Span

WIDE, HIGH = 1000, 14


def row(spans: Sequence[Span], began: float, ended: float) -> Markup:
    """Return the attempts of one step as bars; the row is as long as the run took.

    Args:
        spans: the attempts.
        began: when the run did, Unix time in s.
        ended: when it ended, or now.
    """
    whole = max(ended - began, 0.001)

    def bar(look: str, start: float, end: float) -> str:
        x = max(0.0, (start - began) / whole * WIDE)
        wide = max(3.0 if look != "queued" else 0.0, (end - start) / whole * WIDE)
        thick = 4 if look == "queued" else HIGH
        return f'<rect class="{look}" x="{x:.1f}" y="{(HIGH - thick) / 2:g}" width="{wide:.1f}" height="{thick}"/>'

    parts: list[str] = []
    for span in spans:
        end = span.ended_at if span.ended_at is not None else ended
        running = span.running_at if span.running_at is not None else min(span.started_at, end)
        parts.append(bar("queued", span.queued_at, span.started_at))
        parts.append(bar("starting", span.started_at, running) if running > span.started_at else "")
        parts.append(bar(f"running s-{span.state}", running, end))
    size = f'viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none"'
    told = f'<svg class="row" {size} role="img" aria-label="{in_words(spans, ended)}">'
    return Markup(told + "".join(parts) + "</svg>")  # noqa: S704 - numbers and states


def in_words(spans: Sequence[Span], ended: float) -> str:
    """Return the same in words."""
    told: list[str] = []
    for span in spans:
        end = span.ended_at if span.ended_at is not None else ended
        running = span.running_at if span.running_at is not None else span.started_at
        parts = (
            ("queued", span.started_at - span.queued_at),
            ("starting", running - span.started_at),
            ("running", end - running),
        )
        words = ", ".join(f"{what} {seconds(took)}" for what, took in parts if took >= 0.005)  # noqa: PLR2004 - shown as 0.01 s
        told.append(f"attempt {span.attempt}: {words or 'no time at all'}" if len(spans) > 1 else words)
    return "; ".join(told) or "did not run"
