"""A dbt step on Glue: the dbt that the step requires, its models and tests told as parts of the step."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.conformance.both import OnAws, Told

from anabranch.data.objects.store import objects
from anabranch.model.pipeline import StepId

if TYPE_CHECKING:
    from collections.abc import Generator

    from anabranch.model.run import Run

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SPEC = """
pipeline: shop
datasets:
  orders: {format: csv}
  revenue: {stage: final, columns: {customer: string, amount: float64}, primary_key: customer}
steps:
  model:
    dbt: {project: shop}
    reads: orders
    writes: revenue
    requirements: [dbt-core==1.11.16, dbt-duckdb==1.11.1]
"""
PROJECT = Path(__file__).parents[1] / "engines" / "dbt_project"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, cloud: str) -> Generator[OnAws]:  # noqa: ARG001 - it is seen
    folder = tmp_path_factory.mktemp("shop")
    found = OnAws(folder, "shop", data=False, aws_more={"glue": "shell", "poll": 1})
    for each in (folder / "project" / "pipelines").iterdir():
        each.unlink()
    (folder / "project" / "pipelines" / "shop.yaml").write_text(SPEC)
    shutil.copytree(PROJECT, folder / "project" / "shop")
    deployment = found.project.deployment("real")
    deployment.apply(lambda _: None)
    yield found
    deployment.apply(lambda _: None, destroy=True)


def run(shop: OnAws, orders: str) -> Run:
    shop.put("raw/orders.csv", orders.encode())
    return shop.project.remote("real").run(shop.project.pipeline("shop"), {}, None, Told())


def test_models_are_built_and_a_failing_test_of_dbt_is_a_broken_contract(shop: OnAws) -> None:
    done = run(shop, "id,customer,amount\n1,ann,10\n2,bob,5\n3,ann,1\n")
    step = done.step_by_id[StepId("model")]
    assert done.state == "succeeded", step.failure
    assert {"model stg_orders", "model revenue"} <= {part.name for part in step.parts}
    body = objects(shop.storage).read("final/revenue.parquet")
    assert body is not None
    assert sorted(pl.read_parquet(body).rows()) == [("ann", 11.0), ("bob", 5.0)]

    broken = run(shop, "id,customer,amount\n1,ann,10\n1,bob,5\n")
    failure = broken.step_by_id[StepId("model")].failure
    assert failure is not None
    assert (failure.kind, "unique_stg_orders_id" in failure.message) == ("contract", True), failure
    assert objects(shop.storage).read("final/revenue.parquet") == body


def test_a_step_that_names_no_dbt_is_refused(shop: OnAws) -> None:
    spec = shop.folder / "project" / "pipelines" / "shop.yaml"
    spec.write_text(SPEC.replace("    requirements: [dbt-core==1.11.16, dbt-duckdb==1.11.1]\n", ""))
    try:
        found = [each.message for each in shop.project.deployment("real").check() if each.severity == "error"]
        assert ["does not say which dbt" in each for each in found] == [True]
    finally:
        spec.write_text(SPEC)
