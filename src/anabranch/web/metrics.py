"""Counts and durations for Prometheus, in its text format, from what is kept of runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from starlette.responses import PlainTextResponse
from starlette.routing import Route

from anabranch.model.branch import MAIN
from anabranch.model.run import RunState
from anabranch.web.look.starts import starts_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from anabranch.web.site import Site

Sample: TypeAlias = "tuple[dict[str, str], float]"

TYPE = "text/plain; version=0.0.4; charset=utf-8"


def routes(site: Site) -> list[Route]:
    """Return the route of the counts."""
    return [Route("/metrics", partial(_metrics, site), name="metrics")]


async def _metrics(site: Site, _: Request) -> Response:
    return PlainTextResponse(await site.work(lambda: "\n".join(lines(site)) + "\n"), media_type=TYPE)


def lines(site: Site) -> Iterator[str]:
    """Yield the exposition: runs by how they stand, and the newest run of main of each pipeline."""
    for name, about, samples in _families(site):
        yield f"# HELP anabranch_{name} {about}"
        yield f"# TYPE anabranch_{name} gauge"
        yield from (_sample(f"anabranch_{name}", value, **labels) for labels, value in samples)


def _families(site: Site) -> Iterator[tuple[str, str, list[Sample]]]:
    """Yield what is counted: its name, what it means, and its values with their labels."""
    store, pipelines = site.project.runs.summaries, site.project.pipelines
    last = {name: run for name in sorted(pipelines) for run in store.newest(name, MAIN, 1)}
    good = {name: run for name in last for run in store.newest(name, MAIN, 1, state=RunState.SUCCEEDED)}
    following = {name: starts_at(pipelines[name]) for name in sorted(pipelines)}
    tally: list[Sample] = [
        ({"pipeline": pipeline, "namespace": namespace, "state": state}, number)
        for pipeline, namespace, state, number in store.tally()
    ]
    stands: list[Sample] = [
        ({"pipeline": name, "state": state.value}, int(run.state is state))
        for name, run in last.items()
        for state in RunState
    ]
    steps: list[Sample] = [
        ({"pipeline": name, "state": state.value}, number)
        for name, run in last.items()
        for state, number in sorted(run.counts.items())
    ]

    def each(values: Mapping[str, float | None]) -> list[Sample]:
        return [({"pipeline": name}, value) for name, value in values.items() if value is not None]

    began = each({name: run.started_at for name, run in last.items()})
    took = each({name: run.seconds for name, run in last.items() if run.ended_at is not None})
    ended = each({name: run.ended_at for name, run in good.items()})
    yield "runs", "Runs that are kept, by how they ended or stand.", tally
    yield "last_run_state", "1 for how the newest run of main stands.", stands
    yield "last_run_steps", "Steps of the newest run of main, by how they stand.", steps
    yield "last_run_start_timestamp_seconds", "When the newest run of main began.", began
    yield "last_run_duration_seconds", "How long the newest run of main took.", took
    yield "last_success_timestamp_seconds", "When a run of main last succeeded.", ended
    yield "next_start_timestamp_seconds", "When a schedule starts a pipeline next.", each(following)


def _sample(name: str, value: float, **labels: str) -> str:
    r"""Return one line.

    >>> _sample("a", 1, pipeline='x"y')
    'a{pipeline="x\\"y"} 1'
    """
    told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
