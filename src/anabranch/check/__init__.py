"""Pure rules over pipelines: what is wrong, before anything runs.

Each rule is a function from a `Subject` to diagnostics; `RULES` lists all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.check import calls, contracts, data, edges, settings
from anabranch.check.subject import Binder, Subject
from anabranch.model.errors import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from anabranch.model.pipeline import Pipeline

RULES: tuple[Callable[[Subject], list[Diagnostic]], ...] = (
    edges.known_steps,
    edges.no_cycles,
    edges.reachable_steps,
    edges.fitting_values,
    data.known_datasets,
    data.one_writer,
    data.own_locations,
    data.incremental_fields,
    data.known_references,
    data.stored_formats,
    contracts.promised_columns,
    contracts.known_columns,
    contracts.bound_queries,
    calls.known_placeholders,
    calls.files_there,
    calls.local_calls,
    calls.distinct_names,
    settings.schedules,
    settings.ranges,
    settings.params,
    settings.secrets,
)


def project(
    pipelines: Sequence[Pipeline],
    root: Path,
    bind: Binder | None = None,
    registry: Iterable[str] = (),
    *,
    remote: bool = False,
) -> tuple[Diagnostic, ...]:
    """Return everything that is wrong or doubtful, each finding once, in the order of files and lines.

    Args:
        pipelines: those to check, together: two of them must not write one dataset.
        root: the project's root, to look for files that calls name.
        bind: binds a query to tables without rows; None where no engine is installed for it.
        registry: names of all datasets of the project, for hints.
        remote: the storage is an object store.
    """
    names = frozenset(registry)
    subjects = [Subject(each, root, bind, names, remote) for each in pipelines]
    found = [finding for subject in subjects for rule in RULES for finding in rule(subject)]
    found += data.one_writer_in_all(pipelines)
    return tuple(sorted(dict.fromkeys(found), key=_position))


def _position(found: Diagnostic) -> tuple[str, int, str, str]:
    place = found.place
    return (place.file if place else "", place.line if place else 0, found.code, found.message)


__all__ = ["RULES", "Binder", "Severity", "Subject", "project"]
