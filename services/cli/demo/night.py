"""The out-of-hours team's side: its own screen reads the handover board, and its worker acts on it through the bus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import uuid4

import httpx
import sqlalchemy as sa

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.errors import Surroundings
from services.bus.events import HandoverActed, Team, Worker
from services.bus.publish import Publisher
from services.bus.settings import Settings
from services.cli.demo.story import Act, OnBoard
from services.handover_feed.door.keys import add_key
from services.handover_feed.door.serve import NAME, where
from services.handover_feed.people import staff
from services.people.sign_in import link_path

WORKER, POST = "P. Lindqvist", "out-of-hours social worker"
"""Made up; may sign in at the board in a browser."""

LINK_MINUTES = 30.0


@dataclass(frozen=True, slots=True)
class Shown:
    """One matter as the board shows it, at last as the story wants it."""

    at: datetime
    """On the demo's clock, UTC."""
    wanted: OnBoard
    caused_by: str
    latency_ms: int
    """In real time, from when the bus had what led to it to its being on the board."""


class Night:
    """`async with Night(at, show) as night`: `night.shown` are the matters that came to the board as they should."""

    def __init__(self, at: Settings, show: Callable[[Shown], None]) -> None:
        self._at, self._show, self._clock = at, show, Clock.of(at)
        self._stack = AsyncExitStack()
        self.shown: list[Shown] = []

    async def __aenter__(self) -> Self:
        address = where(self._at)
        if address is None:
            raise Surroundings("the handover board has not opened its door")
        access, now_us = Access(self._at, NAME), int(self._clock.now().timestamp() * 1_000_000)

        def join(connection: sa.Connection) -> tuple[str, str]:
            return add_key(connection, "the demo's screen", now_us=now_us, days=1), lindqvist(connection)

        try:
            key, person_id = await access.write(join)
        finally:
            access.close()
        self._worker = Worker(person_id=person_id, name=WORKER, post=POST, team=Team.NIGHT)
        client = httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=10)
        self._board = await self._stack.enter_async_context(client)
        self._bus = await self._stack.enter_async_context(Publisher("out-of-hours", self._at))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def act(self, act: Act) -> None:
        """What the worker does, having seen all that the card shows."""
        card = await self._card(act.matter) or {"child_id": None, "facts": []}
        done = HandoverActed(
            act_id=str(uuid4()),
            matter_id=act.matter,
            child_id=card["child_id"],
            act=act.act,
            by=self._worker,
            acted_at=self._clock.now(),
            reason=act.reason,
            addresses=[fact["fact_id"] for fact in card["facts"]],
            no_longer=[],
        )
        await self._bus.publish([done])

    async def until_shown(self, wanted: tuple[OnBoard, ...], seconds: float) -> list[OnBoard]:
        """Wait until the board shows all of these; those that it does not show in time."""
        began, missing = time.monotonic(), list(wanted)
        while missing and time.monotonic() - began < seconds:
            for one in list(missing):
                card = await self._card(one.matter)
                if card and card["state"] == one.state and one.team in (None, card["team"]):
                    latency = round((time.monotonic() - began) * 1000)
                    self.shown.append(Shown(self._clock.now(), one, card["caused_by"], latency))
                    self._show(self.shown[-1])
                    missing.remove(one)
            await asyncio.sleep(0.02)
        return missing

    async def _card(self, matter: str) -> dict[str, Any] | None:
        answer = await self._board.get(f"/v1/board/{matter}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        card: dict[str, Any] = answer.json()
        return card


def lindqvist(connection: sa.Connection) -> str:
    """The worker's id at the board; named there if a former demo has not done so."""
    for person in staff.people(connection):
        if person.name == WORKER:
            return str(person.person_id)
    return staff.add(connection, WORKER, POST, Team.NIGHT, "worker-night")


async def sign_in_url(at: Settings) -> str:
    """Where the worker signs in at the board, once."""
    access, now_us = Access(at, NAME), int(Clock.of(at).now().timestamp() * 1_000_000)

    def make(connection: sa.Connection) -> str:
        return staff.new_link(connection, lindqvist(connection), now_us=now_us, minutes=LINK_MINUTES)

    try:
        return f"{where(at)}{link_path(await access.write(make))}"
    finally:
        access.close()
