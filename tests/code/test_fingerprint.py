from __future__ import annotations

import shutil
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from tests.code.trees import LIBRARIES, Files
from tests.strategies import pipelines

from anabranch.app.project import Project
from anabranch.code.fingerprint import Fingerprint, Fingerprints, reasons
from anabranch.model.call import PythonCall, ShellCall, SqlCall
from anabranch.model.columns import Column
from anabranch.model.dataset import Bound, DatasetSpec, Format, Ingestion, Stage
from anabranch.model.pipeline import (
    DatasetInput,
    DatasetOutput,
    Needs,
    Param,
    ParamType,
    Pipeline,
    Retry,
    Rows,
    Step,
    StepId,
    ValueInput,
    ValueOutput,
)
from anabranch.model.place import Place
from anabranch.model.values import Scalar

FILES = Files({"flights.py": "def clean(x):\n    return x\n"})
LEGS = DatasetSpec("legs", columns=(Column("a", "int64"),), primary_key=("a",))
STEP = Step(
    StepId("clean"),
    PythonCall("flights:clean"),
    (DatasetInput("x", "legs"), ValueInput("v", Scalar("int"), (StepId("before"),))),
    (DatasetOutput("out", "tidy"),),
    ValueOutput(Scalar("str")),
    params=("day",),
    needs=Needs(("polars==1",), (("A", "1"),), (("S", "secret://env/S"),)),
)
DAY = Param("day", ParamType.DATE, "2013-01-05", ("2013-01-05",))
PIPELINE = Pipeline("p", (STEP,), (LEGS, DatasetSpec("tidy"), DatasetSpec("far")), (DAY, Param("other")))


def of(step: Step = STEP, pipeline: Pipeline = PIPELINE) -> Fingerprint:
    return Fingerprints(FILES, LIBRARIES).of(pipeline, step)


def with_legs(**change: Any) -> Pipeline:
    return replace(PIPELINE, datasets=(replace(LEGS, **change), *PIPELINE.datasets[1:]))


def with_day(**change: Any) -> Pipeline:
    return replace(PIPELINE, params=(replace(DAY, **change), Param("other")))


READ, TAKE = STEP.inputs
NEEDS = STEP.needs


@pytest.mark.parametrize(
    "change, why",
    [
        ({"inputs": (replace(READ, name="y"), TAKE)}, "ports changed"),
        ({"inputs": (replace(READ, columns=("a",)), TAKE)}, "ports changed"),
        ({"inputs": (replace(READ, rows=Rows.ALL), TAKE)}, "ports changed"),
        ({"inputs": (READ, replace(TAKE, type=Scalar("float")))}, "ports changed"),
        ({"inputs": (READ, replace(TAKE, sources=()))}, "ports changed"),
        ({"inputs": (READ, replace(TAKE, required=False))}, "ports changed"),
        ({"inputs": (READ,)}, "ports changed"),
        ({"outputs": (DatasetOutput("other", "tidy"),)}, "ports changed"),
        ({"value": None}, "ports changed"),
        ({"value": ValueOutput(Scalar("int"))}, "ports changed"),
        ({"params": ()}, "params: day removed"),
        ({"params": ("day", "other")}, "params: other added"),
        ({"needs": replace(NEEDS, requirements=("polars==2",))}, "requirements changed"),
        ({"needs": replace(NEEDS, requirements=())}, "requirements is not used any more"),
        ({"needs": replace(NEEDS, env=(("A", "2"),))}, "environment: A changed"),
        ({"needs": replace(NEEDS, env=(("A", "1"), ("B", "2")))}, "environment: B added"),
        ({"needs": replace(NEEDS, secrets=(("S", "secret://env/T"),))}, "environment: S changed"),
        ({"needs": replace(NEEDS, secrets=())}, "environment: S removed"),
    ],
)
def test_what_the_step_says_of_what_it_takes_and_gives_counts(change: dict[str, Any], why: str) -> None:
    assert reasons(of(), of(replace(STEP, **change))) == (why,)


