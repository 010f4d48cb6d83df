"""A whole night from handover to handback, in two browsers at once: nothing is lost, and each side sees the other."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.browser import axe_finds_nothing as clean
from tests.handover_feed import night
from tests.handover_feed.browser.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONDON = ZoneInfo("Europe/London")


async def decide(page: Page) -> None:
    """An outcome with both rationales (H5)."""
    await page.get_by_role("link", name="Record a decision").click()
    await page.get_by_label("Early help", exact=True).check()
    await page.get_by_label("Level 3: targeted help").check()
    await page.locator("[name=family_told][value=TOLD]").check()
    await page.locator("[name=closes][value=yes]").check()
    await page.get_by_label("The rationale").fill("Seen at home, asleep, with food and his grandmother.")
    await page.get_by_label("What happens next").fill("A family support worker calls this week.")
    for reader in ("Schools and nurseries", "GP practice", "Social care elsewhere", "if a professional"):
        await page.get_by_label(reader).fill("The family takes up early help.")
    await page.get_by_label("It is closed").check()
    await page.get_by_role("button", name="Record the decision").click()


async def test_from_handover_to_handback(house: House) -> None:
    """The day hands over with a note; danger is taken, one matter decided, the rest handed back; the shift closes only
    then, and in the morning the day team sees what the night did."""
    at = house.board.clock
    at.step(datetime(2026, 11, 23, 16, 50, tzinfo=LONDON))
    day = await house.visit("worker-day", "Grace Adeyemi")
    await house.fold.hear(night.contact("child-tom"))
    await house.fold.hear(night.police("child-noah", "Noah Fernsby", timedelta(minutes=30), born="2010-01-05"))
    await day.goto(f"{house.address}/board/matters/child-noah/to-night")
    await day.get_by_label("What should the night team do").fill("Ring his aunt at nine; he is due home then.")
    await day.get_by_role("button", name="Hand to the night team").click()
    await expect(day.locator("#told")).to_contain_text("Handed to the night team")

    at.step(datetime(2026, 11, 23, 17, 5, tzinfo=LONDON))
    worker = await house.visit()
    await expect(worker.get_by_role("link", name="Noah Fernsby")).to_be_visible()
    await worker.get_by_role("link", name="Noah Fernsby").click()
    await expect(worker.locator(".acts")).to_contain_text("Ring his aunt at nine")
    await worker.goto(f"{house.address}/board/waiting")
    await worker.get_by_role("link", name="child-tom").or_(worker.locator("[data-matter=child-tom] a").first).click()
    await expect(worker.locator("#card")).to_contain_text("By tomorrow at 08:30 it will have waited")

    at.step(datetime(2026, 11, 23, 23, 40, tzinfo=LONDON))
    worker = await again(house, worker)
    await house.fold.hear(night.danger())
    await expect(worker.locator("#danger")).to_contain_text("Amara Okonkwo")
    await worker.locator("#danger-list a").first.click()
    await worker.get_by_role("button", name="Take this").click()
    await expect(worker.locator("#told")).to_contain_text("You have taken this")
    await decide(worker)
    await expect(worker.locator("#told")).to_contain_text("The decision is recorded")

    at.step(datetime(2026, 11, 24, 8, 20, tzinfo=LONDON))
    worker = await again(house, worker)
    await worker.goto(f"{house.address}/board/shift")
    await expect(worker.locator("#left")).to_contain_text("Still open: 1")
    await worker.get_by_role("button", name="Close the shift").click()
    await expect(worker.get_by_role("alert").first).to_contain_text("Noah Fernsby: still open")
    await clean(worker)
    await worker.get_by_label("Why can it wait").fill("Home and asleep; ring school in the morning.")
    await worker.get_by_role("button", name="Hand to the day team").click()
    await expect(worker.locator("#told")).to_contain_text("Handed to the day team")
    await expect(worker.locator("#left")).to_contain_text("Nothing is left open")
    await worker.get_by_role("button", name="Close the shift").click()
    await expect(worker.get_by_role("heading", level=1)).to_have_text("Shift summary")
    await expect(worker.locator("main")).to_contain_text("Closed.")

    at.step(datetime(2026, 11, 24, 8, 40, tzinfo=LONDON))
    day = await again(house, day, "worker-day", "Grace Adeyemi")
    await expect(day.get_by_role("link", name="Noah Fernsby")).to_be_visible()
    await day.goto(f"{house.address}/board/shift/summary?before=1")
    summary = day.locator("main")
    for said in ("Home and asleep; ring school in the morning.", "Sam Okafor, out-of-hours social worker took this",
                 "Seen at home, asleep", "Early help"):  # fmt: skip
        await expect(summary).to_contain_text(said)
    await clean(day)
    for one in (worker, day):
        await one.context.close()


async def again(house: House, page: Page, role: str = "worker-night", name: str = "Sam Okafor") -> Page:
    """The session was not used for hours: they sign in again."""
    await page.context.close()
    return await house.visit(role, name)
