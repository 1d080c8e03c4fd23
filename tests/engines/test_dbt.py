"""dbt, for real: dbt-duckdb builds models whose inputs and outputs are a step's ports."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.projects import ROOT, anabranch, write

PYTHON = ROOT / os.environ.get("ANABRANCH_TEST_DBT_PYTHON", ".venv-dbt/bin/python")
DBT = PYTHON.parent / "dbt"
pytestmark = [pytest.mark.engine, pytest.mark.skipif(not DBT.exists(), reason=f"dbt is not at {DBT}: make test")]


def project(root: Path, orders: str) -> Path:
    """A project with one dbt step between two datasets."""
    shutil.copytree(Path(__file__).parent / "dbt_project", root / "shop")
    return write(
        root,
        {
            "anabranch.yaml": "project: shop\npipelines: [shop.yaml]\n",
            "data/raw/orders.csv": orders,
            "shop.yaml": """
                pipeline: shop
                datasets:
                  orders: {format: csv}
                  revenue: {stage: final, columns: {customer: string, amount: float64}, primary_key: customer}
                steps:
                  model:
                    dbt: {project: shop}
                    reads: orders
                    writes: revenue
                """,
        },
    )


def test_models_run_and_are_told_as_parts_of_the_step(tmp_path: Path) -> None:
    """Rows arrive, the dbt project is not written to, and `steps` shows the models before anything ran."""
    root = project(tmp_path, "id,customer,amount\n1,ann,10\n2,bob,5\n3,ann,1\n")
    before = sorted(path.name for path in (root / "shop").rglob("*"))
    assert "revenue" in anabranch(root, "steps")
    anabranch(root, "run", ANABRANCH_DBT=str(DBT))
    shown = anabranch(root, "runs", "show", "last", ANABRANCH_DBT=str(DBT))
    assert "model stg_orders" in shown
    assert "test unique_stg_orders_id" in shown
    assert sorted(path.name for path in (root / "shop").rglob("*")) == before
    assert pl.read_parquet(root / "data/final/revenue.parquet").rows() == [("ann", 11.0), ("bob", 5.0)]


def test_a_failing_dbt_test_is_a_broken_contract(tmp_path: Path) -> None:
    """Exit 5, the test named, nothing published."""
    root = project(tmp_path, "id,customer,amount\n1,ann,10\n1,bob,5\n")
    told = anabranch(root, "run", code=5, ANABRANCH_DBT=str(DBT))
    assert "unique_stg_orders_id" in told
    assert not (root / "data/final/revenue.parquet").exists()


def test_a_failing_model_is_named_with_dbts_message(tmp_path: Path) -> None:
    """Exit 4."""
    root = project(tmp_path, "id,customer\n1,ann\n")
    told = anabranch(root, "run", code=4, ANABRANCH_DBT=str(DBT))
    assert "model stg_orders" in told
    assert "amount" in told


def test_what_stops_dbt_early_is_told_with_file_and_line(tmp_path: Path) -> None:
    """A template that is not one; nothing ran, so nothing is told of models."""
    root = write(project(tmp_path, "id\n1\n"), {"shop/models/stg_orders.sql": "select\n{{ nope( }}\n"})
    told = anabranch(root, "run", code=4, ANABRANCH_DBT=str(DBT))
    assert "shop/models/stg_orders.sql:2" in told
    assert "Compilation Error in model stg_orders" in told


def test_a_selector_that_selects_nothing_is_told(tmp_path: Path) -> None:
    """Dbt itself would end well."""
    root = project(tmp_path, "id,customer,amount\n1,ann,10\n")
    spec = (root / "shop.yaml").read_text().replace("{project: shop}", "{project: shop, select: 'tag:nightly'}")
    told = anabranch(write(root, {"shop.yaml": spec}), "run", code=4, ANABRANCH_DBT=str(DBT))
    assert "`tag:nightly` selects nothing" in told
