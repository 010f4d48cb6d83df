"""In a real browser: a page that nobody attends asks first, then shows nothing; and what a locked one still says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page, expect

from services.bus.http import QuietServer
from tests.browser import axe_finds_nothing, browser, chromium
from tests.people.conftest import NOW
from tests.people.sites import SECRET, Place

__all__ = ["browser", "chromium"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def address(one: Place) -> AsyncIterator[str]:
    """Where the site listens."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = QuietServer(uvicorn.Config(one.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await asyncio.wait_for(task, 5)


@pytest_asyncio.fixture(loop_scope="module")
async def window(browser: Browser, one: Place, address: str) -> AsyncIterator[Page]:
    """A window whose clock a test moves on, in which Ada has an entry open."""
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(10_000)
    await page.clock.install(time=NOW)
    await enter(one, page, address, await one.name_one("Ada"))
    yield page
    await context.close()


async def enter(place: Place, page: Page, address: str, person_id: str) -> None:
    """Sign in, and open an entry."""
    await page.goto(address + await place.link_for(person_id))
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{address}/")
    await page.goto(f"{address}/entries/7")
    await expect(page.get_by_role("heading", name=SECRET)).to_be_visible()


async def later(place: Place, page: Page, **long: float) -> None:
    """So long after the beginning, for both."""
    passed = NOW + timedelta(**long) - place.clock.now()
    place.clock.step(NOW + timedelta(**long))
    await page.clock.fast_forward(int(passed / timedelta(milliseconds=1)))


async def test_it_asks_first_and_a_key_is_an_answer(one: Place, window: Page) -> None:
    """Two minutes before, without taking the focus; whoever presses a key stays where they are, for the whole time."""
    asked = window.get_by_role("region", name="Are you still there?")
    await later(one, window, minutes=12)
    await expect(asked).to_have_count(0)
    await later(one, window, minutes=13, seconds=30)
    await expect(asked).to_be_visible()
    assert await window.evaluate("document.activeElement === document.body")
    await axe_finds_nothing(window)
    async with window.expect_response(lambda answer: answer.request.method == "POST") as told:
        await window.keyboard.press("Shift")
    assert (await (await told.value).json())["seconds"] == 900
    await expect(asked).to_have_count(0)
    await expect(window.get_by_role("heading", name=SECRET)).to_be_visible()


async def test_nobody_there_covers_it(one: Place, window: Page) -> None:
    """Nothing of a child is left in the window, back included; the page says who holds what is held."""
    one.holding["id-ada"] = ["7"]
    await later(one, window, minutes=16)
    await window.wait_for_url("**/locked?entry=7")
    await expect(window.get_by_role("heading", name="Are you still there, Ada?")).to_be_visible()
    await axe_finds_nothing(window)
    await window.go_back()
    await expect(window.get_by_text(SECRET)).to_have_count(0)


async def test_it_is_covered_though_the_site_is_away(one: Place, window: Page) -> None:
    """What cannot be asked is not shown; as soon as it can be asked, the locked page comes."""
    await window.route("**/still-there", lambda route: route.abort())
    await later(one, window, minutes=16)
    await expect(window.get_by_text("This page is covered")).to_be_visible()
    await expect(window.get_by_text(SECRET)).to_have_count(0)
    await window.unroute("**/still-there")
    await window.clock.run_for(3_000)
    await window.wait_for_url("**/locked?entry=7")


async def test_another_window_in_use_keeps_this_one(one: Place, window: Page, address: str) -> None:
    """They share a session: what is used in one is asked for in the other before it is covered."""
    other = await window.context.new_page()
    await window.evaluate("document.body.dataset.typed = 'half a sentence'")
    await later(one, window, minutes=10)
    await other.goto(f"{address}/entries/8")
    await later(one, window, minutes=16)
    async with window.expect_response("**/still-there"):
        await window.clock.run_for(61_000)
    await expect(window.get_by_role("heading", name=SECRET)).to_be_visible()
    assert await window.evaluate("document.body.dataset.typed"), "the page was loaded again"


async def test_h7_danger_interrupts_at_a_locked_page(one: Place, window: Page, address: str) -> None:
    """H7: in the title and aloud to a screen reader, as a number; signed in again, the entry comes back by itself."""
    await later(one, window, minutes=16)
    await window.wait_for_url("**/locked?entry=7")
    one.in_danger = 2
    await window.clock.run_for(6_000)
    said = window.get_by_role("alert")
    await expect(said).to_contain_text("Immediate danger: 2 matters that nobody has taken.")
    await expect(window).to_have_title("Immediate danger (2) – Are you still there? – Test site")
    await axe_finds_nothing(window)
    one.in_danger = 0
    await window.clock.run_for(6_000)
    await expect(said).to_be_empty()
    other = await window.context.new_page()
    await enter(one, other, address, "id-ada")
    await window.clock.run_for(6_000)
    await window.wait_for_url("**/entries/7")


async def test_without_a_script_the_browser_leaves_by_itself(one: Place, browser: Browser, address: str) -> None:
    """Once the time is over it goes to the locked page, and nothing is left of the other."""
    one.minutes = 0.02
    context = await browser.new_context(java_script_enabled=False)
    plain = await context.new_page()
    plain.set_default_timeout(10_000)
    await enter(one, plain, address, await one.name_one("Ben"))
    one.clock.step(NOW + timedelta(minutes=1))
    await plain.wait_for_url("**/locked?entry=7")
    assert SECRET not in await plain.content()
    await context.close()
