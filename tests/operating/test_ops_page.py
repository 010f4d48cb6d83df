"""The operators' page over HTTP and in a real browser: accessible, by keyboard, small, dark, live, without scripts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.lag_monitor.ops.desk import Desk
from services.lag_monitor.ops.serve import application, open_ops, where
from services.web.serving import Place, listen, serving
from tests.browser import WCAG, axe_finds_nothing, browser, chromium, picture
from tests.operating import desks

__all__ = ["browser", "chromium"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDTHS = {"wide": (1200, 900), "small": (320, 640)}


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[str]:
    """The page of a desk that nobody looks for any more."""
    place = Place("the operators' page", "OPS", "127.0.0.1", 0, None, None, None, desk.settings.data_dir / "ops.json")

    async def close() -> None: ...

    async with serving(application(desk), listen(place), place, close) as address:
        yield address


@asynccontextmanager
async def called(desk: Desk, host: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(desk))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        yield client


async def window(browser: Browser, size: str = "wide", *, dark: bool = False, scripts: bool = True) -> Page:
    width, height = WIDTHS[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
        locale="en-GB",
    )
    context.set_default_timeout(10_000)
    return await context.new_page()


async def test_it_answers_this_machine_alone(tmp_path: Path) -> None:
    """A site that a browser here visits cannot read it under a name of its own; the page says who may see it."""
    desk = desks.well(tmp_path)
    async with called(desk) as client:
        page = await client.get("/ops")
        assert page.status_code == 200
        assert "only somebody on this machine can open it" in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert (await client.get("/")).headers["Location"] == "/ops"
        assert (await client.get("/nothing")).status_code == 404
        assert (await client.post("/ops")).status_code == 405
    async with called(desk, "evil.example") as client:
        assert (await client.get("/ops")).status_code == 400
    desk.settings = Settings(data_dir=tmp_path, ops_host="0.0.0.0")
    async with called(desk, "ops.internal") as client:
        assert "let a network or a proxy keep others out" in (await client.get("/ops")).text


async def test_prometheus_finds_every_process(tmp_path: Path) -> None:
    """What docker/prometheus/native.yml asks for: addresses, and the labels that rules count on."""
    desk = desks.quiet(tmp_path)
    desk.settings = Settings(data_dir=tmp_path, ops_targets="deadlines=http://127.0.0.1:4711")
    async with called(desk) as client:
        found = (await client.get("/ops/targets")).json()
    assert found == [{"targets": ["127.0.0.1:4711"], "labels": {"job": "safebus", "process": "deadlines"}}]


async def test_numbers_stand_there_as_text(tmp_path: Path) -> None:
    """Lag, rates, latencies, health, dead letters, probe, recipients, disk: all of it without a script or a picture."""
    async with called(desks.ill(tmp_path)) as client:
        text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", (await client.get("/ops")).text))
    for said in ("things need somebody", "mash-outcomes", "stalled, for 7 min", "2,400 events", "Events heard",
                 "Time: median, p95, p99", "in the last hour", "webhook fails, for", "school:110312", "invalid",
                 "Last answer", "9 GiB free of 200 GiB", "Started again", "Streams open"):  # fmt: skip
        assert said in text, said
    assert text.count("practice:") == 12
    assert "7 others have something unread" in text


async def test_its_address_is_written_down_and_a_taken_port_told(tmp_path: Path) -> None:
    """For `safebus status`; and one sentence with what to do where it cannot listen."""
    at = Settings(data_dir=tmp_path, ops_port=0)
    async with open_ops(at, desks.Seen()) as address:
        assert where(at) == address
        async with httpx.AsyncClient() as client:
            assert "Looking for the first time" in (await client.get(f"{address}/ops")).text or "All is well"
        port = int(address.rpartition(":")[2])
        with pytest.raises(UserMistake, match=r"SAFEBUS_OPS_PORT"):
            async with open_ops(Settings(data_dir=tmp_path, ops_port=port), desks.Seen()):
                pass
    assert where(at) is None


@pytest.mark.parametrize("made", [desks.quiet, desks.well, desks.ill], ids=lambda made: made.__name__)
async def test_it_is_accessible_on_every_screen(browser: Browser, tmp_path: Path, made: Callable[[Path], Desk]) -> None:
    """axe finds nothing; where most is shown, also at 320 px, nor about the contrast in the dark. Nothing is scrolled
    sideways."""
    async with served(made(tmp_path)) as address:
        for size, dark in (("wide", False), ("small", False), ("wide", True))[: 3 if made is desks.ill else 1]:
            page = await window(browser, size, dark=dark)
            await page.goto(f"{address}/ops")
            await axe_finds_nothing(page, ["color-contrast"] if dark else WCAG)
            assert await page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[size][0]
            if made is desks.ill and (size, dark) == ("wide", False):
                await picture(page, "ops", whole=False)
            await page.context.close()


async def test_it_is_live_and_nobody_loses_their_place(browser: Browser, tmp_path: Path) -> None:
    """What changes is changed in place: focus, what was opened, what is marked and where one reads stay."""
    desk = desks.ill(tmp_path)
    async with served(desk) as address:
        page = await window(browser)
        await page.goto(f"{address}/ops")
        summary = page.locator("#group-mash-outcomes summary")
        await summary.focus()
        await page.keyboard.press("Enter")
        await page.evaluate("scrollBy(0, 40)")
        before = await summary.bounding_box()
        assert isinstance(desk.lag, desks.Seen)
        desk.lag.history = [*desk.lag.history, desks.snapshot(desks._ago(0), behind=7777)]
        await page.evaluate("document.getElementById('live-refresh').dispatchEvent(new MouseEvent('click', "
                            "{bubbles: true, cancelable: true}))")  # fmt: skip
        await page.get_by_text("7,777 events").wait_for()
        assert await page.evaluate("document.activeElement.closest('.row')?.id") == "group-mash-outcomes"
        assert await page.locator("#group-mash-outcomes details").get_attribute("open") is not None
        after = await summary.bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) < 3
        await page.context.close()


async def test_trouble_and_its_end_are_read_out(browser: Browser, tmp_path: Path) -> None:
    """A status line says what newly needs somebody, and when all is well again; the title counts."""
    desk, bad = desks.well(tmp_path), desks.ill(tmp_path)
    calm = desk.lag
    async with served(desk) as address:
        page = await window(browser)
        await page.goto(f"{address}/ops")
        assert await page.title() == "Operations – safebus"
        desk.lag = bad.lag
        await page.locator("#live-refresh").click()
        await expect(page.locator("#live-said")).to_contain_text("Needs somebody")
        assert "mash-outcomes is stalled" in (await page.locator("#live-said").text_content() or "")
        assert (await page.title()).startswith("(2) ")
        desk.lag = calm
        await page.locator("#live-refresh").click()
        await expect(page.locator("#live-said")).to_have_text("All is well.")
        await page.context.close()


async def test_a_lost_connection_is_told(browser: Browser, tmp_path: Path) -> None:
    """What is shown does not look live when it is not."""
    async with served(desks.well(tmp_path)) as address:
        page = await window(browser)
        await page.goto(f"{address}/ops")
    await page.locator("#live-refresh").click()
    await page.get_by_text("Connection lost. What you see is").wait_for()
    await page.context.close()


async def test_everything_is_reached_by_keyboard_and_without_scripts(browser: Browser, tmp_path: Path) -> None:
    """Each trouble is a link to its place; without scripts a link shows the page again."""
    async with served(desks.ill(tmp_path)) as address:
        page = await window(browser, "small", scripts=False)
        await page.goto(f"{address}/ops")
        assert not await page.locator("#live-pause").is_visible()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # the skip link
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert page.url.endswith("/ops#process-encompass-alerts")
        await page.locator("#live-refresh").click()
        assert page.url.endswith("/ops")
        await page.context.close()
