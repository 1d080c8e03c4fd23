"""Pages are for everybody: without JavaScript, by keyboard, on a phone, in the dark, by ear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.servers import data

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PAGES = (
    "/",
    "/pipelines/daily",
    "/pipelines/slow",
    "/runs",
    "/runs/last",
    "/runs/last/retry",
    "/runs/last/code",
    "/runs/last/logs/1/add_up",
    "/runs/last/logs/1/add_up?q=dollars",
    "/datasets",
    "/datasets/sold",
    "/datasets/sold/sample",
    "/branches",
    "/branches/BRANCH",
    "/branches/BRANCH/promote",
    "/branches/BRANCH/drop",
    "/runs/none",
)


def there(base: str, path: str) -> str:
    """Return the address of a page; BRANCH is the shop's."""
    return base + path.replace("BRANCH", data(f"{base}/api/v1/branches")["branches"][0]["slug"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_nobody_is_kept_out(browser: Browser, base: str, path: str, scheme: Any) -> None:
    """Axe finds nothing serious: contrast, names, roles, headings, focus."""
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(there(base, path))
    page.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    context.close()
    serious = [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0]['failureSummary'][:300]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical", "moderate"}
    ]
    assert serious == []


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_a_phone_and_read_without_scripts(browser: Browser, base: str, path: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, java_script_enabled=False)
    page = context.new_page()
    page.goto(there(base, path))
    assert page.locator("h1").count() == 1
    context.close()
    phone = browser.new_context(viewport={"width": 390, "height": 800})
    page = phone.new_page()
    page.goto(there(base, path))
    wide = page.evaluate("document.documentElement.scrollWidth")
    phone.close()
    assert wide <= 390


def test_a_retry_is_pressed_without_scripts(browser: Browser, base: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base}/runs?pipeline=daily&state=failed")
    page.locator("td.lead a").first.click()
    page.get_by_role("link", name="Retry…").click()
    page.get_by_role("button", name="Retry now").click()
    assert page.locator("h1").inner_text().startswith("Run")
    context.close()


def test_the_keyboard_reaches_everything(browser: Browser, base: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{base}/runs/{data(f'{base}/api/v1/runs?state=failed')['runs'][0]['id']}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    seen: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.textContent.trim()"))
    context.close()
    assert {"Runs", "↻ Retry…", "clean"} <= seen
