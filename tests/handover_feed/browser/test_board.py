"""The board in a real browser: accessible in every state, by keyboard alone, small, large, dark and printed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Locator, Page, expect

from services.bus.envelope import Event
from services.bus.events import MatterChanged
from tests.browser import axe_finds_nothing as clean
from tests.browser import picture
from tests.handover_feed import night
from tests.handover_feed.browser.conftest import House
from tests.handover_feed.cards import card, risks
from tests.handover_feed.conftest import tell

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = ("", "/mine", "/waiting", "/done", "/shift", "/shift/summary")
MATTERS = ("/matters/child-amara", "/matters/child-leila", "/matters/unmatched:7d1f")
FORMS = ("note", *(f"matters/child-tom/{form}" for form in ("note", "decision", "close", "to-day", "lower")))
ONE_OF_EACH = ("", "/shift", "/matters/child-amara")


async def evening(house: House, *more: Event) -> None:
    for event in (*night.evening(), *more):
        await house.fold.hear(event)


async def fits(page: Page) -> bool:
    """Nothing has to be scrolled sideways."""
    width: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width <= 0


async def clean_by_day_and_night(page: Page) -> None:
    """axe finds nothing; of the dark look, which is the same page in other colours, it is asked about the contrast."""
    await clean(page)
    await page.emulate_media(color_scheme="dark")
    await clean(page, ["color-contrast"])
    await page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("paths", [ONE_OF_EACH, pytest.param((*PAGES, *MATTERS), marks=pytest.mark.soak)])
async def test_every_list_and_matter_is_accessible(house: House, paths: tuple[str, ...]) -> None:
    """axe finds nothing, in the light and in the dark."""
    await evening(house, night.danger())
    house.step(timedelta(minutes=4))
    page = await house.visit()
    await picture(page, "board", whole=False)
    for path in paths:
        await page.goto(f"{house.address}/board{path}")
        await expect(page.locator("h1")).to_have_count(1)
        await clean_by_day_and_night(page)
    await page.get_by_role("button", name="Take this").click()
    await expect(page.locator("#told")).to_be_focused()
    await clean_by_day_and_night(page)
    await page.goto(f"{house.address}/board/shift")
    await expect(page.get_by_text("It can be closed from")).to_be_visible()
    await clean_by_day_and_night(page)
    await page.context.close()


@pytest.mark.parametrize(
    "forms", [("matters/child-tom/decision", "matters/child-tom/to-day"), pytest.param(FORMS, marks=pytest.mark.soak)]
)
async def test_every_form_and_its_errors_are_accessible(house: House, forms: tuple[str, ...]) -> None:
    """axe finds nothing; an error takes the focus and stands in the title."""
    await evening(house)
    page = await house.visit()
    for form in forms:
        await page.goto(f"{house.address}/board/{form}")
        await page.locator("main form button").click()
        await expect(page.get_by_role("alert").first).to_be_focused()
        assert (await page.title()).startswith("Error: ")
        await clean_by_day_and_night(page)
    await page.context.close()


async def test_roles_with_pages_of_their_own(house: House) -> None:
    """A manager's measures and an auditor's log are accessible, and neither is open to a worker."""
    await evening(house, night.danger())
    worker = await house.visit()
    await worker.goto(f"{house.address}/board/matters/child-amara")
    await worker.get_by_role("button", name="Take this").click()
    for path in ("measures", "log"):
        await worker.goto(f"{house.address}/board/{path}")
        await expect(worker.get_by_role("heading", level=1)).to_have_text("You cannot see this")
    await clean(worker)
    manager = await house.visit("manager", "Ruth Abara")
    await manager.get_by_role("link", name="Measures").click()
    await expect(manager.get_by_role("heading", level=1)).to_have_text("Measures")
    await clean(manager)
    auditor = await house.visit("auditor", "Ivo Lindqvist")
    await expect(auditor.get_by_role("cell", name="took this")).to_be_visible()
    assert "Amara" not in await auditor.content()
    await clean(auditor)
    for page in (worker, manager, auditor):
        await page.context.close()


async def test_the_question_about_a_conflict(house: House) -> None:
    """H3: nobody is named in banner, list or summary until this worker has answered; then it opens, or never does."""
    risk = risks(immediate_danger=1)
    await tell(
        house.board, card("child-x", declare_no_conflict=True, interrupts=True, risk=risk, waiting_since=night.NOW)
    )
    await tell(house.board, card("child-y", declare_no_conflict=True, waiting_since=night.NOW))
    page = await house.visit()
    for path in PAGES:
        await page.goto(f"{house.address}/board{path}")
        assert "Example" not in await page.content()
    await page.goto(f"{house.address}/board")
    await page.locator("#danger-list a").click()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("alert").first).to_be_focused()
    await clean(page)
    await page.get_by_label("No, I know of no such connection").check()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Ada Example")
    await page.goto(f"{house.address}/board/matters/child-y")
    await page.get_by_label("Yes, or I am not sure").check()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("This is not open to you")
    await clean(page)
    colleague = await house.visit(name="Priya Nair")
    assert "Example" not in await colleague.content()
    for one in (page, colleague):
        await one.context.close()


@pytest.mark.parametrize("zoom", [(320, 640), pytest.param((640, 450), marks=pytest.mark.soak)])
async def test_small_windows_and_large_zoom(house: House, zoom: tuple[int, int]) -> None:
    """320 px wide, and 200 % zoom of a 1280 px window: nothing is cut or scrolled sideways, every target is large."""
    long = "Noah " + "Cholmondeley" * 8
    await evening(house, night.danger(), night.police("child-long", long))
    page = await house.visit(width=zoom[0], height=zoom[1])
    for path in (*PAGES, "/matters/child-amara", "/matters/child-long", "/matters/child-amara/decision"):
        await page.goto(f"{house.address}/board{path}")
        assert await fits(page), path
        small = await page.evaluate(
            """() => [...document.querySelectorAll("button, .button, .places a, .choice input, summary")]
                .filter((one) => one.offsetParent && Math.min(one.offsetHeight, one.offsetWidth) < 24)
                .map((one) => one.outerHTML)"""
        )
        assert small == []
    await page.context.close()


async def test_by_keyboard_alone(house: House) -> None:
    """From the sign-in to a taken matter and a note with Tab, Space, Enter and letters; the focus is always seen."""
    await evening(house)
    page = await house.visit()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    await page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Noah").first
    await to(page, link)
    assert await page.evaluate("getComputedStyle(document.activeElement).backgroundColor") == "rgb(255, 221, 51)"
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/matters/child-noah")
    await to(page, page.get_by_role("button", name="Take this"))
    await page.keyboard.press("Enter")
    await expect(page.locator("#told")).to_contain_text("You have taken this")
    await to(page, page.get_by_role("link", name="Add a note"))
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/note")
    await to(page, page.get_by_label("A note", exact=True))
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.type("His aunt says that he sleeps at a friend's.")
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await to(page, page.get_by_role("button", name="Add the note"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("His aunt says that he sleeps at a friend's.")).to_be_visible()
    await page.context.close()


async def to(page: Page, target: Locator) -> None:
    """Press Tab until it has the focus; nothing that has it on the way is hidden behind what stands at the edges."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        hidden = await page.evaluate(
            """() => { const box = document.activeElement.getBoundingClientRect();
                if (!box.height || document.activeElement.closest(".live, .danger")) return false;
                const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
                return !!at?.closest(".live, .danger"); }"""
        )
        assert not hidden, await page.evaluate("document.activeElement.outerHTML")
        if await target.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError("the focus never came there")


