"""A real browser at performance pages that really listen. Once a module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from services.performance_data.pages.door.app import application
from services.performance_data.pages.door.context import ReadingRoom
from services.performance_data.pages.door.serve import place_of, reading_room
from services.web.serving import listen, serving
from tests.browser import FLAGS, chromium
from tests.performance_data.pages.house import computes, link_for, settings

__all__ = ["chromium"]


@dataclass
class House:
    """Pages that listen, and the browser."""

    room: ReadingRoom
    browser: Browser
    address: str

    async def visit(self, role: str = "analyst", *, dark: bool = False, **window: Any) -> Page:
        """A window of its own in which a new person has signed in by a link."""
        page = await self.window(dark=dark, **window)
        await page.goto(self.address + await link_for(self.room, role))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/performance/**")
        return page

    async def window(
        self, width: int = 1280, height: int = 900, *, dark: bool = False, scripts: bool = False, **more: Any
    ) -> Page:
        """Without scripts, since the pages have none; axe needs them."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            locale="en-GB",
            **more,
        )
        context.set_default_timeout(10_000)
        return await context.new_page()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    at = settings(tmp_path_factory.mktemp("pages"), performance_port=0)
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        stack.push_async_callback(browser.close)
        room = await stack.enter_async_context(reading_room(at, computes))
        place = place_of(at)
        address = await stack.enter_async_context(serving(application(room), listen(place), place, _nothing))
        yield House(room, browser, address)


async def _nothing() -> None:
    """Nothing is open."""
