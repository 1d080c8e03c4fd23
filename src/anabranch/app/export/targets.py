"""Which exporter speaks to which target."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, assert_never

from anabranch.model.errors import NotFoundError, closest
from anabranch.model.export import ExportTarget, OpenLineage, OpenTelemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.model.export import Origin
    from anabranch.ports import Exporter

KINDS: dict[str, type[ExportTarget]] = {"openlineage": OpenLineage, "opentelemetry": OpenTelemetry}
"""Targets by the name that `anabranch.yaml` gives them."""

_EXAMPLES = {
    "openlineage": "{openlineage: {file: lineage.ndjson}}",
    "opentelemetry": "{opentelemetry: {endpoint: http://localhost:4318}}",
}


def exporter(target: ExportTarget, origin: Origin) -> Exporter[Any]:
    """Return what tells a target of a run.

    Raises:
        StepError: `missing-secret`, `export-refused`.
    """
    match target:
        case OpenLineage():
            from anabranch.platforms.openlineage.exporter import LineageExporter

            return LineageExporter(target, origin)
        case OpenTelemetry():
            from anabranch.platforms.opentelemetry.exporter import TraceExporter

            return TraceExporter(target, origin)
        case _:
            assert_never(target)


def kind_of(target: ExportTarget) -> str:
    """Return the name that `anabranch.yaml` gives a target."""
    return next(name for name, kind in KINDS.items() if isinstance(target, kind))


def switched_on(targets: Sequence[ExportTarget]) -> tuple[ExportTarget, ...]:
    """Return the targets that are told of runs while they happen: variables may switch OpenTelemetry off."""
    if not any(isinstance(each, OpenTelemetry) for each in targets):
        return tuple(targets)
    from anabranch.platforms.opentelemetry.settings import disabled

    off = disabled(os.environ)
    return tuple(each for each in targets if not (off and isinstance(each, OpenTelemetry)))


def chosen(targets: Sequence[ExportTarget], kind: str | None) -> tuple[ExportTarget, ...]:
    """Return the targets of one kind, or all.

    Raises:
        NotFoundError: `no-export`, there is none.
    """
    found = tuple(each for each in targets if kind is None or kind_of(each) == kind)
    if not found:
        if kind is not None and kind not in KINDS:
            raise NotFoundError(f"nothing is called `{kind}`", code="no-export", hint=closest(kind, KINDS))
        message = f"the project does not export to {kind}" if kind else "the project exports its runs nowhere"
        hint = f"say in anabranch.yaml: export: {_EXAMPLES[kind or 'openlineage']}"
        raise NotFoundError(message, code="no-export", hint=hint)
    return found
