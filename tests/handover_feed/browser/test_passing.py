"""What is not open to a worker, who a child is, many children of one incident, and what was typed before a lock."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.async_api import expect

from tests.browser import axe_finds_nothing as clean
from tests.browser import picture
from tests.handover_feed import night
from tests.handover_feed.browser.conftest import House
from tests.handover_feed.browser.test_board import fits
from tests.handover_feed.cards import card
from tests.handover_feed.conftest import tell
from tests.handover_feed.test_lists import of_school
from tests.handover_feed.test_pages_passing import ADULT, UNMATCHED, asked

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_each_is_accessible_by_keyboard_and_small(house: House) -> None:
    """axe finds nothing, nothing is scrolled sideways at 320 px but the evidence within its own frame."""
    await house.fold.hear(night.police("child-x", "Ada Example", adults_of_concern=[ADULT]))
    await tell(house.board, asked(), *(of_school(n, interrupts=n < 5) for n in range(10)), card("child-other"))  # type: ignore[arg-type]
    page = await house.visit()
    await page.goto(f"{house.address}/board/matters/child-x")
    await page.get_by_label("Yes, or I am not sure").check()
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("button", name="Ask the on-call manager now").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#told")).to_be_focused()
    await expect(page.locator("#told")).to_contain_text("The on-call manager is asked")
    for name, path in (("barred", "matters/child-x"), ("match", f"matters/{UNMATCHED}/match"), ("bundle", "")):
        await page.set_viewport_size({"width": 320, "height": 700})
        await page.goto(f"{house.address}/board/{path}")
        assert await fits(page), name
        await page.set_viewport_size({"width": 1100, "height": 900})
        await clean(page)
        await picture(page, f"board-{name}")
    await expect(page.get_by_text("And 4 more of the same incident, 4 in immediate danger")).to_be_visible()
    folded = page.get_by_text("And 4 more of the same incident", exact=True)
    inside = page.locator("[data-matter=child-008]")
    await expect(inside).to_be_hidden()
    await folded.focus()
    await page.keyboard.press("Enter")
    await expect(inside).to_be_visible()
    await page.context.close()


async def test_what_is_typed_is_there_again_after_a_lock(house: House) -> None:
    """The script keeps it as it is typed; the browser keeps nothing."""
    await house.fold.hear(night.police("child-tom", "Tom Whitfield"))
    page = await house.visit()
    await page.goto(f"{house.address}/board/matters/child-tom/close")
    async with page.expect_response("**/board/draft") as kept:
        await page.get_by_label("Why is nothing more to be done?").press_sequentially("The grandmother")
    assert (await kept.value).status == 204
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    house.step(timedelta(minutes=1))
    await page.goto(f"{house.address}/board/matters/child-tom")
    await page.get_by_role("link", name="Close without a decision").first.click()
    await expect(page.get_by_label("Why is nothing more to be done?")).to_have_value("The grandmother")
    await clean(page)
    await page.context.close()


async def test_what_is_typed_for_one_matter_stays_while_another_is_handed_on(house: House) -> None:
    """At the end of a shift, however quickly one goes from one to the other; so does what was ticked."""
    house.step(timedelta(hours=5))
    page = await house.visit()
    for child_id, name in (
        ("child-tom", "Tom Whitfield"),
        ("child-mia", "Mia Kowalska"),
        ("child-ben", "Ben Ashworth"),
    ):
        await house.fold.hear(night.police(child_id, name))
    await page.goto(f"{house.address}/board/matters/child-ben")
    await page.get_by_role("button", name="Take this").click()
    await page.goto(f"{house.address}/board/shift")
    await page.get_by_label("It stays").check()
    await page.get_by_label("day team do? Mia").fill("Ring her aunt.")
    await page.get_by_label("day team do? Tom").fill("Asleep at home.")
    await page.get_by_role("button", name=re.compile("Hand to the day team.*Tom")).click()
    await expect(page.locator("#told")).to_contain_text("Handed to the day team")
    await expect(page.get_by_label("day team do? Mia")).to_have_value("Ring her aunt.")
    await expect(page.get_by_label("It stays")).to_be_checked()
    await page.get_by_role("button", name=re.compile("Hand to the day team.*Mia")).click()
    await page.get_by_role("button", name="Close the shift").click()
    await expect(page.locator("main")).to_contain_text("Closed.")
    await page.context.close()
