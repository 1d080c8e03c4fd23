"""The pictures of the docs, taken of the flights; `UPDATE_GOLDEN=1` takes them anew."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from tests.projects import anabranch
from tests.web.servers import data, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
MADE = ("cleaned", "final", "_anabranch", "_branches", ".anabranch", "__pycache__")
MENDED, BROKEN = 'pl.col("dep_time").is_null()', 'pl.col("dep_tim").is_null()'


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The flights with a past: two good runs, a branch that was compared, and a run that failed."""
    root = tmp_path_factory.mktemp("docs") / "flights"
    shutil.copytree(ROOT / "examples" / "flights", root, ignore=shutil.ignore_patterns(*MADE))
    code = root / "flights.py"
    anabranch(root, "run", "daily")
    anabranch(root, "run", "weekly")
    code.write_text(code.read_text().replace("visib < 1 AS foggy", "visib < 0.62 AS foggy"))
    anabranch(root, "branch", "create", "fog")
    anabranch(root, "branch", "run", "fog")
    anabranch(root, "branch", "deltas", "fog")
    code.write_text(code.read_text().replace("visib < 0.62 AS foggy", "visib < 1 AS foggy").replace(MENDED, BROKEN))
    anabranch(root, "run", "daily", code=4)
    code.write_text(code.read_text().replace(BROKEN, MENDED))
    with serving(root) as base:
        yield base


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, path, scheme, high",
    [
        ("ui-run.png", "/runs/last", "light", 800),
        ("ui-pipeline.png", "/pipelines/daily", "dark", 760),
        ("ui-retry.png", "/runs/last/retry", "light", 560),
        ("ui-branch.png", "/branches/fog", "light", 900),
    ],
)
def test_pictures_are_taken_of_real_pages(
    browser: Browser, flights: str, name: str, path: str, scheme: Any, high: int
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": high}, color_scheme=scheme)
    page = context.new_page()
    page.goto(flights + path)
    expect(page.locator("h1")).to_be_visible()
    picture = page.screenshot()
    context.close()
    assert struct.unpack(">II", picture[16:24]) == (1280, high)
    if os.environ.get("UPDATE_GOLDEN"):
        (ROOT / "docs" / name).write_bytes(picture)
    assert (ROOT / "docs" / name).stat().st_size < 250_000


@pytest.mark.slow
def test_the_demo_fills_the_pages(flights: str) -> None:
    told = data(f"{flights}/api/v1/home")
    assert [each["name"] for each in told["pipelines"]] == ["daily", "weekly"]
    assert told["failing"][0]["step"] == "find_cancelled"