def test_another_dataset_behind_a_port_counts_with_its_contract() -> None:
    changed = replace(STEP, inputs=(replace(READ, dataset="far"), TAKE))
    assert reasons(of(), of(changed)) == (
        "ports changed",
        "contract of far is new",
        "contract of legs is not used any more",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"id": StepId("other")},
        {"retry": Retry(3)},
        {"timeout": 3.0},
        {"after": (StepId("x"),)},
        {"external": True},
        {"description": "Words"},
        {"place": Place("a.py", 1)},
        {"inputs": (TAKE, READ)},
        {"inputs": (replace(READ, place=Place("a.py", 1)), replace(TAKE, place=Place("a.py", 1)))},
        {"needs": replace(NEEDS, permissions=("x",), resources=(("memory", "1"),))},
    ],
)
def test_when_and_where_a_step_runs_does_not_count(change: dict[str, Any]) -> None:
    assert of(replace(STEP, **change)).digest == of().digest


CONTRACT: dict[str, Any] = {
    "columns": (Column("a", "string"),),
    "primary_key": (),
    "format": Format.CSV,
    "stage": Stage.FINAL,
    "path": "elsewhere.parquet",
    "partition_by": ("a",),
    "ingestion": Ingestion.INCREMENTAL,
    "incremental_field": "a",
}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_contract_of_a_dataset_counts(name: str) -> None:
    assert reasons(of(), of(pipeline=with_legs(**{name: CONTRACT[name]}))) == ("contract of legs changed",)


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Words"},
        {"place": Place("a.py", 1)},
        {"bound": Bound("/somewhere")},
        {"columns": (Column("a", "int64", sensitive=True),)},
    ],
)
def test_words_places_and_where_a_branch_finds_a_dataset_do_not_count(change: dict[str, Any]) -> None:
    assert of(pipeline=with_legs(**change)).digest == of().digest


def test_each_field_of_a_dataset_is_decided_here() -> None:
    decided = {*CONTRACT, "name", "description", "place", "bound", "references"}
    assert {field.name for field in fields(DatasetSpec)} == decided


def test_datasets_of_other_steps_do_not_count() -> None:
    far = replace(PIPELINE, datasets=(*PIPELINE.datasets[:2], DatasetSpec("far", format=Format.CSV)))
    assert of(pipeline=far).digest == of().digest


@pytest.mark.parametrize("change", [{"type": ParamType.STRING}, {"default": None}, {"choices": ()}])
def test_the_declaration_of_a_param_counts_where_it_is_taken(change: dict[str, Any]) -> None:
    assert reasons(of(), of(pipeline=with_day(**change))) == ("params: day changed",)
    without = replace(STEP, params=())
    assert of(without).digest == of(without, with_day(**change)).digest


def test_words_of_a_param_do_not_count() -> None:
    assert of(pipeline=with_day(description="Words", place=Place("a.py", 1))).digest == of().digest


def test_a_process_takes_all_params_and_a_query_those_that_it_names() -> None:
    process = replace(STEP, call=ShellCall(("sort",)))
    query = replace(STEP, call=SqlCall("SELECT $day"))
    unnamed = replace(STEP, call=SqlCall("SELECT 1"))
    other = replace(PIPELINE, params=(DAY, Param("other", default="1")))
    assert reasons(of(process), of(process, other)) == ("params: other changed",)
    assert reasons(of(query), of(query, other)) == ()
    assert reasons(of(query), of(query, with_day(default=None))) == ("params: day changed",)
    assert reasons(of(unnamed), of(unnamed, with_day(default=None))) == ()


def test_no_value_of_the_environment_is_in_a_fingerprint() -> None:
    step = replace(STEP, needs=Needs(env=(("A", "hunter2"),), secrets=(("S", "secret://hunter3/x"),)))
    assert "hunter" not in repr(of(step))


def test_reasons_are_sorted_by_what_matters_and_tell_what_came_and_went() -> None:
    before = Fingerprint((("code of f()", "1"), ("contract of a", "1"), ("library b", "1"), ("query", "1")))
    now = Fingerprint((("code of g()", "1"), ("contract of a", "2"), ("library b", "2"), ("library c", "?")))
    assert reasons(before, now) == (
        "code of f() is not used any more",
        "code of g() is new",
        "query is not used any more",
        "contract of a changed",
        "library b 1 -> 2",
        "library c is new",
    )


