"""The board as it changes, in two browsers at once: danger interrupts, nothing else does, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser import axe_finds_nothing as clean
from tests.handover_feed import night
from tests.handover_feed.browser.conftest import House
from tests.handover_feed.cards import card
from tests.handover_feed.conftest import tell

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def is_live(page: Page) -> None:
    await expect(page.locator("#live-state")).to_contain_text("Live.")


async def begin(house: House, **window: Any) -> Page:
    for event in night.evening():
        if "Jo" not in str(event):
            await house.fold.hear(event)
    page = await house.visit(**window)
    await is_live(page)
    return page


async def test_immediate_danger_interrupts(house: House) -> None:
    """H7: banner, title, an alert that is read out and, once allowed, sound; focus and place stay; pause holds nothing
    of it back. Taken, it interrupts no more, at once and without a reload."""
    page = await begin(house)
    await page.get_by_role("button", name="Turn danger sound on").click()
    await page.get_by_role("button", name="Pause").click()
    link = page.get_by_role("link", name="Tom Whitfield")
    await link.focus()
    before = await link.evaluate("(one) => one.getBoundingClientRect().top")
    beeps = int(await page.locator("#live").get_attribute("data-beeps") or 0)
    await house.fold.hear(night.danger())
    await expect(page.locator("#danger")).to_contain_text("Amara Okonkwo")
    await expect(page.locator("#danger")).to_contain_text("not a substitute for 999")
    await expect(page.locator("#live-danger")).to_contain_text("Immediate danger. Amara Okonkwo")
    await expect(page).to_have_title("Immediate danger (1) – Open now – Handover board")
    await expect(page.locator("#live")).to_have_attribute("data-beeps", str(beeps + 1))
    await expect(link).to_be_focused()
    if await page.evaluate("scrollY"):
        assert abs(await link.evaluate("(one) => one.getBoundingClientRect().top") - before) <= 1
    await clean(page)
    colleague = await house.visit(name="Priya Nair")
    await colleague.get_by_role("button", name="Take Amara").click()
    await expect(colleague.locator("#told")).to_contain_text("You have taken this")
    await expect(page.locator("#danger")).to_contain_text("It no longer waits")
    await expect(page).to_have_title("Open now – Handover board")
    await expect(page.locator("#danger")).to_be_visible()
    await page.locator("#live-refresh").click()
    await expect(page.locator("#danger")).to_be_hidden()
    for one in (page, colleague):
        await one.context.close()


async def test_danger_scrolls_nothing_away(house: House) -> None:
    """Whoever reads further down goes on reading the same line; the banner stands at the window's edge."""
    page = await begin(house, height=700)
    link = page.get_by_role("link", name="Tom Whitfield")
    await link.scroll_into_view_if_needed()
    await page.evaluate("scrollBy(0, 150)")
    before = await link.evaluate("(one) => one.getBoundingClientRect().top")
    await house.fold.hear(night.danger())
    await expect(page.locator("#danger")).to_be_in_viewport()
    await page.wait_for_timeout(200)
    assert abs(await link.evaluate("(one) => one.getBoundingClientRect().top") - before) <= 1
    await page.context.close()


async def test_everything_else_waits_until_it_is_asked_for(house: House) -> None:
    """`2 new`, told politely; nothing moves; shown on request with place and focus kept; paused, it is not counted."""
    page = await begin(house)
    before = await page.locator("#lists").inner_html()
    await page.get_by_role("link", name="Tom Whitfield").focus()
    await house.fold.hear(night.police("child-ben", "Ben Ashworth"))
    await house.fold.hear(night.police("child-mia", "Mia Kowalska", grading="RED"))
    await expect(page.get_by_role("link", name="2 new: show")).to_be_visible()
    await expect(page.locator("#live-count")).to_have_text("2 new on the board.")
    assert await page.locator("#lists").inner_html() == before
    await expect(page.get_by_role("link", name="Tom Whitfield")).to_be_focused()
    await clean(page)
    await page.get_by_role("link", name="2 new: show").click()
    await expect(page.get_by_role("link", name="Mia Kowalska")).to_be_visible()
    await expect(page.get_by_role("link", name="Refresh")).to_be_focused()
    await page.get_by_role("button", name="Pause").click()
    await house.fold.hear(night.police("child-zoe", "Zoe Petrov"))
    await expect(page.locator("#live-state")).to_contain_text("Paused")
    await page.wait_for_timeout(300)
    await expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("link", name="1 new: show")).to_be_visible()
    await page.context.close()


async def test_two_take_one_matter(house: House) -> None:
    """One has it; the other is told who, since when, and both pages agree."""
    first, second = await begin(house), await house.visit(name="Priya Nair")
    await first.get_by_role("button", name="Take Noah").click()
    await second.get_by_role("button", name="Take Noah").click()
    await expect(first.locator("#told")).to_contain_text("You have taken this")
    await expect(second.locator("#told")).to_contain_text("This was not done")
    await expect(second.locator("#told")).to_contain_text(
        "Sam Okafor, out-of-hours social worker, has had it since 03:05"
    )
    await clean(second)
    await expect(second.locator("#card .caption")).to_contain_text("Taken by Sam Okafor")
    for one in (first, second):
        await one.context.close()


