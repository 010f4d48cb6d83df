"""Boards as processes of their own, on a real broker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.events import MatterChanged
from services.bus.publish import Publisher
from services.bus.settings import Settings
from services.handover_feed.door.keys import add_key
from services.handover_feed.door.serve import DOOR, NAME, where
from tests.handover_feed.log import said_about
from tests.handover_feed.screens import Client
from tests.partner_gateway.house import Process, until

BOARD = [sys.executable, "-m", "services.handover_feed"]
POLICE = [sys.executable, "-m", "services.police_notifications"]


class BoardProcess(Process):
    """A board, loop and door."""

    def __init__(self, at: Settings, command: Sequence[str] = BOARD, **more: object) -> None:
        (at.data_dir / DOOR).unlink(missing_ok=True)
        super().__init__(at, command, board_port=0, session_timeout=2, **more)
        self.address = ""

    async def opened(self) -> BoardProcess:
        await until(lambda: where(self.at), self)
        self.address = where(self.at) or ""
        return self

    async def screen(self, key: str | None = None) -> Client:
        """A team's own screen."""
        return Client(self.address, {"Authorization": f"Bearer {key or await key_for(self.at)}"})


async def key_for(at: Settings) -> str:
    """A key, as the command line makes it in the same database."""
    access, now_us = Access(at, NAME), int(Clock.of(at).now().timestamp() * 1_000_000)
    try:
        return await access.write(lambda connection: add_key(connection, "a screen", now_us=now_us))
    finally:
        access.close()


async def publish(at: Settings, *events: Any, one_by_one: bool = False) -> None:
    """By way of Kafka, as whoever may write them."""
    async with Publisher("admin", at) as bus:
        for some in [[event] for event in events] if one_by_one else [events]:
            await bus.publish(some)


async def on_the_topic(at: Settings, matter_id: str) -> dict[int, MatterChanged]:
    """Every version of that card on handover.board.v1."""
    found = await said_about(at, MatterChanged.topic, matter_id)
    return {event.version: event for event in found if isinstance(event, MatterChanged)}


async def settled(screen: Client, words: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The board's cards of these matters, once each has a fact with its words, and nothing changes any more."""
    before: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(60):
        while True:
            now = {one["matter_id"]: one for one in await screen.cards() if one["matter_id"] in words}
            if now == before and all(said in str(now.get(matter_id, "")) for matter_id, said in words.items()):
                return now
            before = now
            await asyncio.sleep(0.5)
