"""The system's Chromium and axe, for the pages of every site: what their browser tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from services.bus.settings import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PICTURES = ROOT / "docs" / "screenshots"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where it is. Without one these tests are skipped, unless CI says that there must be one."""
    if not Path(CHROMIUM).exists():
        why = "there is no Chromium here (`apt-get install chromium`); the pages were tested without a browser only"
        if os.environ.get("SAFEBUS_BROWSER") == "required":
            pytest.fail(why)
        pytest.skip(why)
    return CHROMIUM


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One for a module's tests: each has windows that know nothing of the others'."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        await started.close()


async def axe_finds_nothing(page: Page, rules: Sequence[str] = WCAG) -> None:
    """Fails unless axe finds nothing on the page as it stands: WCAG 2.2 A and AA, and its best practice."""
    found = await Axe().run(page, options={"runOnly": list(rules), "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


async def picture(page: Page, name: str, *, whole: bool = True) -> None:
    """Kept when SAFEBUS_SCREENSHOTS=1 asks for it."""
    if os.environ.get("SAFEBUS_SCREENSHOTS") == "1":
        PICTURES.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)
