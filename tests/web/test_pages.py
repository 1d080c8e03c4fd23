"""Every page and button, as a person meets them: in a browser, against real runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.projects import anabranch
from tests.web.servers import BAD, GOOD, data, edit, serving, shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

expect.set_options(timeout=20_000)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that nothing went wrong on: no script failed, no policy was broken, nothing else was asked."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = context.new_page()
    wrong: list[str] = []
    made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("request", lambda request: wrong.append(request.url) if "://127.0.0.1:" not in request.url else None)
    yield made
    context.close()
    assert wrong == []


def test_the_start_page_says_what_is_failing_where_and_why(page: Page, base: str) -> None:
    page.goto(base)
    failing = page.get_by_role("region", name="Failing now")
    expect(failing).to_contain_text("daily / add_up")
    expect(failing).to_contain_text("shop.py:23")
    expect(failing).to_contain_text("dollars")
    row = page.get_by_role("row").filter(has_text="What we <sold>")
    expect(row).to_contain_text("1 of 2")
    expect(row).to_contain_text("0 6 * * *")
    failing.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Run")).to_be_visible()


def test_a_failed_run_shows_its_error_with_the_users_own_frame_first(page: Page, base: str) -> None:
    page.goto(f"{base}/runs/last")
    why = page.get_by_role("group", name="Why it failed")
    expect(why.locator("p").first).to_have_text("shop.py:23")
    expect(why).to_contain_text('unable to find column "dollars"')
    panel = page.locator("#step")
    expect(panel.locator("pre.trace .own")).to_contain_text("at shop.py:23 in add_up")
    expect(page.get_by_role("row").filter(has_text="shout")).to_contain_text("because of add_up")
    page.locator("td.lead").get_by_role("link", name="clean").click()
    expect(panel).to_contain_text("cleaning <b>all</b> orders")
    expect(panel.get_by_role("row").filter(has_text="writes")).to_contain_text("sold")
    page.keyboard.press("j")
    expect(panel.get_by_role("heading", level=2)).to_have_text("add_up")


def test_a_pipeline_shows_steps_and_datasets_in_lanes_with_how_they_stand(page: Page, base: str) -> None:
    page.goto(f"{base}/pipelines/daily")
    picture = page.get_by_role("region", name="Graph")
    lanes = picture.locator(".lane-name").all_text_contents()
    assert lanes == ["raw", "cleaned", "final"]
    places = [picture.locator(".lane-name").nth(i).bounding_box() for i in range(3)]
    assert places == sorted(places, key=lambda box: box["x"])  # type: ignore[index]
    expect(picture.locator(".node.s-failed title")).to_contain_text("add_up, failed")
    expect(picture.locator(".node.dataset").filter(has_text="sold")).to_contain_text("2 rows")
    expect(page.get_by_role("table").filter(has_text="median").get_by_role("row").nth(1)).to_contain_text("✓ kept")
    grid = page.locator("table.grid")
    expect(grid.get_by_role("row").filter(has_text="add_up")).to_contain_text("failed")
    page.locator(".durations a").first.click()
    expect(page.get_by_role("heading", name="Run")).to_be_visible()


def test_runs_can_be_narrowed_down(page: Page, base: str) -> None:
    page.goto(f"{base}/runs")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.locator("select[name='state']").select_option("failed")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("select[name='state']").select_option("")
    page.locator("select[name='namespace']").select_option("only <big>")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_contain_text("only <big>")


def test_a_dataset_shows_its_contract_lineage_history_and_rows_without_what_is_sensitive(page: Page, base: str) -> None:
    page.goto(f"{base}/datasets")
    page.get_by_role("link", name="sold").click()
    expect(page.get_by_role("region", name="Lineage")).to_contain_text("shouted")
    expect(page.get_by_role("table", name="Contract")).to_contain_text("sensitive")
    rows = page.get_by_role("region", name="Rows")
    expect(rows).to_contain_text("8")
    expect(rows).to_contain_text("•••")
    assert "Grace" not in page.content()
    expect(page.locator("h2#history ~ .wrap table tbody tr")).to_have_count(3)


def test_a_branch_shows_where_it_forked_what_it_reuses_and_what_it_changed(page: Page, base: str) -> None:
    page.goto(f"{base}/branches")
    page.get_by_role("link", name="only <big>").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("only <big>")
    expect(page.locator(".node.tone-changed").filter(has_text="sold")).to_contain_text("1 removed")
    expect(page.locator(".deltas details").first).to_contain_text("2 → 1 row: 1 removed")
    assert "Ada" not in page.content()
    expect(page.locator("pre.diff ins")).to_contain_text("> 5")
    page.get_by_role("link", name="Promote…").click()
    expect(page.get_by_text("This stands in the way:")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Drop…").click()
    expect(page.locator("pre")).to_contain_text("sold.parquet")


def test_a_run_is_mended_and_retried_from_its_page(page: Page, tmp_path: Path) -> None:
    """The whole story: it fails, somebody mends the line, the page shows the diff and what reruns, and it succeeds."""
    root = shop(tmp_path)
    edit(root, GOOD, BAD)
    anabranch(root, "run", "daily", code=4)
    with serving(root) as base:
        page.goto(f"{base}/runs/last")
        edit(root, BAD, GOOD)
        page.get_by_role("link", name="Retry…").click()
        expect(page.locator("pre.diff del")).to_contain_text("dollars")
        expect(page.locator("pre.diff ins")).to_contain_text("euros")
        again, reused = page.get_by_role("table", name="run again"), page.get_by_role("table", name="reused")
        expect(again).to_contain_text("add_up")
        expect(again).to_contain_text("it failed")
        expect(reused).to_contain_text("clean")
        page.get_by_role("button", name="Retry now").click()
        expect(page.locator("h1 + .big")).to_contain_text("succeeded")
        told = data(page.url.replace("/runs/", "/api/v1/runs/"))
        assert {step["step"]: step["state"] for step in told["steps"]} == {
            "clean": "reused",
            "add_up": "succeeded",
            "shout": "succeeded",
        }
        page.get_by_role("link", name=told["parent"]["id"]).first.click()
        expect(page.get_by_text("retried by")).to_be_visible()
        page.goto(f"{base}/runs/last/retry")
        expect(page.get_by_role("alert")).to_contain_text("nothing to do again")
        page.locator("select[name='what']").select_option("from")
        page.locator("select[name='from']").select_option("shout")
        page.get_by_role("button", name="Show what that does").click()
        expect(again).to_contain_text("it is asked for")
        page.locator("select[name='what']").select_option("all")
        page.locator("select[name='code']").select_option("same")
        page.get_by_role("button", name="Show what that does").click()
        expect(page.get_by_role("heading", name="3 steps will run again")).to_be_visible()
        page.get_by_role("button", name="Retry now").click()
        expect(page.locator("h1 + .big")).to_contain_text("succeeded")


def test_code_that_cannot_be_read_is_told_where_the_retry_would_be(page: Page, tmp_path: Path) -> None:
    root = shop(tmp_path)
    edit(root, GOOD, BAD)
    anabranch(root, "run", "daily", code=4)
    with serving(root) as base:
        edit(root, "def add_up", "def add up")
        page.goto(f"{base}/runs/last/retry")
        expect(page.get_by_role("alert")).to_contain_text("shop.py:22")
        expect(page.get_by_role("button", name="Retry now")).to_have_count(0)
        page.goto(base)
        expect(page.get_by_role("alert")).to_contain_text("cannot be read as they are now")
        edit(root, "def add up", "def add_up")
        expect(page.get_by_role("alert")).to_have_count(0)
        page.goto("about:blank")


def test_a_run_is_started_followed_and_cancelled_from_the_page(page: Page, tmp_path: Path) -> None:
    root = shop(tmp_path)
    with serving(root) as base:
        page.goto(f"{base}/pipelines/slow")
        page.get_by_label("lines").fill("300")
        page.get_by_role("button", name="▶ Run").click()
        expect(page.locator("h1 + .big")).to_contain_text("running")
        expect(page.locator("#step pre.log")).to_contain_text("line 3")
        page.locator("#step").get_by_role("link", name=re.compile("all of it")).click()
        expect(page.locator("pre.log")).to_contain_text("line 20")
        page.go_back()
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("h1 + .big")).to_contain_text("cancelled")
        expect(page.locator("#live")).to_have_count(0)


def test_a_branch_is_run_compared_promoted_taken_back_and_dropped_from_its_page(page: Page, tmp_path: Path) -> None:
    root = shop(tmp_path)
    anabranch(root, "run", "daily")
    edit(root, 'pl.col("euros") > 0', 'pl.col("euros") > 5')
    anabranch(root, "branch", "create", "big", "--pipeline", "daily")
    with serving(root) as base:
        page.goto(f"{base}/branches")
        page.get_by_role("link", name="big").click()
        branch = page.url
        page.get_by_role("button", name="▶ Run").click()
        expect(page.locator("h1 + .big")).to_contain_text("succeeded")
        page.goto(branch)
        page.get_by_role("button", name="Compare").click()
        expect(page.locator(".deltas")).to_contain_text("1 removed")
        page.get_by_role("link", name="Promote…").click()
        page.get_by_role("button", name="Promote 3 datasets").click()
        expect(page.locator("main")).to_contain_text("✓ yes")
        assert "13" not in (root / "data/final/totals.csv").read_text()
        page.get_by_role("link", name="Promote…").click()
        page.get_by_role("button", name="Give main back").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("big")
        assert "13" in (root / "data/final/totals.csv").read_text()
        page.get_by_role("link", name="Drop…").click()
        page.get_by_role("button", name="Drop the branch").click()
        expect(page.get_by_text("No branch yet.")).to_be_visible()
    assert not list((root / "data/_branches").glob("*/*"))


def test_what_starts_elsewhere_appears_without_a_reload(page: Page, tmp_path: Path) -> None:
    root = shop(tmp_path)
    with serving(root) as base:
        page.goto(base)
        expect(page.locator("main")).to_contain_text("Nothing has run here")
        anabranch(root, "run", "daily")
        expect(page.get_by_role("row").filter(has_text="daily")).to_contain_text("succeeded")
        page.goto("about:blank")
