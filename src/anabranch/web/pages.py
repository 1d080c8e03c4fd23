"""The table of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.run import RunState, StepState
from anabranch.web.act import CODE, WHAT
from anabranch.web.live import Live
from anabranch.web.look.branch import branch, branches, drop, promote
from anabranch.web.look.dataset import dataset, datasets, sample
from anabranch.web.look.home import home
from anabranch.web.look.log import log
from anabranch.web.look.pipeline import pipeline
from anabranch.web.look.retry import code, retry
from anabranch.web.look.run import run
from anabranch.web.look.runs import runs
from anabranch.web.page import ENVIRONMENT, NAMESPACE, Page, number, word

if TYPE_CHECKING:
    from starlette.routing import Route

    from anabranch.web.page import Asked
    from anabranch.web.site import Site
    from anabranch.web.turns import Turns

PAGE_NUMBER = number("page", "Which part of a long list, from 1.", 1, high=100_000)

HOME = Page(
    "/",
    "Every pipeline, what is failing, what runs.",
    "home.html",
    home,
    "Home",
    (NAMESPACE, ENVIRONMENT),
    twin="/home",
)
PIPELINE = Page(
    "/pipelines/{pipeline}",
    "One pipeline: its graph, its steps against their medians, its last runs.",
    "pipeline.html",
    pipeline,
    "Pipeline",
    (NAMESPACE, ENVIRONMENT, PAGE_NUMBER),
)
RUN = Page(
    "/runs/{run}",
    "One run: its steps in time, and one of them in full.",
    "run.html",
    run,
    "Run",
    (
        word("step", "The step that is shown in full; by default what broke first."),
        word("state", "Only steps that stand so.", enum=("", *(state.value for state in StepState))),
        ENVIRONMENT,
        PAGE_NUMBER,
    ),
)
PAGES = (
    HOME,
    PIPELINE,
    Page(
        "/runs",
        "Runs, newest first.",
        "runs.html",
        runs,
        "Runs",
        (
            word("pipeline", "Only runs of this pipeline."),
            word("namespace", "Only runs of `main` or of this branch; empty for all."),
            word("state", "Only runs that stand so.", enum=("", *(state.value for state in RunState))),
            ENVIRONMENT,
            PAGE_NUMBER,
        ),
    ),
    RUN,
    Page(
        "/runs/{run}/retry",
        "What a retry would run again, what it would reuse, and how the code changed.",
        "retry.html",
        retry,
        "Retry",
        (
            word("what", "What runs again.", enum=("", *WHAT)),
            word("from", "The step from which on it does."),
            word("code", "The code as it is now, or the same as the run had.", CODE[0], enum=CODE),
        ),
        slow=True,
    ),
    Page("/runs/{run}/code", "How the code changed since a run.", "code.html", code, "Code", slow=True),
    Page(
        "/runs/{run}/logs/{attempt}/{step:path}",
        "What one attempt of a step printed: its end, a part of it, or what a search finds.",
        "log.html",
        log,
        "Log",
        (
            word("q", "Only lines that hold this text, whatever its case."),
            number("at", "From the line on in which this byte lies; the end by default.", -1, low=-1, high=2**62),
            number("before", "What comes before this byte.", -1, low=-1, high=2**62),
        ),
        slow=True,
    ),
    Page(
        "/datasets", "The registry: every dataset, and when it was last written.", "datasets.html", datasets, "Datasets"
    ),
    Page(
        "/datasets/{dataset}/sample",
        "Some rows of a dataset; sensitive values are left out.",
        "sample.html",
        sample,
        "Sample",
        (NAMESPACE,),
        slow=True,
    ),
    Page(
        "/datasets/{dataset}",
        "One dataset: its contract, where it comes from and goes to, how it grew.",
        "dataset.html",
        dataset,
        "Dataset",
        (word("namespace", "Only what `main` or this branch wrote; empty for all."), ENVIRONMENT),
    ),
    Page("/branches", "Every branch.", "branches.html", branches, "Branches"),
    Page(
        "/branches/{branch}",
        "One branch: what it runs anew, how its code and its data differ from main's.",
        "branch.html",
        branch,
        "Branch",
        slow=True,
    ),
    Page(
        "/branches/{branch}/promote",
        "What a promotion would change in main, and what stands in its way.",
        "promote.html",
        promote,
        "Promotion",
        slow=True,
    ),
    Page("/branches/{branch}/drop", "What a drop would delete.", "drop.html", drop, "Drop", slow=True),
)
"""Every page with its JSON twin; the order is that of the OpenAPI document."""


def live_routes(site: Site, turns: Turns) -> list[Route]:
    """Return the live forms of the pages that change while somebody looks at them."""
    live = Live(site, turns)

    def of_runs(asked: Asked) -> object:
        return asked.store.summaries.pulse(), id(asked.project), asked.site.problems

    def of_pipeline(asked: Asked) -> object:
        newest = asked.store.summaries.newest(asked.path["pipeline"], asked.namespace, 1)
        return of_runs(asked), [asked.store.summaries.seq(run.id) for run in newest]

    def of_run(asked: Asked) -> object:
        return asked.store.summaries.seq(asked.run), asked.store.driven(asked.run)

    return [live.route(HOME, of_runs), live.route(PIPELINE, of_pipeline), live.route(RUN, of_run, ticks=True)]
