"""The recipients: each organisation reads its inbox as it fills, and a named practitioner gives receipts."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Self

import httpx
import sqlalchemy as sa

from services.bus.access import Access
from services.bus.catalogue import Catalogue, load
from services.bus.clock import Clock
from services.bus.events import HealthUpdated, PoliceNotified
from services.bus.settings import Settings
from services.client import Client, Disclosure, Patience, TryAgain
from services.partner_gateway.door.serve import where
from services.partner_gateway.partners.registry import add_key, add_partner, scopes_of
from services.partner_gateway.tables import partner
from services.partner_gateway.wiring import SERVICE
from tests.soak.county import COUNCIL, FORCE
from tests.soak.ledger import Ledger

ACTS_AS = {COUNCIL: "local-authority", FORCE: "police"}
"""The catalogue's principal of an organisation; the others are agencies."""
LEAVES_UNREAD = 0.2
"""The share that nobody ever reads."""
SOON = Patience(total=600.0, longest=1.0)


class Readers:
    """`async with Readers(…) as readers`: all read; `await readers.finish()` when nothing more comes."""

    def __init__(self, at: Settings, organisations: list[str], ledger: Ledger, seed: int) -> None:
        self._at, self._organisations, self._ledger = at, organisations, ledger
        self._chance = random.Random(f"{seed} readers")
        self._stack = AsyncExitStack()
        self._receipts: set[asyncio.Task[None]] = set()
        self._streams: list[asyncio.Task[None]] = []
        self.clients: dict[str, Client] = {}
        self.streamed: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
        """What each stream gave: epoch, number and disclosure id, in order."""
        self.notified: Callable[[str, str], object] = lambda _incident, _child: None
        """Told of each notification as it comes."""
        self.began_at: dict[str, int] = {}
        """The last number of each inbox before this run."""

    async def __aenter__(self) -> Self:
        address = where(self._at)
        assert address, "the gateway has not opened its door"
        for organisation, key in (await keys(self._at, self._organisations)).items():
            client = await self._stack.enter_async_context(Client(address, key, patience=SOON))
            self.clients[organisation] = client
            proof = await client.proof()
            self.began_at[organisation] = proof.last or 0
            task = asyncio.create_task(self._read(organisation, client, f"{proof.epoch}.{proof.last or 0}"))
            self._streams.append(task)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (*self._receipts, *self._streams):
            task.cancel()
        await self._stack.aclose()

    async def finish(self) -> None:
        """Until each receipt that was begun is acknowledged.

        Raises:
            Exception: what ended a stream that has no end.
        """
        while self._receipts:
            await asyncio.gather(*self._receipts)
        for task in self._streams:
            if task.done():
                task.result()

    async def _read(self, organisation: str, client: Client, after: str) -> None:
        async for disclosure in client.inbox(after=after, patience=SOON):
            self.streamed[organisation].append((disclosure.epoch, disclosure.number, disclosure.disclosure_id))
            if disclosure.type == PoliceNotified.topic and disclosure.data is not None:
                self.notified(disclosure.data["incident_id"], disclosure.data["child_id"])
            if self._chance.random() > LEAVES_UNREAD:
                task = asyncio.create_task(self._receipt(client, disclosure, self._chance.uniform(0, 3)))
                self._receipts.add(task)
                task.add_done_callback(self._receipts.discard)

    async def _receipt(self, client: Client, disclosure: Disclosure, after: float) -> None:
        await asyncio.sleep(after)
        while True:
            try:
                await client.receipt(
                    disclosure.disclosure_id,
                    "A. Reader",
                    happened_at=Clock.of(self._at).now(),
                    hidden_from_online_access=True if disclosure.type == HealthUpdated.topic else None,
                )
            except TryAgain:
                continue
            self._ledger.receipts.add(disclosure.disclosure_id)
            return


async def keys(at: Settings, organisations: list[str]) -> dict[str, str]:
    """An API key of each, which is a partner from now on."""
    clock, access, catalogue = Clock.of(at), Access(at, SERVICE.name), load(at.catalogue)
    now_us = int(clock.now().timestamp() * 1_000_000)
    try:
        return await access.write(partial(_join, organisations=organisations, catalogue=catalogue, now_us=now_us))
    finally:
        access.close()


def _join(connection: sa.Connection, organisations: list[str], catalogue: Catalogue, now_us: int) -> dict[str, str]:
    found = {}
    for organisation in organisations:
        acts_as = ACTS_AS.get(organisation, "agency")
        is_one = (partner.c.organisation == organisation) & partner.c.closed_us.is_(None)
        if connection.execute(sa.select(partner).where(is_one)).first() is None:
            add_partner(connection, organisation, acts_as, now_us=now_us)
        found[organisation] = add_key(connection, organisation, scopes_of(acts_as, catalogue), now_us=now_us)
    return found


async def pages(client: Client) -> list[Disclosure]:
    """An inbox from its first entry to its last, by pages: another question than the stream's."""
    found: list[Disclosure] = []
    after: dict[str, str] = {}
    while True:
        try:
            answer = await client._http.get("/v1/inbox", params={"limit": "1000", **after})
        except httpx.TransportError:
            await asyncio.sleep(0.2)
            continue
        answer.raise_for_status()
        said = answer.json()
        found += [Disclosure.of(entry) for entry in said["entries"]]
        after = {"after": said["next"]}
        if not said["more"]:
            return found
