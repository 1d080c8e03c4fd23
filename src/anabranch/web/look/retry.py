"""Before a retry: how the code changed, what exactly will rerun and why, and what will be reused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.errors import AnabranchError, InvalidProject
from anabranch.show import shapes
from anabranch.web import child
from anabranch.web.act import retry_words
from anabranch.web.draw.diff import diff
from anabranch.web.failure import diagnostics_of
from anabranch.web.page import View

if TYPE_CHECKING:
    from anabranch.show.shapes import Shape
    from anabranch.web.page import Asked

LONGEST = 60_000
"""Characters of a diff that are shown."""


def retry(asked: Asked) -> View:
    """Look at what a retry would do. The code is read in a process of its own, as it is now."""
    run = asked.run
    store = asked.store.summaries
    chosen = str(asked.query["from"])
    what = str(asked.query["what"]) or ("from" if chosen else "failed")
    given = {"what": what, "from": chosen, "code": str(asked.query["code"])}
    planned: Shape = {}
    problems: list[Shape] = []
    try:
        planned = child.ask(asked.project.root, *retry_words(run, given), "--plan")
    except AnabranchError as error:  # what stands in its way is what the page is about
        problems = [shapes.diagnostic(each) for each in diagnostics_of(error)]
    changed: str = planned.get("code_diff", "")
    data = {
        "run": shapes.summary(store.of([run])[0]),
        "what": what,
        "from": chosen,
        "code": given["code"],
        "steps": [step.id for step in asked.site.definition(run).steps],
        "problems": problems,
        "invalid": bool(problems) and problems[0]["code"] == InvalidProject.default_code,
        "reruns": planned.get("reruns", []),
        "reused": planned.get("reused", []),
        "params": planned.get("params", {}),
        "code_diff": changed,
    }
    return View(data, lambda: {"diff": diff(changed)})


def code(asked: Asked) -> View:
    """Look at how the code changed since a run."""
    run = asked.store.summaries.of([asked.run])[0]
    changed = asked.project.code_diff(run.id) if run.code else ""
    data = {"run": shapes.summary(run), "known": bool(run.code), "code_diff": changed[: LONGEST * 10]}
    return View(data, lambda: {"diff": diff(changed)})
