"""Branches: where one forked, what it runs anew, how its code and its data differ, and what a promotion would do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from anabranch.model.branch import Role
from anabranch.model.delta import Verdict
from anabranch.model.errors import AnabranchError, NotFoundError, closest
from anabranch.show import shapes
from anabranch.show.human import iso
from anabranch.show.report import words
from anabranch.show.report.page import sections
from anabranch.web import child
from anabranch.web.draw.diff import diff
from anabranch.web.draw.graph import Look, graph
from anabranch.web.failure import diagnostics_of
from anabranch.web.page import View
from anabranch.web.render import link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.model.branch import Branch, Reason
    from anabranch.model.delta import DatasetDelta, Report
    from anabranch.model.pipeline import Pipeline
    from anabranch.show.shapes import Shape
    from anabranch.web.page import Asked

SHOWN = 300
"""Files that a drop would delete that are listed."""


def branches(asked: Asked) -> View:
    """Look at all branches."""
    project = asked.project
    found = project.branches.all()
    runs = {each.id: each for each in asked.store.summaries.of([b.run for b in found if b.run is not None])}
    data = {
        "branches": [
            shapes.branch(each)
            | {
                "slug": each.slug,
                "dropping": each.dropping,
                "last": shapes.summary(runs[each.run]) if each.run is not None and each.run in runs else None,
                "verdicts": _verdicts(project.branches.report(each.name)) if each.looked else None,
            }
            for each in found
        ]
    }
    return View(data)


def branch(asked: Asked) -> View:
    """Look at one branch."""
    project, found = asked.project, find(asked)
    told, problems = _planned(asked, "branch", "show", "--", found.name)  # data that is gone does not hide the rest
    report = project.branches.report(found.name)
    summaries = asked.store.summaries
    runs = summaries.newest(found.pipeline, found.name, 10)
    pipeline = _pipeline(asked, found)
    comparing = child.alive(f"deltas-{found.slug}")
    failed = None if comparing else child.failure(project.folder / "ui", f"deltas-{found.slug}")
    data: Shape = {
        "branch": shapes.branch(found) | {"slug": found.slug, "at": project.shown(found.root)},
        "stale": told.get("stale", []),
        "state": runs[0].state.value if runs else "",
        "steps": len(pipeline.steps) if pipeline is not None else 0,
        "code_diff": told.get("code_diff", ""),
        "runs": [shapes.summary(each) for each in runs],
        "comparing": comparing,
        "compare_failed": [shapes.diagnostic(each) for each in diagnostics_of(failed)] if failed else [],
        "looked": bool(found.looked),
        "report": {**asdict(report), "at": iso(report.at), "differs": report.differs} if report is not None else None,
        "headline": words.headline(report) if report is not None else "",
        "problems": problems,
    }

    def drawn() -> Mapping[str, Any]:
        return {
            "graph": graph(pipeline, _looks(asked, found, pipeline, report)) if pipeline is not None else "",
            "diff": diff(data["code_diff"]),
            "sections": Markup("\n".join(sections(report))) if report is not None else "",  # noqa: S704 - it escapes
        }

    return View(data, drawn)


def promote(asked: Asked) -> View:
    """Look at what a promotion would change; the code is read in a process of its own, as it is now."""
    found = find(asked)
    told, problems = _planned(asked, "branch", "promote", "--plan", "--", found.name)
    data = {
        "branch": shapes.branch(found) | {"slug": found.slug},
        "datasets": told.get("datasets", []),
        "obstacles": told.get("obstacles", []),
        "promoted": found.promotion is not None and found.promotion.done and not found.promotion.undone,
        "problems": problems,
    }
    return View(data)


def drop(asked: Asked) -> View:
    """Look at what a drop would delete."""
    found = find(asked)
    deletes = asked.project.branches.preview_drop(found.name)
    data = {
        "branch": shapes.branch(found) | {"slug": found.slug, "at": asked.project.shown(found.root)},
        "deletes": list(deletes[:SHOWN]),
        "count": len(deletes),
        "runs": asked.store.summaries.count(namespace=found.name),
    }
    return View(data)


def find(asked: Asked) -> Branch:
    """Return the branch that the path names, by its slug or its name.

    Raises:
        NotFoundError: `no-branch`.
    """
    wanted, known = asked.path["branch"], asked.project.branches.all()
    for each in known:
        if wanted in {each.slug, each.name}:
            return each
    hint = closest(wanted, [each.name for each in known])
    raise NotFoundError(f"no branch `{wanted}`", code="no-branch", hint=hint)


def _planned(asked: Asked, *words: str) -> tuple[Shape, list[Shape]]:
    try:
        return child.ask(asked.project.root, *words), []
    except AnabranchError as error:  # what stands in its way is what the page is about
        return {}, [shapes.diagnostic(each) for each in diagnostics_of(error)]


def _verdicts(report: Report | None) -> dict[str, int] | None:
    if report is None:
        return None
    found: dict[str, int] = {}
    for delta in report.datasets:
        found[delta.verdict.value] = found.get(delta.verdict.value, 0) + 1
    return found


def _pipeline(asked: Asked, found: Branch) -> Pipeline | None:
    if found.pipeline in asked.project.pipelines:
        return asked.project.pipelines[found.pipeline]
    return asked.site.definition(found.run) if found.run is not None else None


def _looks(asked: Asked, found: Branch, pipeline: Pipeline, report: Report | None) -> dict[str, Look]:
    """Return the graph's looks: what the branch runs, what is reused of main, and the verdict on each dataset."""
    reasons = {reason.step: reason for reason in found.reasons}
    verdicts = {delta.dataset: delta for delta in (report.datasets if report is not None else ())}
    run = asked.site.told(found.run).run if found.run is not None else None
    looks: dict[str, Look] = {}
    for step in pipeline.steps:
        reason = reasons.get(step.id)
        if reason is None or reason.role is Role.SKIPPED:
            told = "left out" if reason is not None else "main's"
            looks[f"step:{step.id}"] = Look("", (told,), tone="reused")
            continue
        state = run.step_by_id[step.id].state.value if run is not None and step.id in run.step_by_id else ""
        href = link(asked.root, "runs", run.id, step=step.id) + "#step" if run is not None and state else ""
        looks[f"step:{step.id}"] = Look(state, _why(reason), href)
    written = {port.dataset for step in pipeline.steps if step.id in set(found.steps) for port in step.outputs}
    for spec in pipeline.datasets:
        href = link(asked.root, "datasets", spec.name, namespace=found.name)
        delta = verdicts.get(spec.name)
        told = _told(delta) if delta is not None else ""
        tone = "" if spec.name in written else "reused"
        looks[f"dataset:{spec.name}"] = Look(
            "", (told,), href, words.TONE[delta.verdict] if delta is not None else tone
        )
    return looks


def _why(reason: Reason) -> tuple[str, ...]:
    """Return why a step is in the branch, in as few words as a box of the graph holds."""
    why = ", ".join(reason.why).replace("`", "")
    return (why,) if reason.role is Role.DOWNSTREAM else (reason.role.value, why)


def _told(delta: DatasetDelta) -> str:
    """Return what became of a dataset's rows, in as few words as a box of the graph holds."""
    counts = ((delta.changed, "changed"), (delta.added, "added"), (delta.removed, "removed"))
    told = ", ".join(f"{number:,} {what}" for number, what in counts if number)
    return told if told and delta.verdict is not Verdict.ADDED else delta.verdict.value
