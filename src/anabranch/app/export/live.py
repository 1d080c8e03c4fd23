"""Runs told to other systems while they happen."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from anabranch.app.export.courier import PATIENCE, Courier
from anabranch.app.export.origin import origin_of
from anabranch.app.export.targets import exporter, kind_of, switched_on
from anabranch.model.export import OpenLineage, OpenTelemetry, Origin
from anabranch.model.tracing import trace_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anabranch.app.execute import Place, RunResult
    from anabranch.app.project import Project
    from anabranch.model.errors import Diagnostic
    from anabranch.model.export import ExportTarget
    from anabranch.model.run import Recorded
    from anabranch.ports import Exporter, Reporter
    from anabranch.run.plan import RunPlan


class Fork:
    """A `Reporter` that passes events on to another, then to couriers."""

    def __init__(self, first: Reporter | None, couriers: Sequence[Courier]) -> None:
        """Name who is told: the first before all others."""
        self._first, self._couriers = first, couriers

    def report(self, recorded: Recorded) -> None:
        """Pass one event on."""
        if self._first is not None:
            self._first.report(recorded)
        for courier in self._couriers:
            courier.report(recorded)


def exported(
    project: Project,
    plan: RunPlan,
    place: Place,
    reporter: Reporter | None,
    act: Callable[[Reporter | None, str], RunResult],
) -> RunResult:
    """Run, and tell others of it meanwhile; a target that is slow, down or wrong costs the run seconds at most.

    Args:
        project: says who is told. Tests of pipelines are nobody's business.
        plan: what runs.
        place: where.
        reporter: who is told first.
        act: runs, with a reporter, and with the id of a trace or nothing.

    Returns:
        The run's result, with a warning for each target that was not told everything.
    """
    targets = switched_on(project.file.exports) if plan.trigger != "test" else ()
    if not targets:
        return act(reporter, "")

    def make(target: ExportTarget) -> Exporter[object]:
        current = isinstance(target, OpenLineage) and place.code == project.root
        return exporter(target, origin_of(project, plan.pipeline, place.storage, current=current))

    traced = any(isinstance(each, OpenTelemetry) for each in targets)
    trace = trace_id(Origin(project.name, plan.pipeline, "", project.where).key(plan.run)) if traced else ""
    couriers = [Courier(kind_of(each), partial(make, each)) for each in targets]
    warnings: tuple[Diagnostic | None, ...] = ()
    try:
        result = act(Fork(reporter, couriers), trace)
    finally:
        for each in couriers:
            each.hurry()
        deadline = time.monotonic() + PATIENCE
        warnings = tuple(each.close(deadline) for each in couriers)
    return replace(result, warnings=tuple(each for each in warnings if each is not None))
