"""Hypothesis strategies for whole pipelines."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from anabranch.model.call import ContainerCall, DbtCall, NativeCall, PythonCall, ShellCall, SparkCall, SqlCall
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format, Ingestion, Stage
from anabranch.model.pipeline import (
    DatasetInput,
    DatasetOutput,
    Needs,
    ObjectCreated,
    Param,
    ParamType,
    Pipeline,
    Retry,
    Rows,
    Schedule,
    Step,
    StepId,
    Table,
    TestCase,
    ValueInput,
    ValueOutput,
)
from anabranch.model.place import Place
from anabranch.model.values import AnyType, Field, ListOf, MapOf, OneOf, Record, Scalar

names = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=12)
text = st.text(max_size=20)
places = st.none() | st.builds(Place, text, st.integers(0, 10_000))
pairs = st.lists(st.tuples(names, text), max_size=2, unique_by=lambda pair: pair[0]).map(tuple)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
value_types: st.SearchStrategy[Any] = st.recursive(
    st.builds(AnyType) | st.builds(Scalar, st.sampled_from(["int", "str", "float", "none"])),
    lambda inner: (
        st.builds(ListOf, inner)
        | st.builds(MapOf, inner)
        | st.builds(OneOf, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Record, names, st.lists(st.builds(Field, names, inner, st.booleans()), max_size=2).map(tuple))
    ),
    max_leaves=4,
)
texts = st.lists(text, max_size=2).map(tuple)
calls = st.one_of(
    st.builds(PythonCall, names),
    st.builds(SqlCall, text, text),
    st.builds(ShellCall, texts, st.booleans()),
    st.builds(SparkCall, text, texts, conf=pairs),
    st.builds(DbtCall, text, text, vars=pairs, models=texts),
    st.builds(ContainerCall, text, texts),
    st.builds(NativeCall, names, text, pairs),
)
columns = st.builds(Column, names, st.sampled_from(["", "int64", "list<string>"]), st.booleans(), st.booleans())
tables = st.builds(
    Table, st.lists(st.dictionaries(names, json, max_size=2).map(lambda d: tuple(d.items())), max_size=2).map(tuple)
)


def datasets(name: str) -> st.SearchStrategy[DatasetSpec]:
    """One dataset of that name."""
    return st.builds(
        DatasetSpec,
        st.just(name),
        st.sampled_from(Stage),
        st.sampled_from(Format),
        columns=st.lists(columns, max_size=2, unique_by=lambda column: column.name).map(tuple),
        primary_key=st.lists(names, max_size=2).map(tuple),
        ingestion=st.sampled_from(Ingestion),
        place=places,
    )


@st.composite
def pipelines(draw: st.DrawFn, max_steps: int = 12) -> Pipeline:
    """A pipeline without cycles whose edges go by data, by value and by order."""
    count = draw(st.integers(1, max_steps))
    ids = [StepId(f"{draw(names)}{i}") for i in range(count)]
    steps: list[Step] = []
    specs: list[DatasetSpec] = []
    for i, step_id in enumerate(ids):
        before = draw(st.sets(st.sampled_from(range(i)), max_size=3)) if i else set()
        inputs: list[Any] = []
        after: list[StepId] = []
        for j in sorted(before):
            match draw(st.sampled_from(["data", "value", "after"])):
                case "data":
                    inputs.append(DatasetInput(f"in{j}", f"d{j}", rows=draw(st.sampled_from(Rows)), place=draw(places)))
                case "value":
                    inputs.append(ValueInput(f"in{j}", draw(value_types), (ids[j],), draw(st.booleans())))
                case _:
                    after.append(ids[j])
        steps.append(
            Step(
                step_id,
                draw(calls),
                tuple(inputs),
                (DatasetOutput(f"d{i}", f"d{i}"),),
                draw(st.none() | st.builds(ValueOutput, value_types)),
                tuple(after),
                retry=Retry(draw(st.integers(1, 5)), draw(st.floats(0, 10))),
                timeout=draw(st.none() | st.floats(0.1, 100)),
                needs=draw(st.builds(Needs, texts, pairs, pairs)),
                external=draw(st.booleans()),
                description=draw(text),
                place=draw(places),
            )
        )
        specs.append(draw(datasets(f"d{i}")))
    return Pipeline(
        draw(names),
        tuple(draw(st.permutations(steps))),
        tuple(specs),
        tuple(draw(st.lists(st.builds(Param, names, st.sampled_from(ParamType), st.none() | text), max_size=2))),
        draw(st.none() | st.builds(Schedule, text) | st.builds(ObjectCreated, names, text)),
        tuple(
            draw(
                st.lists(
                    st.builds(TestCase, names, st.lists(st.tuples(names, tables), max_size=1).map(tuple)), max_size=1
                )
            )
        ),
        draw(text),
        draw(places),
    )