async def test_what_was_typed_is_kept(house: House) -> None:
    """An error leads to its field, which says it too; everything that was typed and chosen is still there."""
    await evening(house)
    page = await house.visit()
    await page.goto(f"{house.address}/board/matters/child-tom/decision")
    await page.get_by_label("Early help", exact=True).check()
    await page.get_by_label("The rationale").fill("Stands with what school says.")
    await page.get_by_role("button", name="Record the decision").click()
    await expect(page.get_by_role("alert").first).to_be_focused()
    await page.get_by_role("link", name="Say what happens next").click()
    field = page.get_by_label("What happens next")
    await expect(field).to_be_focused()
    await expect(field).to_have_accessible_description("Everybody who is told reads this. Error: Say what happens next")
    await expect(page.get_by_label("Early help", exact=True)).to_be_checked()
    await expect(page.get_by_label("The rationale")).to_have_value("Stands with what school says.")
    await page.context.close()


async def test_without_scripts(house: House) -> None:
    """Lists, a matter, an act and its result by links and forms; the page is refreshed by a link, never by itself."""
    await evening(house, night.danger())
    page = await house.visit(scripts=False)
    await expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    await expect(page.get_by_text("Pause")).to_be_hidden()
    await page.get_by_role("button", name="Take Noah").click()
    await expect(page.locator("#told")).to_contain_text("You have taken this")
    await house.fold.hear(night.note("His phone is on again.", child_id="child-noah"))
    await page.get_by_role("link", name="Refresh").click()
    await expect(page.get_by_text("Changed since you opened it")).to_be_visible()
    await expect(page.get_by_text("New since you opened it").first).to_be_visible()
    await page.context.close()


async def test_five_hundred_matters(house: House) -> None:
    """Each stands on one page of the list, worst first; no page grows with their number."""
    many = [_plain(n) for n in range(500)]
    await tell(house.board, *many)
    page = await house.visit()
    assert len(await page.content()) < 250_000
    found = []
    for number in range(1, 11):
        await page.goto(f"{house.address}/board?page={number}")
        found += await page.evaluate("[...document.querySelectorAll('[data-matter]')].map((one) => one.dataset.matter)")
    assert found == [one.matter_id for one in sorted(many, key=lambda one: (-one.risk[1].rank, one.waiting_since))]
    await page.context.close()


def _plain(n: int) -> MatterChanged:
    return card(f"child-{n}", risk=risks(grading=n % 3 + 1), waiting_since=night.NOW - timedelta(minutes=n + 1))


async def test_printed(house: House) -> None:
    """The shift's summary on paper: who printed it, no button, no banner, what happened to each matter."""
    await evening(house)
    house.step(timedelta(minutes=5))
    page = await house.visit()
    await page.goto(f"{house.address}/board/shift/summary")
    await page.emulate_media(media="print")
    await expect(page.get_by_text("Printed by Sam Okafor")).to_be_visible()
    await expect(page.get_by_role("heading", name="Tom Whitfield")).to_be_visible()
    for hidden in ("#live", ".places", ".header"):
        await expect(page.locator(hidden)).to_be_hidden()
    await picture(page, "shift-summary")
    await page.context.close()
