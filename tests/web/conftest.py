"""A browser, and a shop with a past: one run that succeeded, one that failed, a branch that was compared."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.projects import anabranch
from tests.web.servers import BAD, GOOD, edit, serving, shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop in which a run succeeded, a branch changed a step, and then a run of main failed."""
    root = shop(tmp_path_factory.mktemp("shop"))
    anabranch(root, "run", "daily")
    edit(root, 'pl.col("euros") > 0', 'pl.col("euros") > 5')
    anabranch(root, "branch", "create", "only <big>", "--pipeline", "daily")
    anabranch(root, "branch", "run", "only <big>")
    anabranch(root, "branch", "deltas", "only <big>")
    edit(root, 'pl.col("euros") > 5', 'pl.col("euros") > 0')
    edit(root, GOOD, BAD)
    anabranch(root, "run", "daily", code=4)
    return root


@pytest.fixture(scope="module")
def base(past: Path) -> Iterator[str]:
    """The address of the pages of the shop with a past."""
    with serving(past) as address:
        yield address