async def test_a_form_sent_twice_is_one_act(house: House) -> None:
    """By a double click, or by loading again what came of it."""
    page = await begin(house)
    await page.goto(f"{house.address}/board/matters/child-tom/note")
    await page.get_by_label("A note", exact=True).check()
    await page.get_by_label("The note").fill("Grandmother is there.")
    await page.get_by_label("The day team").check()
    await page.get_by_role("button", name="Add the note").dblclick()
    await expect(page.locator("#told")).to_contain_text("Your note is on the board")
    await page.reload()
    await expect(page.locator(".facts").get_by_text("Grandmother is there.")).to_have_count(1)
    await page.context.close()


async def test_what_came_while_somebody_wrote(house: House) -> None:
    """The form says so, sends nothing, keeps what was typed, and marks what is new; sent again, it is done."""
    page = await begin(house)
    await page.goto(f"{house.address}/board/matters/child-tom/to-day")
    await is_live(page)
    await page.get_by_label("Why can it wait").fill("He is asleep at his grandmother's.")
    await house.fold.hear(night.police("child-tom", "Tom Whitfield", timedelta(minutes=1), grading="RED"))
    await expect(page.locator("#live-state")).to_contain_text("This has changed since you opened it")
    await page.get_by_role("button", name="Hand to the day team").click()
    await expect(page.get_by_role("alert").first).to_contain_text("Something new came in")
    await expect(page.locator("#addressed")).to_contain_text("New since you opened it")
    await expect(page.get_by_label("Why can it wait")).to_have_value("He is asleep at his grandmother's.")
    await page.get_by_role("button", name="Hand to the day team").click()
    await expect(page.locator("#told")).to_contain_text("Handed to the day team")
    await page.context.close()


async def test_an_open_matter_changes(house: House) -> None:
    """It is said, and shown on request with what is new marked, while what can be done is about all of it."""
    page = await begin(house)
    await page.get_by_role("link", name="Tom Whitfield").click()
    await is_live(page)
    await house.fold.hear(night.police("child-tom", "Tom Whitfield", timedelta(minutes=1), grading="RED"))
    await page.get_by_role("link", name="Changed since you opened it: show").click()
    await expect(page.locator(".facts").get_by_text("New since you opened it").first).to_be_visible()
    await clean(page)
    await page.get_by_role("button", name="Take this").click()
    await expect(page.locator("#told")).to_contain_text("You have taken this")
    assert "1 " not in (await page.locator("#danger-count").inner_text())
    await page.context.close()


async def test_a_lost_connection_and_a_restart(house: House) -> None:
    """It is said plainly, with the age of what is shown; once the server is back, what was missed is there, danger with
    it, without a reload."""
    page = await begin(house)
    await page.evaluate("window.kept = true")
    await house.stop()
    await expect(page.locator("#live-state")).to_contain_text("Connection lost. What you see is", timeout=20_000)
    await expect(page.locator("#live-count")).to_have_text("Connection lost.")
    await clean(page)
    await tell(house.board, card("child-while-away"))
    await house.fold.hear(night.danger())
    await house.start()
    await expect(page.locator("#danger")).to_contain_text("Amara Okonkwo", timeout=20_000)
    await is_live(page)
    await expect(page.get_by_role("link", name="2 new: show")).to_be_visible()
    assert await page.evaluate("window.kept")
    await page.context.close()


async def test_kafka_away(house: House) -> None:
    """An act that may not be recorded says so and keeps what was typed; sent again, it is one act."""
    page = await begin(house)
    house.fold.away = True
    await page.goto(f"{house.address}/board/matters/child-tom/to-day")
    await page.get_by_label("Why can it wait").fill("He is asleep.")
    await page.get_by_role("button", name="Hand to the day team").click()
    await expect(page.get_by_role("alert").first).to_contain_text("It is not certain that this was recorded")
    await clean(page)
    house.fold.away = False
    await expect(page.get_by_label("Why can it wait")).to_have_value("He is asleep.")
    await page.get_by_role("button", name="Hand to the day team").click()
    await expect(page.locator("#told")).to_contain_text("Handed to the day team")
    await page.goto(f"{house.address}/board")
    house.fold.away = True
    await page.get_by_role("button", name="Take Noah").click()
    await expect(page.get_by_role("alert").first).to_contain_text("It is not certain that this was recorded")
    house.fold.away = False
    await page.get_by_role("button", name="Take").click()
    await expect(page.locator("#told")).to_contain_text("You have taken this")
    await page.context.close()


@pytest.mark.soak
async def test_many_tabs(house: House) -> None:
    """A browser opens six connections to one address: of the tabs that nobody looks at one listens, and the others
    catch up once somebody looks at them again."""
    page = await begin(house)
    tabs = [page]
    for _ in range(7):
        await unseen(tabs[-1], True)
        tabs.append(await page.context.new_page())
        await tabs[-1].goto(f"{house.address}/board")
        await is_live(tabs[-1])
        await tabs[-1].wait_for_timeout(1_200)  # a tab that nobody looks at stops listening after a second
    await house.fold.hear(night.danger())
    await expect(tabs[-1].locator("#danger")).to_contain_text("Amara Okonkwo")
    heard = [await tab.locator("#danger").is_visible() for tab in tabs]
    assert (sum(heard), heard[0]) == (2, True)
    await unseen(tabs[3], False)
    await expect(tabs[3].locator("#danger")).to_contain_text("Amara Okonkwo")
    await page.context.close()


async def unseen(page: Page, hidden: bool) -> None:
    """What the browser says when somebody looks at another tab."""
    await page.evaluate(
        """(hidden) => { Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange")); }""",
        hidden,
    )
