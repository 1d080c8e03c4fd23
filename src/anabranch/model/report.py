"""Reports: what an attempt on another machine says of itself when it begins, and again when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

from anabranch.model import codec
from anabranch.model.task import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.model.pipeline import StepId

Report: TypeAlias = "Mapping[str, Any]"
"""One attempt's: when it `began`; once it is over, when it `ended` and its `outcome`."""

Reports: TypeAlias = "Mapping[tuple[StepId, int], Report]"
"""Those of a run, by step and attempt."""


def outcome_in(report: Report | None) -> Outcome | None:
    """Return what became of an attempt; None while nobody has said."""
    if report is None or "outcome" not in report:
        return None
    return codec.decode(cast("type[Outcome]", Outcome), report["outcome"])
