"""Datasets: what they promise, where they come from and go to, how they grew, and some rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from anabranch.model.branch import MAIN
from anabranch.model.errors import AnabranchError, NotFoundError, closest
from anabranch.model.pipeline import DatasetInput, Pipeline, StepId
from anabranch.show import shapes
from anabranch.show.graph.picture import datasets_of
from anabranch.show.human import iso
from anabranch.web import child
from anabranch.web.draw.bars import rows_over_time
from anabranch.web.draw.graph import Look, graph
from anabranch.web.failure import diagnostics_of
from anabranch.web.look.home import places
from anabranch.web.page import View
from anabranch.web.render import link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Step
    from anabranch.model.summary import Write
    from anabranch.show.shapes import Shape
    from anabranch.web.page import Asked

HISTORY = 50
"""Times that a dataset was written that are shown."""

DEFINITIONS = 12
"""Earlier definitions that are compared with each other."""

ROWS = 20


def datasets(asked: Asked) -> View:
    """Look at the registry."""
    project = asked.project
    latest = asked.store.summaries.latest(project.datasets, MAIN)
    writers: dict[str, list[str]] = {}
    for pipe in project.pipelines.values():
        for step in pipe.steps:
            for port in step.outputs:
                writers.setdefault(port.dataset, []).append(f"{pipe.name}/{step.id}")
    found = [
        {
            "name": name,
            "stage": spec.stage.value,
            "format": spec.format.value,
            "location": spec.location,
            "description": spec.description,
            "columns": len(spec.columns),
            "primary_key": list(spec.primary_key),
            "written_by": writers.get(name, []),
            "last": write_shape(latest[name]) if name in latest else None,
        }
        for name, spec in sorted(project.datasets.items(), key=lambda item: (_rank(item[1]), item[0]))
    ]
    return View({"datasets": found})


def dataset(asked: Asked) -> View:
    """Look at one dataset."""
    project, name = asked.project, asked.path["dataset"]
    if name not in project.datasets:
        raise NotFoundError(f"no dataset `{name}`", code="unknown-dataset", hint=closest(name, project.datasets))
    spec = project.datasets[name]
    namespace = str(asked.query["namespace"]) or None
    writes = asked.store.summaries.writes(name, HISTORY, namespace)
    writers, readers = project.ports_of(name)
    data = {
        **places(asked),
        "namespace": namespace or "",
        "dataset": shapes.dataset(spec) | {"at": project.location(spec)},
        "written_by": writers,
        "read_by": readers,
        "writes": [write_shape(each) for each in writes],
        "changes": list(_changes(asked, name, writes)),
    }

    def drawn() -> Mapping[str, Any]:
        return {
            "lineage": _lineage(asked, name),
            "history": rows_over_time(writes, lambda run: link(asked.root, "runs", run)),
        }

    return View(data, drawn)


def sample(asked: Asked) -> View:
    """Look at some rows of a dataset. They are read in a process of their own; sensitive values never leave it."""
    project, name = asked.project, asked.path["dataset"]
    if name not in project.datasets:
        raise NotFoundError(f"no dataset `{name}`", code="unknown-dataset", hint=closest(name, project.datasets))
    words = ("datasets", "show", "--rows", str(ROWS), f"--branch={asked.namespace}", "--", name)
    told: Shape = {"columns": [], "rows": [], "hidden": []}
    problems: list[Shape] = []
    try:
        told = child.ask(project.root, *words)["preview"]
    except AnabranchError as error:  # a file that is gone is what the page tells
        problems = [shapes.diagnostic(each) for each in diagnostics_of(error)]
    return View({"dataset": name, "namespace": asked.namespace, "preview": told, "problems": problems})


def write_shape(item: Write) -> Shape:
    """Return one time that a dataset was written."""
    return {
        "run": item.run,
        "pipeline": item.pipeline,
        "namespace": item.namespace,
        "step": item.step,
        "at": iso(item.at),
        "rows": item.rows,
        "bytes": item.bytes,
        "version": item.version,
    }


def _rank(spec: DatasetSpec) -> int:
    return list(type(spec.stage)).index(spec.stage)


def _changes(asked: Asked, name: str, writes: Sequence[Write]) -> Iterable[Shape]:
    """Yield how the contract changed from one definition to the next, newest first."""
    digests = asked.store.summaries.definitions([each.run for each in writes])
    first_of: dict[str, Write] = {}
    for each in writes:
        first_of[digests[each.run]] = each  # the oldest of each wins
    known: list[tuple[Write | None, DatasetSpec]] = [(None, asked.project.datasets[name])]
    for each in list(first_of.values())[:DEFINITIONS]:
        spec = asked.site.definition(each.run, asked.environment).dataset_by_name.get(name)
        if spec is not None:
            known.append((each, replace(spec, bound=None)))
    for (write, after), (_, before) in pairwise(known):
        if differences := list(_differences(before, after)):
            yield {
                "run": write.run if write is not None else None,
                "at": iso(write.at) if write is not None else None,
                "changes": differences,
            }


def _differences(before: DatasetSpec, after: DatasetSpec) -> Iterable[str]:
    old, new = ({column.name: column for column in spec.columns} for spec in (before, after))
    yield from (f"+ {name} {new[name].type}".rstrip() for name in new if name not in old)
    yield from (f"- {name} {old[name].type}".rstrip() for name in old if name not in new)
    for name in old.keys() & new.keys():
        if old[name].type != new[name].type:
            yield f"{name}: {old[name].type or 'any'} → {new[name].type or 'any'}"
        if old[name].nullable != new[name].nullable:
            yield f"{name}: {'null is allowed' if new[name].nullable else 'null is not allowed any more'}"
    for what, one, other in (
        ("key", before.primary_key, after.primary_key),
        ("format", before.format.value, after.format.value),
        ("stage", before.stage.value, after.stage.value),
        ("ingestion", before.ingestion.value, after.ingestion.value),
        ("location", before.location, after.location),
    ):
        if one != other:
            shown = [", ".join(each) if isinstance(each, tuple) else each for each in (one, other)]
            yield f"{what}: {shown[0] or 'none'} → {shown[1] or 'none'}"


def _lineage(asked: Asked, name: str) -> Any:
    """Return the graph of all that the dataset comes from, and all that comes of it, through every pipeline."""
    steps = [(pipe, step) for pipe in asked.project.pipelines.values() for step in pipe.steps]
    writers: dict[str, list[int]] = {}
    readers: dict[str, list[int]] = {}
    for i, (_, step) in enumerate(steps):
        for port in step.outputs:
            writers.setdefault(port.dataset, []).append(i)
        for read in step.reads:
            readers.setdefault(read.dataset, []).append(i)

    def sources(i: int) -> list[str]:
        return [port.dataset for port in steps[i][1].reads]

    def targets(i: int) -> list[str]:
        return [port.dataset for port in steps[i][1].outputs]

    chosen = _walk(name, writers, sources) | _walk(name, readers, targets)
    names = {step.id for i, (_, step) in enumerate(steps) if i in chosen}
    several = len(names) < len(chosen)
    kept: list[Step] = []
    looks: dict[str, Look] = {}
    for i in sorted(chosen):
        pipe, step = steps[i]
        own = StepId(f"{pipe.name}: {step.id}" if several else step.id)
        inputs = tuple(port for port in step.inputs if isinstance(port, DatasetInput))
        kept.append(replace(step, id=own, inputs=inputs, value=None, after=()))
        looks[f"step:{own}"] = Look("", (f"of {pipe.name}",), link(asked.root, "pipelines", pipe.name))
    found = {name}.union(*(datasets_of(step) for step in kept))
    specs = tuple(asked.project.datasets[each] for each in sorted(found) if each in asked.project.datasets)
    for spec in specs:
        state = "chosen" if spec.name == name else ""
        looks[f"dataset:{spec.name}"] = Look(state, (spec.format.value,), link(asked.root, "datasets", spec.name))
    return graph(Pipeline(name, tuple(kept), specs), looks) if kept else ""


def _walk(name: str, edges: Mapping[str, Sequence[int]], onward: Callable[[int], list[str]]) -> set[int]:
    """Return the steps that are met from a dataset on, in one direction."""
    found: set[int] = set()
    waiting = [name]
    while waiting:
        for i in edges.get(waiting.pop(), ()):
            if i not in found:
                found.add(i)
                waiting += onward(i)
    return found
