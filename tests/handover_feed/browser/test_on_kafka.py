"""The board as it runs, on a real Kafka, in two browsers: from the bus to the page, and from a button to the bus."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.events import HandoverActed, Team
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.embedded.ports import free_port
from services.handover_feed.door.serve import DOOR, NAME, where
from services.handover_feed.people import staff
from services.people.sign_in import link_path
from tests.handover_feed import night
from tests.handover_feed.house import BOARD, publish
from tests.handover_feed.log import said_about
from tests.partner_gateway.house import Process, forget_groups, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = 20_000
"""Milliseconds: a machine that is busy with other tests is no measure of a second."""


@pytest.fixture
def own(stack: Settings, stack_kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Settings]:
    """A data folder and database of its own, for a consumer group that begins anew; 3:05am."""
    forget_groups(stack_kafka, NAME)
    (tmp_path / "clock").write_text(night.NOW.isoformat())
    changed = {"data_dir": tmp_path, "secrets_file": stack.secrets_path, "clock_file": tmp_path / "clock"}
    yield stack.model_copy(update=changed)
    forget_groups(stack_kafka, NAME)


async def started(at: Settings, port: int) -> Process:
    (at.data_dir / DOOR).unlink(missing_ok=True)
    process = Process(at, BOARD, board_port=port, session_timeout=2, clock_file=at.clock_file)
    await until(lambda: where(at), process)
    return process


async def visit(at: Settings, browser: Browser, name: str) -> Page:
    access, now_us = Access(at, NAME), int(Clock.of(at).now().timestamp() * 1_000_000)

    def link(connection: Any) -> str:
        person_id = staff.add(connection, name, "out-of-hours social worker", Team.NIGHT, "worker-night")
        return staff.new_link(connection, person_id, now_us=now_us, minutes=30)

    token = await access.write(link)
    access.close()
    page = await (await browser.new_context(locale="en-GB")).new_page()
    await page.goto(f"{where(at)}{link_path(token)}")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#live-state")).to_contain_text("Live.", timeout=SOON)
    return page


async def test_from_the_bus_to_two_pages_and_back(own: Settings, browser: Browser) -> None:
    """Danger on the bus interrupts both; both take it and one has it, on Kafka too; a board that is killed comes back,
    and the pages go on without a reload."""
    child_id, name = f"child-{uuid4().hex}", f"Amara {uuid4().hex[:8]}"
    port = free_port()
    board = await started(own, port)
    try:
        first, second = await visit(own, browser, "Sam Okafor"), await visit(own, browser, "Priya Nair")
        began = time.monotonic()
        await publish(own, night.danger(child_id, name))
        for page in (first, second):
            await expect(page.locator("#danger")).to_contain_text(name, timeout=SOON)
        print(f"both pages after {time.monotonic() - began:.2f} s")
        for page in (first, second):
            await page.goto(f"{where(own)}/board/matters/{child_id}")
        await first.get_by_role("button", name="Take this").click()
        await second.get_by_role("button", name="Take this").click()
        await expect(first.locator("#told")).to_contain_text("You have taken this", timeout=SOON)
        await expect(second.locator("#told")).to_contain_text("Sam Okafor, out-of-hours social worker", timeout=SOON)
        acts = [one for one in await said_about(own, HandoverActed.topic, child_id) if isinstance(one, HandoverActed)]
        assert [one.by.name for one in acts] == ["Sam Okafor", "Priya Nair"]

        os.kill(board.pid, signal.SIGKILL)
        await expect(first.locator("#live-state")).to_contain_text("Connection lost", timeout=SOON)
        board.end()
        await publish(own, night.danger(child_id, name, incident_id="again", grading="RED"))
        board = await started(own, port)
        await expect(first.locator("#live-refresh")).to_contain_text("Changed since you opened it", timeout=2 * SOON)
    finally:
        board.end()
