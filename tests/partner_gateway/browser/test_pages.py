"""The pages in a real browser, with scripts off: accessible, by keyboard alone, on a small phone, large, printed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from services.bus.clock import Clock
from tests.partner_gateway import people
from tests.partner_gateway.browser.conftest import Clean, House, picture
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.people import MASH, NOW, PRACTICE

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_page_of_a_school(house: House, clean: Clean) -> None:
    """Sign-in, list, alert, read, acted on, finished, signed out: each accessible, each with a heading and a title."""
    waiting: list[Any] = [
        people.alert(due_in=timedelta(hours=-16)),
        people.alert(),
        people.minutes(),
        people.outcome(due_in=None),
        people.request(),
        people.outcome(due_in=timedelta(days=1)),
    ]
    await tell(house.gateway, *waiting)
    await tell(house.gateway, people.done(waiting[5]))
    page = await house.visit()
    await clean(page)
    await picture(page, "list")
    for number in (2, 3, 4, 5):  # one of each type
        await page.goto(f"{house.address}/inbox/{number}")
        await expect(page.locator("h1")).to_have_count(1)
        await clean(page)
    await page.goto(f"{house.address}/inbox/2")
    await picture(page, "alert")
    await page.get_by_role("button", name="I have read this").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Recorded as read")
    await clean(page)
    await page.get_by_role("link", name="Open number 2 again").click()
    await page.get_by_role("button", name="I have acted on this").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Recorded as acted on")
    await tell(house.gateway, people.done(waiting[1], "ACTED"))
    await page.get_by_role("link", name="Go to what is waiting").click()
    await page.get_by_role("link", name="See what is finished").click()
    await expect(page.get_by_role("link", name="Domestic abuse alert, number 2")).to_be_visible()
    await clean(page)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    await clean(page)
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to the safeguarding inbox")
    await page.context.close()


async def test_the_question_about_a_conflict(house: House, clean: Clean) -> None:
    """H3: asked first; unanswered, the error takes the focus and leads to the answers; then it opens, or never does."""
    school = "school:990001"
    secret = people.alert(school, declare_no_conflict=True, location_confidential=True)
    await tell(house.gateway, secret, people.alert(school, declare_no_conflict=True))
    page = await house.visit(school)
    await page.get_by_role("link", name="Domestic abuse alert, number 1").click()
    await picture(page, "conflict")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await expect(page).to_have_title("Error: Before you open number 1 – Safeguarding inbox")
    await clean(page)
    await page.get_by_role("link", name="Choose whether").click()
    await expect(page.locator("#no-conflict")).to_be_focused()
    await page.get_by_label("No, I know of no such connection").check()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text("Where this child lives or stays is secret")).to_be_visible()
    await clean(page)
    await page.goto(f"{house.address}/inbox/2")
    await page.get_by_label("Yes, or I am not sure").check()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("This is not open to you")
    await clean(page)
    await page.context.close()


async def test_a_health_record_and_its_error(house: House, clean: Clean) -> None:
    """H11: the confirmation is asked for where it belongs, and the error is told at the top and at the box."""
    await tell(house.gateway, people.record())
    page = await house.visit(PRACTICE)
    await page.goto(f"{house.address}/inbox/1")
    await page.get_by_role("button", name="I have acted on this").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await expect(page.get_by_role("checkbox")).to_have_accessible_description("Error: " + "Confirm that the record is "
        "hidden from online access, or hide it first")  # fmt: skip
    await clean(page)
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="I have acted on this").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Recorded as acted on")
    await page.context.close()


async def test_the_front_doors_pages(house: House, clean: Clean) -> None:
    """H7, H8: danger stands first and apart; so does who must not collect the child."""
    await tell(house.gateway, people.missed(), people.notified())
    page = await house.visit(MASH)
    await expect(page.get_by_role("heading", level=2).first).to_have_text("A child is or may be in danger now")
    await clean(page)
    for number in (1, 2):
        await page.goto(f"{house.address}/inbox/{number}")
        await clean(page)
    await picture(page, "police-notification")
    await page.context.close()


@pytest.mark.soak
async def test_errors_and_the_way_in(house: House, clean: Clean) -> None:
    """Each error is a page in plain words, as accessible as the others, with a way on."""
    page = await house.window()
    for path in ("/sign-in", "/sign-in?ended=yes", "/sign-in/start"):
        await page.goto(house.address + path)
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        await clean(page)
    await page.context.close()
    page = await house.visit("school:990002")
    await clean(page)
    await page.goto(f"{house.address}/inbox/99")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    await clean(page)
    await page.context.close()


async def test_by_keyboard_alone(house: House) -> None:
    """From the list to `read` with Tab and Enter: the skip link comes first, and the focus can be seen."""
    school = "school:990003"
    await tell(house.gateway, people.alert(school))
    page = await house.visit(school)
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to main content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Domestic abuse alert, number 1")
    await expect(link).to_be_focused()
    await expect(link).to_have_css("background-color", "rgb(255, 221, 51)")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/inbox/1")
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await page.get_by_role("button", name="I have read this").and_(page.locator(":focus")).count():
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Recorded as read")
    await page.context.close()


async def test_on_a_small_phone_and_at_double_size(house: House, clean: Clean) -> None:
    """WCAG 1.4.10, 1.4.4, 2.5.8: 320 px wide nothing is cut or needs sideways scrolling; what is touched is large."""
    school = "school:990004"
    asks = people.alert(school, declare_no_conflict=True)
    long = people.outcome(school).model_copy(update={"reason": "Llanfairpwllgwyngyll" * 6})
    await tell(house.gateway, people.alert(school, due_in=timedelta(hours=-1)), long, people.minutes(school), asks)
    page = await house.visit(school, 320, 640)
    for path in ("/inbox", "/inbox/1", "/inbox/2", "/inbox/3", "/inbox/4", "/inbox/99", "/inbox/finished"):
        await page.goto(house.address + path)
        for width in (320, 550):  # a window of 1100 px at 200 %
            await page.set_viewport_size({"width": width, "height": 640})
            boxes = await page.locator("body *:visible").evaluate_all(
                "all => all.filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && "
                "!e.closest('.hidden, .skip-link')).map(e => e.outerHTML.slice(0, 80))"
            )
            assert boxes == [], f"{path} at {width} px"
        for button in await page.locator("button:visible, input:visible").all():
            box = await button.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 24
    await clean(page)
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.goto(f"{house.address}/inbox/1")
    await picture(page, "phone")
    await page.context.close()


async def test_printed(house: House) -> None:
    """On paper: the content, who printed it and when, and why it was sent; no buttons, no menus."""
    school = "school:990005"
    await tell(house.gateway, people.alert(school))
    page = await house.visit(school)
    await page.goto(f"{house.address}/inbox/1")
    await page.emulate_media(media="print")
    await expect(page.get_by_text("Printed by Ines Okafor on Monday 23 November 2026 at 7:30am")).to_be_visible()
    await expect(page.get_by_text("Maya Hartley-Osei")).to_be_visible()
    await expect(page.get_by_text("Domestic Abuse Act 2021, section 49A")).to_be_visible()
    for gone in ("I have read this", "I have acted on this", "Sign out"):
        await expect(page.get_by_role("button", name=gone)).to_have_count(0)
    await picture(page, "printed")
    await page.context.close()


async def test_left_alone_it_is_closed(house: House) -> None:
    """A screen left open shows nothing more after the session: the next step is the sign-in page, which says why."""
    school = "school:990006"
    await tell(house.gateway, people.alert(school))
    page = await house.visit(school)
    await page.goto(f"{house.address}/inbox/1")
    clock = Clock(house.gateway.settings.clock_file)
    clock.step(NOW + timedelta(minutes=16))
    try:
        await page.get_by_role("button", name="I have read this").click()
        await expect(page.get_by_text("You have been signed out")).to_be_visible()
    finally:
        clock.step(NOW)
    await page.context.close()
