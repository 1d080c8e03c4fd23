"""What an attempt touches in storage: its ports' datasets, and what we keep beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.data import disk
from anabranch.model.access import Access, done

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.model.pipeline import Pipeline, Step


def access_of(step: Step, pipeline: Pipeline) -> Access:
    """Return what a step may touch below main's root, and below the root of any branch.

    Args:
        step: of the pipeline.
        pipeline: with the datasets of its ports.
    """
    located = pipeline.dataset_by_name
    told, mine = disk.escape(pipeline.name), disk.escape(step.id)
    ours = f"{disk.OURS}/reports/{told}/*"
    journal, marks = f"{disk.OURS}/journal", f"{disk.OURS}/watermarks/{told}"
    inputs = (located[port.dataset].location for port in step.reads)
    reads = [*_both(inputs), *_both([marks, f"{disk.OURS}/staging/{told}"]), journal, f"{journal}/*", ours]
    writes = [
        *_both(located[port.dataset].location for port in step.outputs),
        f"{journal}/lock.json",
        f"{journal}/{told}/*",
        f"{disk.OURS}/staging/{told}/*",
        f"{marks}/{mine}/*",
        f"{ours}/{mine}.*.json",
        f"{done(pipeline.name, step.id)}/*",
    ]
    return Access(_anywhere(reads), _anywhere(writes))


def _both(locations: Iterable[str]) -> list[str]:
    """Return the keys of datasets: each is one object, or many below a key."""
    return [each for location in sorted(set(locations)) for each in (location, f"{location}/*")]


def _anywhere(keys: list[str]) -> tuple[str, ...]:
    return (*keys, *(f"{disk.BRANCHES}/*/{each}" for each in keys))
