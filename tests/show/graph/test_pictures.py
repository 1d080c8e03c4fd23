from __future__ import annotations

import re
import time
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from tests.strategies import pipelines

from anabranch.cli.drawn import text
from anabranch.model.call import DbtCall, PythonCall, SqlCall
from anabranch.model.dataset import DatasetSpec, Stage
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Pipeline, Step, StepId, ValueInput
from anabranch.show.graph.mermaid import mermaid
from anabranch.show.graph.picture import MOST_NODES, Line, Shape, draw
from anabranch.show.graph.svg import svg


def chain(count: int, prefix: str = "s") -> Pipeline:
    """Steps that each wait for the one before."""
    return Pipeline(
        "chain",
        tuple(
            Step(StepId(f"{prefix}{i:05}"), PythonCall("m:f"), after=(StepId(f"{prefix}{i - 1:05}"),) if i else ())
            for i in range(count)
        ),
    )


DAILY = Pipeline(
    "daily",
    (
        Step(
            StepId("clean"),
            SqlCall("select 1"),
            (DatasetInput("flights", "flights"),),
            (DatasetOutput("legs", "legs"),),
        ),
        Step(StepId("marts"), DbtCall("dbt", models=("stg", "fct")), (DatasetInput("legs", "legs"),)),
        Step(
            StepId("mail"), PythonCall("m:f"), (ValueInput("x", sources=(StepId("clean"),)),), after=(StepId("marts"),)
        ),
    ),
    (DatasetSpec("flights", Stage.RAW), DatasetSpec("legs", Stage.CLEANED)),
)


def test_steps_and_datasets_are_nodes_and_each_kind_of_edge_is_told_apart() -> None:
    picture = draw(DAILY)
    assert {(node.shape, node.label, node.badge) for node in picture.nodes} == {
        (Shape.STEP, "clean", "sql"),
        (Shape.STEP, "marts", "dbt"),
        (Shape.STEP, "mail", "python"),
        (Shape.DATASET, "flights", "raw"),
        (Shape.DATASET, "legs", "cleaned"),
    }
    assert {(edge.source, edge.target, edge.line) for edge in picture.edges} == {
        ("dataset:flights", "step:clean", Line.DATA),
        ("step:clean", "dataset:legs", Line.DATA),
        ("dataset:legs", "step:marts", Line.DATA),
        ("step:clean", "step:mail", Line.VALUE),
        ("step:marts", "step:mail", Line.AFTER),
    }


def test_text_shows_levels_and_the_models_of_a_dbt_step() -> None:
    assert list(text(DAILY, draw(DAILY))) == [
        "daily: 3 steps, 2 datasets",
        "  0  clean    sql     flights               ->  legs",
        "  1  marts    dbt     legs",
        "       . stg  model",
        "       . fct  model",
        "  2  mail     python  (clean); after marts",
    ]


def test_mermaid_shows_the_models_of_a_dbt_step_inside_it() -> None:
    drawn = mermaid(draw(DAILY))
    assert drawn.startswith("flowchart LR\n")
    assert 'subgraph n1["marts · dbt"]\n    n1_0["stg"]\n    n1_1["fct"]\n  end' in drawn


def test_svg_shows_the_models_of_a_dbt_step_inside_it() -> None:
    texts = [each.text for each in ET.fromstring(svg(draw(DAILY))).iter("{http://www.w3.org/2000/svg}text")]
    assert {"clean", "marts", "stg", "fct", "flights", "raw", "cleaned"} <= set(texts)


@settings(max_examples=50)
@given(pipelines())
def test_any_pipeline_can_be_drawn_always_the_same_and_with_nothing_from_outside(pipeline: Pipeline) -> None:
    picture = draw(pipeline)
    drawn = svg(picture)
    root = ET.fromstring(drawn)
    assert drawn == svg(draw(pipeline))
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\((?!#)|href", drawn)
    assert root.tag.endswith("svg")
    assert mermaid(picture).count("\n") >= len(picture.nodes)
    assert len(list(text(pipeline, picture))) > len(pipeline.steps) or picture.folded


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    name = StepId('<b>&"x"')
    drawn = svg(draw(Pipeline("p", (Step(name, PythonCall("m:f")),))))
    assert name in [each.text for each in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]


def test_a_large_pipeline_is_folded_into_levels_or_spans_of_them() -> None:
    picture = draw(chain(10_000))
    assert picture.folded
    assert len(picture.nodes) <= MOST_NODES
    assert picture.nodes[0].label == "levels 0 to 49"
    assert picture.nodes[0].badge == "50 steps"


def test_a_large_pipeline_of_pipelines_is_folded_by_inner_pipeline() -> None:
    steps = tuple(Step(StepId(f"p{i % 5}/s{i}"), PythonCall("m:f")) for i in range(1000))
    assert {node.label for node in draw(Pipeline("book", steps)).nodes} == {f"p{i}" for i in range(5)}


def test_the_largest_picture_that_is_not_folded_is_drawn_within_two_seconds() -> None:
    before = time.perf_counter()
    svg(draw(chain(MOST_NODES)))
    assert time.perf_counter() - before < 2


def test_a_cycle_is_drawn_and_told() -> None:
    steps = (
        Step(StepId("a"), PythonCall("m:f"), after=(StepId("b"),)),
        Step(StepId("b"), PythonCall("m:f"), after=(StepId("a"),)),
    )
    pipeline = Pipeline("p", steps)
    ET.fromstring(svg(draw(pipeline)))
    assert "  cycle: a -> b -> a" in list(text(pipeline, draw(pipeline)))
