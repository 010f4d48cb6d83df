"""The performance pages in a real browser: accessible, small, large, dark, printed, by keyboard and without scripts."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser import axe_finds_nothing as clean
from tests.browser import picture
from tests.performance_data.pages.browser.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

YEAR, MONTH = "/performance/2025-12..2026-11", "/performance/2026-10"


async def fits(page: Page) -> bool:
    """Nothing has to be scrolled sideways, tables in their own frames apart."""
    width: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width <= 0


async def test_every_page_is_accessible(house: House) -> None:
    """axe finds nothing, in the light; nor about the contrast in the dark, which is the same page in other colours."""
    page = await house.visit(scripts=True)
    await page.goto(f"{house.address}/performance/2026-09..2026-11?numbers=all")
    await expect(page.locator("h1")).to_have_count(1)
    await clean(page)
    await page.emulate_media(color_scheme="dark")
    await clean(page, ["color-contrast"])
    await page.goto(f"{house.address}/performance?from=2026-10&to=2026-01")
    await expect(page.get_by_role("alert")).to_contain_text("must not be before")
    assert (await page.title()).startswith("Error: ")
    await clean(page)
    await page.context.close()


async def test_a_period_is_chosen_by_keyboard_and_without_scripts(house: House) -> None:
    """From the first press of the tab key: over the skip link to the period, and on to the figures."""
    page = await house.visit()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("First month")).to_be_focused()
    await page.keyboard.type("October 2026")
    await page.keyboard.press("Tab")
    await page.keyboard.type("October 2026")
    for _ in range(2):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**{MONTH}")
    await expect(page.locator("p.lead")).to_contain_text("October 2026")
    await page.context.close()


async def test_small_windows_and_large_zoom(house: House) -> None:
    """320 px, and 200 % zoom of 1280 px: nothing is scrolled sideways but tables; text in charts keeps its size."""
    page = await house.visit(width=320, height=640)
    for width in (320, 640):
        await page.set_viewport_size({"width": width, "height": 640})
        for path in (YEAR, MONTH):
            await page.goto(house.address + path)
            assert await fits(page), (width, path)
    label = await page.locator(".chart__name").first.bounding_box()
    assert label
    assert label["height"] >= 14
    await page.context.close()


async def test_no_label_runs_out_of_its_chart(house: House) -> None:
    """Into the table beside it, or out of a small window: what there is no room for stands in the table alone."""
    page = await house.visit()
    for width in (1280, 1000, 640, 320):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.goto(house.address + MONTH)
        over: list[str] = await page.evaluate(
            "[...document.querySelectorAll('.chart__name')].filter(one => one.getBoundingClientRect().right > "
            "one.closest('svg').getBoundingClientRect().right + 1).map(one => one.textContent)"
        )
        assert over == [], width
    await page.context.close()


async def test_charts_say_their_values_to_who_cannot_see_them(house: House) -> None:
    """Each chart is an image with a name and a description, and its table stands beside it."""
    page = await house.visit()
    await page.goto(house.address + YEAR)
    chart = page.get_by_role("img", name="Alerts that came before the school day: each month")
    await expect(chart).to_have_accessible_description(
        "The scale begins at 0. Highest: December 2025, 90% (155 of 172). Lowest: February 2026, 87% (149 of 172). "
        "Last: November 2026, 87% (149 of 172). 1 may not be shown: fewer than 5, or withheld so that nobody can work "
        "out a number that is. The table below has every number."
    )
    table = page.get_by_role("table", name="Alerts that came before the school day: each month")
    await expect(table.get_by_role("row", name="August 2026 0 0 no cases")).to_have_count(1)
    await page.context.close()


async def test_how_it_looks(house: House) -> None:
    """Nothing is refused by the content security policy. With SAFEBUS_SCREENSHOTS=1 the README's picture is taken."""
    page = await house.window(height=900)
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text))
    await page.goto(house.address + (await _link(house)))
    await page.get_by_role("button", name="Sign in").click()
    await page.goto(f"{house.address}{YEAR}#alerts_in_time_by_role")
    await picture(page, "performance", whole=False)
    await page.emulate_media(media="print")
    await expect(page.get_by_label("First month")).to_be_hidden()
    await expect(page.locator("details table").first).to_be_visible()
    assert refused == []
    await page.context.close()


async def _link(house: House) -> str:
    from tests.performance_data.pages.house import link_for

    return await link_for(house.room)
