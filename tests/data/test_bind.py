"""Queries are bound to tables without rows, and never run."""

from pathlib import Path

import pytest

from anabranch.data.bind import bind
from anabranch.model.columns import Column

TABLES = {"t": (Column("a", "int64"),)}


def test_a_query_gives_its_columns() -> None:
    """Types are named as contracts name them; params are typed."""
    found = bind("SELECT a, {'x': a} AS s, $day::DATE AS d FROM t -- all;", TABLES, {"day": "DATE"})
    assert found == (Column("a", "int64"), Column("s", "struct<x: int64>"), Column("d", "date"))


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '{file}'",
        "WITH x AS (COPY (SELECT 1) TO '{file}') SELECT * FROM x",
        "EXPORT DATABASE '{file}'",
        "ATTACH '{file}' AS other",
    ],
)
def test_nothing_is_written_while_a_query_is_bound(query: str, tmp_path: Path) -> None:
    """What is no SELECT is refused, and has done nothing."""
    assert isinstance(bind(query.format(file=tmp_path / "out"), TABLES, {}), str)
    assert list(tmp_path.iterdir()) == []