def test_params_that_come_and_go_are_named() -> None:
    without = replace(PIPELINE, params=())
    assert reasons(of(pipeline=without), of()) == ("params: day added",)
    assert reasons(of(), of(pipeline=without)) == ("params: day removed",)


@given(pipelines(), pipelines())
@settings(max_examples=50)
def test_there_are_reasons_exactly_when_digests_differ_and_nothing_ever_raises(one: Pipeline, two: Pipeline) -> None:
    first = [Fingerprints(FILES, LIBRARIES).of(one, step) for step in one.steps]
    again = [Fingerprints(FILES, LIBRARIES).of(one, step) for step in one.steps]
    assert first == again
    other = Fingerprints(FILES, LIBRARIES)
    for now in (other.of(two, step) for step in two.steps):
        for before in first:
            assert (reasons(before, now) == ()) == (before.digest == now.digest)


def test_suspicions_are_no_part_of_the_digest() -> None:
    assert Fingerprint((), ("a",), ("b",)).digest == Fingerprint(()).digest


def flights(tmp_path: Path) -> tuple[Project, Files]:
    """Return a copy of the example, and its files."""
    source = Path(__file__).parents[2] / "examples" / "flights"
    made = shutil.ignore_patterns("data", "_anabranch", ".anabranch", "__pycache__")
    root = Path(shutil.copytree(source, tmp_path / "flights", ignore=made))
    texts = {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    return Project.load(root), Files(texts)


def test_every_step_of_the_flights_example_resolves(tmp_path: Path) -> None:
    project, files = flights(tmp_path)
    prints = Fingerprints(files, LIBRARIES)
    for pipeline in project.pipelines.values():
        for step in pipeline.steps:
            found = prints.of(pipeline, step)
            assert (found.impure, found.random) == ((), ()), step.id
            assert not any(value == "?" for name, value in found.parts if name.startswith("library"))


@pytest.mark.parametrize(
    "file, old, new, expected",
    [
        ("flights.py", "LATE = 15", "LATE = 20", {"by_carrier": "code of LATE changed"}),
        ("flights.py", "{}-{}{}-{}", "{}_{}{}_{}", {
            "clean_flights": "code of with_id() changed", "find_cancelled": "code of with_id() changed"}),
        ("sql/by_hour.sql", "SELECT", "SELECT 1 AS one,", {"by_hour": "file sql/by_hour.sql changed"}),
        ("awk/tidy_carriers.awk", "{", "{ ", {"tidy_carriers": "file awk/tidy_carriers.awk changed"}),
        ("raw.py", "RAW", "WAR", {}),
        ("flights.py", '"""Which airline is late?"""', "# Which one?", {}),
    ],
)  # fmt: skip
def test_a_change_of_the_flights_example_changes_the_steps_that_it_concerns(
    tmp_path: Path, file: str, old: str, new: str, expected: dict[str, str]
) -> None:
    project, files = flights(tmp_path)
    body = files.read(file) or b""
    assert old.encode() in body
    after = Files({**files.texts, file: body.replace(old.encode(), new.encode(), 1)})
    pipeline = project.pipelines["daily"]
    before, now = Fingerprints(files, LIBRARIES), Fingerprints(after, LIBRARIES)
    found = {step.id: reasons(before.of(pipeline, step), now.of(pipeline, step)) for step in pipeline.steps}
    assert {step: why for step, why in found.items() if why} == {step: (why,) for step, why in expected.items()}


def test_ten_thousand_steps_that_share_functions_are_quick() -> None:
    source = "".join(f"def f{i}(x):\n    return g{i}(x)\ndef g{i}(x):\n    return x\n" for i in range(20))
    steps = tuple(
        Step(StepId(f"s{i}"), PythonCall(f"flights:f{i % 20}"), (DatasetInput("x", f"d{i}"),), params=("day",))
        for i in range(10_000)
    )
    specs = tuple(DatasetSpec(f"d{i}", columns=(Column("a", "int64"),)) for i in range(10_000))
    pipeline = Pipeline("p", steps, specs, (DAY,))
    prints = Fingerprints(Files({"flights.py": source}), LIBRARIES)
    started = time.process_time()
    found = {prints.of(pipeline, step).digest for step in steps}
    assert len(found) == 10_000
    assert time.process_time() - started < 2  # a fifth of a second, on a machine that does nothing else
