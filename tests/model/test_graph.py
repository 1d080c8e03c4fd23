"""Walks over steps: valid, complete and always the same."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import pipelines

from anabranch.model import graph
from anabranch.model.call import ShellCall
from anabranch.model.pipeline import Pipeline, Step, StepId


def chain(*edges: str) -> Pipeline:
    """A pipeline from texts such as "a<b,c": a is after b and c."""
    steps = []
    for edge in edges:
        name, _, before = edge.partition("<")
        after = tuple(StepId(each) for each in before.split(",") if each)
        steps.append(Step(StepId(name), ShellCall(("true",)), after=after))
    return Pipeline("p", tuple(steps))


@given(pipelines())
def test_every_step_comes_after_what_it_needs(pipeline: Pipeline) -> None:
    """The order holds each step once, and no step before one that it waits for."""
    ordered = graph.order(pipeline)
    assert sorted(ordered) == sorted(pipeline.step_by_id)
    at = {step: i for i, step in enumerate(ordered)}
    assert all(at[source] < at[step] for step, sources in pipeline.upstream.items() for source in sources)


@given(pipelines(), st.randoms())
def test_the_order_does_not_depend_on_how_steps_were_written(pipeline: Pipeline, random: object) -> None:
    """Shuffled steps run in the same order."""
    shuffled = list(pipeline.steps)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert graph.order(replace(pipeline, steps=tuple(shuffled))) == graph.order(pipeline)


@given(pipelines())
def test_levels_need_only_earlier_levels(pipeline: Pipeline) -> None:
    """No step shares a level with one that it waits for."""
    level = {step: i for i, row in enumerate(graph.levels(pipeline)) for step in row}
    assert all(level[source] < level[step] for step, sources in pipeline.upstream.items() for source in sources)


def test_a_cycle_is_found_with_its_shortest_way() -> None:
    """Steps behind the cycle are not part of it."""
    assert graph.cycles(chain("a", "b<a,d", "c<b", "d<c", "e<d")) == (("b", "c", "d"),)
    assert graph.order(chain("a", "b<a,d", "c<b", "d<c", "e<d")) == ("a",)


def test_two_cycles_are_both_found() -> None:
    """One for each knot."""
    assert graph.cycles(chain("a<b", "b<a", "x<y", "y<x", "z<a,x")) == (("a", "b"), ("x", "y"))


def test_selections_meet() -> None:
    """--from and --to together choose what lies between."""
    diamond = chain("a", "b<a", "c<a", "d<b,c", "e<d")
    chosen = graph.select(diamond, start=[StepId("b")], end=[StepId("d")])
    assert chosen == {"b", "d"}
    assert graph.select(diamond, only=[StepId("c")]) == {"c"}
    assert graph.select(diamond) == {"a", "b", "c", "d", "e"}
