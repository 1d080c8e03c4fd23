"""Names on Airflow: within its limits, and never those of another."""

from __future__ import annotations

import ast
import re

from hypothesis import given
from hypothesis import strategies as st

from anabranch.model.pipeline import StepId
from anabranch.model.resource import Owner
from anabranch.platforms.airflow.names import LONGEST, dag_id, task_id, variable

NAMES = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_.-]{0,120}\Z")
ALLOWED = re.compile(r"[A-Za-z0-9_.-]+")


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_two_pipelines_never_share_a_dag(one: tuple[str, str], other: tuple[str, str]) -> None:
    ids = [dag_id(Owner(project, "prod"), pipeline) for project, pipeline in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)
    assert all(ALLOWED.fullmatch(each) and len(each) <= LONGEST for each in ids)


def test_dots_do_not_move_from_one_name_to_another() -> None:
    assert dag_id(Owner("a", "prod"), "b.c") != dag_id(Owner("a.b", "prod"), "c")
    assert dag_id(Owner("a", "prod", "b"), "c") != dag_id(Owner("a", "prod"), "c.b")
    assert task_id(StepId("inner/step")) != task_id(StepId("inner.step"))


@given(NAMES)
def test_a_step_has_a_name_that_python_takes(name: str) -> None:
    ast.parse(f"{variable(StepId(name))} = 1")
    assert ALLOWED.fullmatch(task_id(StepId(name)))
