"""A real browser at a board that really listens: the system's Chromium, driven by Playwright. Once a module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from services.bus.events import Team
from services.bus.settings import Settings
from services.embedded.ports import free_port
from services.handover_feed.door.app import application
from services.handover_feed.door.serve import place_of
from services.handover_feed.people import staff
from services.handover_feed.people.site import ROLES
from services.handover_feed.view import Matter
from services.people.sign_in import link_path
from services.web.serving import listen, serving
from tests.browser import browser, chromium
from tests.handover_feed.fold import folded
from tests.handover_feed.night import NOW

__all__ = ["browser", "chromium"]


@dataclass
class House:
    """A board that listens, and the browser."""

    settings: Settings
    browser: Browser
    address: str
    matters: dict[str, Matter] = field(default_factory=dict)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)
    _serving: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        """Serve, again at the same address after `stop`."""
        place = place_of(self.settings)
        serves = serving(application(self.board), listen(place), place, self.board.hub.close)
        await self._serving.enter_async_context(serves)

    async def stop(self) -> None:
        """Nobody is served; events are still heard."""
        await self._serving.aclose()
        await self._open.aclose()
        await self.open()

    async def open(self) -> None:
        self.board, self.fold = await self._open.enter_async_context(folded(self.settings, self.matters))

    async def close(self) -> None:
        await self._serving.aclose()
        await self._open.aclose()

    def step(self, long: timedelta) -> None:
        """Move the board's clock on."""
        self.board.clock.step(self.board.clock.now() + long)

    async def visit(self, role: str = "worker-night", name: str = "Sam Okafor", **window: Any) -> Page:
        """A window of its own in which a new person has signed in by a link."""
        team, now_us = ROLES[role] or Team.NIGHT, self.board.now_us
        post = "out-of-hours social worker" if team is Team.NIGHT else "MASH social worker"

        def add(connection: Any) -> str:
            person_id = staff.add(connection, name, post, team, role)
            return staff.new_link(connection, person_id, now_us=now_us, minutes=30)

        token = await self.board.access.write(add)
        page = await self.window(**window)
        await page.goto(self.address + link_path(token))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/board**")
        return page

    async def window(self, width: int = 1100, height: int = 900, *, scripts: bool = True, **more: Any) -> Page:
        context = await self.browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=scripts, locale="en-GB", **more
        )
        context.set_default_timeout(10_000)
        return await context.new_page()


async def house_at(folder: Path, browser: Browser, stack: AsyncExitStack) -> House:
    (folder / "clock").write_text(NOW.isoformat())
    at = Settings(data_dir=folder, clock_file=folder / "clock", board_port=free_port())
    house = House(at, browser, f"http://127.0.0.1:{at.board_port}")
    stack.push_async_callback(house.close)
    await house.open()
    await house.start()
    return house


@pytest_asyncio.fixture(loop_scope="module")
async def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """An empty board of each test's own."""
    async with AsyncExitStack() as stack:
        yield await house_at(tmp_path_factory.mktemp("house"), browser, stack)
