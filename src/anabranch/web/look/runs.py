"""The list of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.errors import NotFoundError, closest
from anabranch.model.run import RunState
from anabranch.show import shapes
from anabranch.web.look.home import places
from anabranch.web.page import View

if TYPE_CHECKING:
    from anabranch.web.page import Asked

PER_PAGE = 50


def runs(asked: Asked) -> View:
    """Look at runs, newest first; of all namespaces unless one is named."""
    pipeline, namespace = (str(asked.query[name]) or None for name in ("pipeline", "namespace"))
    state = RunState(asked.query["state"]) if asked.query["state"] else None
    page: int = asked.query["page"]
    store = asked.store.summaries
    found = store.newest(pipeline, namespace, PER_PAGE + 1, state=state, skip=(page - 1) * PER_PAGE)
    if not found and pipeline and pipeline not in asked.project.pipelines and not store.count(pipeline):
        hint = closest(pipeline, asked.project.pipelines)
        raise NotFoundError(f"no pipeline `{pipeline}`", code="no-pipeline", hint=hint)
    data = {
        **places(asked),
        "namespace": namespace or "",
        "pipeline": pipeline or "",
        "state": state.value if state else "",
        "pipelines": sorted(asked.project.pipelines),
        "runs": [shapes.summary(run) for run in found[:PER_PAGE]],
        "page": page,
        "more": len(found) > PER_PAGE,
    }
    return View(data, lambda: {"states": [each.value for each in RunState]})
