"""Any graph of steps, woven: each step once, after all that it waits for; split: no machine too large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.model.pipeline import StepId
from anabranch.platforms.aws.weave import Apart, Beside, Series, split, steps_of, weave

if TYPE_CHECKING:
    from anabranch.platforms.aws.weave import Weave


@st.composite
def graphs(draw: st.DrawFn) -> dict[StepId, list[StepId]]:
    count = draw(st.integers(1, 14))
    names = [StepId(f"s{i}") for i in range(count)]
    return {
        name: sorted(draw(st.sets(st.sampled_from(names[:i]), max_size=3))) if i else [] for i, name in enumerate(names)
    }


def before(woven: Weave) -> tuple[set[StepId], set[tuple[StepId, StepId]]]:
    """The steps of a weave, and which of them certainly ends before which begins."""
    match woven:
        case Series(parts) | Beside(parts):
            seen: set[StepId] = set()
            pairs: set[tuple[StepId, StepId]] = set()
            for part in parts:
                steps, inside = before(part)
                assert not steps & seen
                pairs |= inside
                if isinstance(woven, Series):
                    pairs |= {(one, other) for one in seen for other in steps}
                seen |= steps
            return seen, pairs
        case Apart(part):
            return before(part)
        case step:
            return {step}, set()


@given(graphs())
@settings(max_examples=300, deadline=None)
def test_every_step_comes_once_and_after_all_that_it_waits_for(graph: dict[StepId, list[StepId]]) -> None:
    steps, pairs = before(weave(graph))
    assert steps == set(graph)
    assert {(source, step) for step, sources in graph.items() for source in sources} <= pairs


@st.composite
def made_of_two(draw: st.DrawFn) -> Weave:
    """A weave of steps one after the other and side by side, nothing else."""
    numbers = iter(range(1000))

    def grow(depth: int) -> Weave:
        kind = draw(st.sampled_from(["step", "series", "beside"])) if depth else "step"
        if kind == "step":
            return StepId(f"s{next(numbers):03}")
        parts = tuple(grow(depth - 1) for _ in range(draw(st.integers(2, 3))))
        return Series(parts) if kind == "series" else Beside(parts)

    return grow(3)


@given(made_of_two())
@settings(max_examples=300, deadline=None)
def test_a_graph_that_is_made_of_the_two_gets_no_barrier(given: Weave) -> None:
    """Nothing waits for more than it must: who ends before whom is what the graph says, and no more."""
    steps, wanted = before(given)
    graph = {step: sorted(one for one, other in wanted if other == step) for step in sorted(steps)}
    direct = {
        step: [each for each in sources if not any(each in graph[other] for other in sources)]
        for step, sources in graph.items()
    }
    assert before(weave(direct))[1] == wanted


@given(graphs(), st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_split_keeps_order_and_goes_apart_in_groups(graph: dict[StepId, list[StepId]], most: int) -> None:
    woven = weave(graph)
    apart = split(woven, most)
    assert before(apart) == before(woven)
    if len(graph) > most and isinstance(apart, Series | Beside):
        assert all(isinstance(part, Apart) for part in apart.parts)
        assert all(len(steps_of(part)) <= most or not isinstance(part.part, type(apart)) for part in apart.parts)  # type: ignore[union-attr]
