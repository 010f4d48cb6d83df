"""A real browser at a gateway that really listens: the system's Chromium, driven by Playwright. Once a module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, async_playwright

from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for, open_door
from tests.browser import FLAGS, axe_finds_nothing, chromium, picture
from tests.partner_gateway.people import NOW, SCHOOL, link_for, named_person

__all__ = ["chromium", "picture"]


@dataclass
class House:
    """A gateway that listens, and the browser."""

    address: str
    gateway: Gateway
    """Another of the same tables: fill inboxes with `tell`."""
    browser: Browser

    async def visit(self, organisation: str = SCHOOL, width: int = 1100, height: int = 900) -> Page:
        """A window of its own in which a new named person has signed in by a link, without any script allowed."""
        path = await link_for(self.gateway, await named_person(self.gateway, organisation))
        page = await self.window(width, height)
        await page.goto(self.address + path)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/inbox")
        return page

    async def window(self, width: int = 1100, height: int = 900) -> Page:
        """A window of its own, with scripts off: the pages have none, and a test's own are run from outside."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=False, locale="en-GB"
        )
        context.set_default_timeout(10_000)
        return await context.new_page()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(chromium: str, stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "clock").write_text(NOW.isoformat())
    at = stack.model_copy(update={"data_dir": folder, "gateway_port": 0, "clock_file": folder / "clock"})
    async with open_door(at) as address, gateway_for(at) as gateway, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield House(address, gateway, browser)
        await browser.close()


Clean = Callable[[Page], Awaitable[None]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def clean(house: House) -> Clean:
    """Fails unless axe finds nothing on the page: WCAG 2.2 A and AA, its best practice, and the contrast in the dark.

    axe is a script and the pages' windows run none, so the same page is shown again in a window that does.
    """
    scripted = await (await house.browser.new_context(bypass_csp=True, locale="en-GB")).new_page()

    async def check(page: Page) -> None:
        html, url = await page.content(), page.url
        if page.viewport_size:
            await scripted.set_viewport_size(page.viewport_size)

        async def same(route: Route) -> None:
            await route.fulfill(body=html, content_type="text/html; charset=utf-8")

        await scripted.route(url, same)
        await scripted.goto(url)
        await scripted.unroute(url)
        await axe_finds_nothing(scripted)
        await scripted.emulate_media(color_scheme="dark")
        await axe_finds_nothing(scripted, ["color-contrast"])
        await scripted.emulate_media(color_scheme="light")

    return check
