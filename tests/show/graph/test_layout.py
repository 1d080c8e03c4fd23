from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from anabranch.show.graph.layout import Layout, layout

nodes = st.sampled_from([f"n{i}" for i in range(12)])
edges = st.lists(st.tuples(nodes, nodes), max_size=30)
sizes = st.fixed_dictionaries(
    {f"n{i}": st.tuples(st.integers(20, 200).map(float), st.integers(20, 60).map(float)) for i in range(12)}
)


@given(sizes, edges)
def test_boxes_never_overlap_and_lie_on_the_paper(
    sizes: dict[str, tuple[float, float]], edges: list[tuple[str, str]]
) -> None:
    placed = layout(sizes, edges)
    assert set(placed.boxes) == set(sizes)
    for one, other in combinations(placed.boxes.values(), 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        above = one.y + one.height <= other.y + 0.2 or other.y + other.height <= one.y + 0.2
        assert beside or above
    assert all(
        box.x >= 0 and box.y >= 0 and box.x + box.width <= placed.width and box.y + box.height <= placed.height
        for box in placed.boxes.values()
    )


@given(sizes, edges)
def test_an_edge_leads_from_the_side_of_its_source_to_the_side_of_its_target(
    sizes: dict[str, tuple[float, float]], edges: list[tuple[str, str]]
) -> None:
    placed = layout(sizes, edges)
    for source, target in {edge for edge in edges if edge[0] != edge[1]}:
        first, last = placed.routes[source, target][0], placed.routes[source, target][-1]
        a, b = placed.boxes[source], placed.boxes[target]
        assert a.y <= first[1] <= a.y + a.height
        assert b.y <= last[1] <= b.y + b.height


@given(sizes, st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_without_a_cycle_every_edge_leads_to_the_right(
    sizes: dict[str, tuple[float, float]], pairs: list[tuple[int, int]]
) -> None:
    forward = [(f"n{min(pair)}", f"n{max(pair)}") for pair in pairs if pair[0] != pair[1]]
    placed = layout(sizes, forward)
    assert all(placed.boxes[a].x + placed.boxes[a].width < placed.boxes[b].x for a, b in forward)


@given(sizes, edges)
def test_the_same_graph_is_always_laid_out_the_same(
    sizes: dict[str, tuple[float, float]], edges: list[tuple[str, str]]
) -> None:
    assert layout(sizes, edges) == layout(sizes, edges)


def crossed(placed: Layout) -> bool:
    (a, b), (c, d) = placed.routes.values()
    return (a[1] < c[1]) != (b[1] < d[1])


def test_lines_that_need_not_cross_do_not() -> None:
    box = (40.0, 20.0)
    assert not crossed(layout(dict.fromkeys("abcd", box), [("a", "d"), ("b", "c")]))


def test_nothing_at_all_has_a_layout() -> None:
    assert layout({}, []).boxes == {}
