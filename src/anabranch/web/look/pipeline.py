"""One pipeline: its graph as it stands, its steps against their medians, its last runs."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from anabranch.model.call import kind
from anabranch.model.errors import NotFoundError
from anabranch.model.run import RunState, StepState
from anabranch.show import shapes
from anabranch.show.graph.picture import MOST_NODES
from anabranch.show.human import plural, seconds, size
from anabranch.web.draw.bars import durations
from anabranch.web.draw.graph import Look, graph, joined
from anabranch.web.draw.grid import grid
from anabranch.web.look.home import places, succeeded
from anabranch.web.look.starts import starts
from anabranch.web.page import View
from anabranch.web.render import link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.run import PortStats, Run, RunId
    from anabranch.model.summary import StepBrief, Summary, Write
    from anabranch.show.shapes import Shape
    from anabranch.web.page import Asked

RECENT = 25
PER_PAGE = 100
"""Steps on one page."""

CONTRACT = {"kept": " ✓", "broken": "✗ contract broken", "": ""}
"""How the graph says what became of a dataset's contract."""


def pipeline(asked: Asked) -> View:
    """Look at a pipeline, as it is written now or, when it is not there any more, as it ran last."""
    name, store = asked.path["pipeline"], asked.store.summaries
    runs = store.newest(name, asked.namespace, RECENT)
    written = _written(asked, name, runs)
    briefs = asked.site.steps(runs, asked.environment)
    last = asked.site.told(runs[0].id, asked.environment).run if runs else None
    medians = medians_of(briefs)
    page: int = asked.query["page"]
    part = written.steps[(page - 1) * PER_PAGE : page * PER_PAGE]
    shown = [_step(written, step.id, last, medians) for step in part]
    states = {run: {each.step: each.state.value for each in found} for run, found in briefs.items()}
    data: Shape = {
        **places(asked),
        "pipeline": {
            "name": written.name,
            "description": written.description,
            "steps": len(written.steps),
            "written": name in asked.project.pipelines,
            "params": [
                {"name": each.name, "type": each.type.value, "default": each.default} for each in written.params
            ],
            **starts(written),
            **shapes.place(written.place),
        },
        **succeeded(runs),
        "runs": [shapes.summary(run) for run in runs],
        "steps": shown,
        "datasets": _datasets(asked, written, last),
        "grid": [
            {"run": run.id, "states": [states.get(run.id, {}).get(each["step"]) for each in shown]} for run in runs
        ],
        "page": page,
        "pages": max(1, -(-len(written.steps) // PER_PAGE)),
    }

    def drawn() -> Mapping[str, Any]:
        def href(run: str) -> str:
            return link(asked.root, "runs", run, environment=asked.environment)

        drawn_steps = [_step(written, step.id, last, medians) for step in written.steps[:MOST_NODES]]
        columns = [each["states"] for each in data["grid"]]
        return {
            "graph": graph(written, looks(asked, drawn_steps, data["datasets"], last)),
            "grid": grid([each["step"] for each in shown], [run.id for run in runs], columns),
            "durations": durations(runs, href),
        }

    return View(data, drawn)


def medians_of(briefs: Mapping[RunId, Sequence[StepBrief]]) -> dict[StepId, float]:
    """Return the median seconds of each step, of the runs in which it succeeded."""
    took: dict[StepId, list[float]] = {}
    for found in briefs.values():
        for each in found:
            if each.state is StepState.SUCCEEDED:
                took.setdefault(each.step, []).append(each.seconds)
    return {step: median(values) for step, values in took.items()}


def looks(asked: Asked, steps: Sequence[Shape], datasets: Sequence[Shape], last: Run | None) -> dict[str, Look]:
    """Return what the graph tells of each node; where it is folded into groups, only how each step stands.

    Args:
        asked: the request.
        steps: as `steps` of the page's data has them, those that a graph of boxes can show.
        datasets: as `datasets` of a pipeline's data has them.
        last: the run that is told of.
    """
    if last is not None and len(last.steps) > MOST_NODES:
        return {f"step:{each.step}": Look(each.state.value) for each in last.steps}
    found: dict[str, Look] = {}
    for each in steps:
        took = seconds(each["seconds"]) if each["state"] in {"succeeded", "failed"} else ""
        usual = f"median {seconds(each['median_seconds'])}" if each["median_seconds"] is not None else ""
        href = (
            link(asked.root, "runs", last.id, step=each["step"], environment=asked.environment) + "#step"
            if last is not None and each["state"]
            else ""
        )
        found[f"step:{each['step']}"] = Look(each["state"] or "", (joined([took, usual]), rows(each)), href)
    for each in datasets:
        count = plural(each["rows"], "row") if each["rows"] is not None else ""
        told = joined([count, size(each["bytes"])]) + CONTRACT[each["contract"]]
        state = "failed" if each["contract"] == "broken" else ""
        found[f"dataset:{each['name']}"] = Look(state, (told,), link(asked.root, "datasets", each["name"]))
    return found


def rows(step: Shape) -> str:
    """Return what a step read and wrote, in rows.

    >>> rows({"rows_in": 9, "rows_out": 7}), rows({"rows_in": None, "rows_out": 7})
    ('9 → 7 rows', '7 rows')
    """
    before, behind = step["rows_in"], step["rows_out"]
    if behind is None:
        return ""
    return f"{before:,} → {plural(behind, 'row')}" if before is not None else plural(behind, "row")


def _written(asked: Asked, name: str, runs: Sequence[Summary]) -> Pipeline:
    if name in asked.project.pipelines:
        return asked.project.pipelines[name]
    newest = runs or asked.store.summaries.newest(name, None, 1)
    if not newest:
        asked.project.pipeline(name)  # says that there is none
        raise NotFoundError(f"no pipeline `{name}`", code="no-pipeline", hint="")
    return asked.site.definition(newest[0].id, asked.environment)


def _step(written: Pipeline, step: StepId, last: Run | None, medians: Mapping[StepId, float]) -> Shape:
    told = last.step_by_id.get(step) if last is not None else None
    defined = written.step_by_id[step]
    broken = told is not None and told.failure is not None and told.failure.kind == "contract"
    promises = [
        written.dataset_by_name[port.dataset] for port in defined.outputs if port.dataset in written.dataset_by_name
    ]
    promised = any(spec.columns or spec.primary_key for spec in promises)
    return {
        "step": step,
        "kind": kind(defined.call),
        "description": defined.description,
        "state": told.state.value if told is not None else None,
        "attempts": told.attempts if told is not None else 0,
        "seconds": told.seconds if told is not None else None,
        "median_seconds": medians.get(step),
        "rows_in": total([port.rows for port in told.reads]) if told is not None else None,
        "rows_out": total([port.rows for port in told.writes]) if told is not None else None,
        "bytes_out": total([port.bytes for port in told.writes]) if told is not None else None,
        "contract": "broken" if broken else "kept" if promised and told is not None and told.state.ok else "",
    }


def _datasets(asked: Asked, written: Pipeline, last: Run | None) -> list[Shape]:
    """Return how each dataset stands: after the last run, or else after the last one that wrote it."""
    told = {port.dataset: port for step in (last.steps if last else ()) for port in step.reads}
    told |= {port.dataset: port for step in (last.steps if last else ()) for port in step.writes}
    missing = [spec.name for spec in written.datasets if spec.name not in told]
    before = asked.store.summaries.latest(missing, asked.namespace)
    return [_dataset(written, spec, last, told.get(spec.name) or before.get(spec.name)) for spec in written.datasets]


def _dataset(written: Pipeline, spec: DatasetSpec, last: Run | None, stats: PortStats | Write | None) -> Shape:
    writer = written.writer_of.get(spec.name)
    told = last.step_by_id.get(writer) if last is not None and writer is not None else None
    broken = told is not None and told.failure is not None and told.failure.kind == "contract"
    kept = told is not None and told.state.ok and bool(spec.columns or spec.primary_key)
    return {
        "name": spec.name,
        "stage": spec.stage.value,
        "format": spec.format.value,
        "writer": writer,
        "rows": stats.rows if stats is not None else None,
        "bytes": stats.bytes if stats is not None else None,
        "contract": "broken" if broken else "kept" if kept else "",
    }


def total(numbers: Sequence[int | None]) -> int | None:
    """Return the sum of what was counted; None when nothing was."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def running(runs: Sequence[Summary]) -> str:
    """Return the newest run that goes on; empty when none does."""
    return next((run.id for run in runs if run.state is RunState.RUNNING), "")
