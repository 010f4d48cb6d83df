"""Immediate danger on every screen (H7): whatever fails on the way, each child is announced, by name, in order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser import axe_finds_nothing as clean
from tests.handover_feed import night
from tests.handover_feed.browser.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

BANNER = "**/board/danger"


async def sounding(house: House) -> Page:
    """A board whose danger sound is on."""
    page = await house.visit()
    await expect(page.locator("#live-state")).to_contain_text("Live.")
    await page.get_by_role("button", name="Turn danger sound on").click()
    await expect(page.locator("#live")).to_have_attribute("data-beeps", "1")
    return page


async def beeps(page: Page) -> int:
    return int(await page.locator("#live").get_attribute("data-beeps") or 0)


async def test_danger_is_told_though_its_banner_fails(house: House) -> None:
    """The stream's word sounds and shows at once; the name follows as soon as the banner answers, without a sound."""
    page = await sounding(house)
    failing = [True]

    async def fail(route: Route) -> None:
        await (route.abort() if failing else route.continue_())

    await page.route(BANNER, fail)
    await house.fold.hear(night.danger())
    await expect(page.locator("#danger")).to_contain_text("A child Nobody has taken this.")
    await expect(page.locator("#live-danger")).to_contain_text("Immediate danger. A child.")
    await expect(page).to_have_title("Immediate danger (1) – Open now – Handover board")
    assert await beeps(page) == 2
    await clean(page)
    failing.clear()
    await expect(page.locator("#danger")).to_contain_text("Amara Okonkwo", timeout=20_000)
    await expect(page.locator("#live-danger")).to_contain_text("Immediate danger. Amara Okonkwo")
    assert await beeps(page) == 2
    await page.get_by_role("link", name="Amara Okonkwo").first.click()
    await page.wait_for_url("**/matters/child-amara")
    await page.context.close()


async def test_danger_said_again_of_the_same_child_sounds_again(house: House) -> None:
    """It is another danger, though nobody has taken the first; a note about it is not."""
    page = await sounding(house)
    await house.fold.hear(night.danger())
    await expect(page.locator("#live")).to_have_attribute("data-beeps", "2")
    await house.fold.hear(night.note("Her aunt is on the way.", child_id="child-amara"))
    await page.wait_for_timeout(500)
    assert await beeps(page) == 2
    await house.fold.hear(night.danger(incident_id="again", ago=timedelta(minutes=6)))
    await expect(page.locator("#live")).to_have_attribute("data-beeps", "3")
    await page.context.close()


async def test_of_many_in_danger_each_is_announced(house: House) -> None:
    """The fifth by name as the first was; the worst stands first; once one is taken, the number is right."""
    page = await sounding(house)
    for number in range(1, 6):
        name = f"{('One', 'Two', 'Three', 'Four', 'Five')[number - 1]} Example"
        born = "2010-01-01" if number < 5 else "2025-01-01"
        await house.fold.hear(night.danger(f"child-{number}", name, born=born, ago=timedelta(minutes=9 - number)))
        await expect(page.locator("#live-danger")).to_contain_text(name)
        assert await beeps(page) == number + 1
    await expect(page.locator("#danger-list li").first).to_contain_text("Five Example")
    await expect(page.locator("#danger-count")).to_have_text(": 5 children")
    await clean(page)
    colleague = await house.visit(name="Priya Nair")
    await colleague.goto(f"{house.address}/board/matters/child-4")
    await colleague.get_by_role("button", name="Take this").click()
    await expect(page.locator("#danger-count")).to_have_text(": 4 children")
    await expect(page).to_have_title("Immediate danger (4) – Open now – Handover board")
    for one in (page, colleague):
        await one.context.close()


async def test_that_sound_is_off_is_said_plainly(house: House) -> None:
    """Until somebody switches it on, and again once it is switched off."""
    page = await house.visit()
    await expect(page.get_by_text("Danger sound is off.")).to_be_visible()
    await clean(page)
    await page.get_by_role("button", name="Turn danger sound on").click()
    await expect(page.get_by_text("Danger sound is off.")).to_be_hidden()
    await page.get_by_role("button", name="Turn danger sound off").click()
    await expect(page.get_by_text("Danger sound is off.")).to_be_visible()
    await page.context.close()
