"""What goes on is seen by however many look, and costs the store one look."""

from __future__ import annotations

import http.client
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.projects import anabranch, write
from tests.web.servers import data, post, serving, shop, token

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

FAST = """
pipeline: p
steps:
  shout: {shell: "i=0; while [ $i -lt 60000 ]; do echo \\"line $i\\"; i=$((i+1)); done; sleep 0.5; echo the end"}
"""


def test_many_look_at_one_run_and_each_sees_it_end(tmp_path: Path) -> None:
    root = shop(tmp_path)
    with serving(root) as base:
        status, text, _ = post(
            f"{base}/api/v1/pipelines/slow/run", {"param.lines": "10"}, x_anabranch_token=token(base)
        )
        assert status == 202, text
        run = data(f"{base}/api/v1/runs")["runs"][0]["id"]

        def watch(_: int) -> int:
            connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=30)
            connection.request("GET", f"/live/runs/{run}")
            answer = connection.getresponse()
            assert answer.headers["content-type"].startswith("text/event-stream")
            changes = 0
            while line := answer.readline():
                changes += line.startswith(b"data:") and b"<h1>Run" in line
                if b'class="big"' in line and b"succeeded" in line:
                    break
            connection.close()
            return changes

        with ThreadPoolExecutor(50) as threads:
            seen = list(threads.map(watch, range(50)))
        assert all(2 <= changes <= 20 for changes in seen)


@pytest.mark.slow
def test_thousands_of_lines_a_second_do_not_freeze_the_page(browser: Browser, tmp_path: Path) -> None:
    root = write(tmp_path, {"anabranch.yaml": "project: f\npipelines: [p.yaml]\n", "p.yaml": FAST})
    with serving(root) as base:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{base}/pipelines/p")
        page.get_by_role("button", name="▶ Run").click()
        page.locator("#step").get_by_role("link", name=re.compile("all of it")).click(timeout=20_000)
        expect(page.locator("pre.log")).to_contain_text("the end", timeout=60_000)
        lines = page.evaluate("document.querySelector('pre.log').textContent.split('\\n').length")
        assert lines < 60_000
        began = page.evaluate("performance.now()")
        page.get_by_role("searchbox").fill("line 59999")
        assert page.evaluate("performance.now()") - began < 2000
        page.get_by_role("button", name="Find").click()
        expect(page.locator("pre.log")).to_contain_text("line 59999")
        context.close()


def test_ten_tabs_do_not_starve_each_other(browser: Browser, tmp_path: Path) -> None:
    """A browser has six connections to one server, and each of the ten would hold one."""
    root = shop(tmp_path)
    anabranch(root, "run", "daily")
    with serving(root) as base:
        context = browser.new_context()
        pages = [context.new_page() for _ in range(10)]
        for page in pages:
            page.goto(base, wait_until="domcontentloaded")
        pages[0].goto(f"{base}/runs")
        expect(pages[0].locator("tbody tr")).to_have_count(1)
        anabranch(root, "run", "daily")
        for page in pages[1:]:
            expect(page.get_by_role("row").filter(has_text="daily")).to_contain_text("2 of 2", timeout=30_000)
        context.close()
