"""The recipients' side: each organisation of the story has its own inbox at the gateway, and reads it over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from services.bus.access import Access
from services.bus.catalogue import Catalogue, load
from services.bus.clock import Clock
from services.bus.errors import Surroundings
from services.bus.settings import Settings
from services.cli.demo.story import COUNCIL, FORCE, MAYAS_SCHOOL, NOT_CONNECTED
from services.client import Client, TryAgain
from services.partner_gateway.door.serve import where
from services.partner_gateway.partners.identify import Identifier
from services.partner_gateway.partners.registry import (
    add_key,
    add_partner,
    add_person,
    one_time_link,
    people_of,
    scopes_of,
)
from services.partner_gateway.tables import partner
from services.partner_gateway.wiring import SERVICE

ACTS_AS = {COUNCIL: "local-authority", FORCE: "police"}
"""The catalogue's principal of an organisation; the others are agencies."""

LEAD = "R. Ashdown"
"""Made up: the designated safeguarding lead of one of the schools, who may sign in to its inbox in a browser."""


def keys_file(at: Settings) -> Path:
    """Where the demo's API keys are, for whoever wants to look around."""
    return at.data_dir / "demo-keys.json"


class Door:
    """`async with Door(at, arrived) as door`: `arrived(event id, moment)` is called for each disclosure that comes."""

    def __init__(self, at: Settings, arrived: Callable[[str, float], None]) -> None:
        self._at, self._arrived = at, arrived
        self._stack = AsyncExitStack()
        self._clients: dict[str, Client] = {}

    async def __aenter__(self) -> Self:
        address = where(self._at)
        if address is None:
            raise Surroundings("the partner gateway has not opened its door")
        for organisation, key in (await self._keys()).items():
            client = await self._stack.enter_async_context(Client(address, key))
            self._clients[organisation] = client
            proof = await client.proof()
            task = asyncio.create_task(self._read(client, f"{proof.epoch}.{proof.last or 0}"))
            self._stack.callback(task.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def receipt(
        self, organisation: str, disclosure_id: UUID, practitioner: str, at: datetime, *, hidden: bool
    ) -> None:
        """A named practitioner of that organisation has read it; where one can sign in, it is they.

        Raises:
            Surroundings: the gateway does not take it.
        """
        client, who = self._clients[organisation], LEAD if organisation == MAYAS_SCHOOL else practitioner
        try:
            await client.receipt(disclosure_id, who, happened_at=at, hidden_from_online_access=True if hidden else None)
        except TryAgain as error:
            raise Surroundings("the partner gateway does not take receipts now") from error

    async def _read(self, client: Client, after: str) -> None:
        async for disclosure in client.inbox(after=after):
            self._arrived(disclosure.event["id"], time.time())

    async def _keys(self) -> Mapping[str, str]:
        """An API key for each, of former demos if they still work; in a file that only its owner can read."""
        clock, access = Clock.of(self._at), Access(self._at, SERVICE.name)
        path, catalogue = keys_file(self._at), load(self._at.catalogue)
        former: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        identifier, keys = Identifier(self._at, access, clock), dict[str, str]()
        try:
            for organisation in NOT_CONNECTED:
                key = former.get(organisation, "")
                works = key and await identifier.identify(key)
                now_us = int(clock.now().timestamp() * 1_000_000)
                join = partial(_join, organisation=organisation, catalogue=catalogue, now_us=now_us)
                keys[organisation] = key if works else await access.write(join)
        finally:
            access.close()
        _write(path, keys)
        return keys


async def sign_in_link(at: Settings) -> str | None:
    """The token of a link by which the school's lead signs in once; None if there is no such person."""
    clock, access = Clock.of(at), Access(at, SERVICE.name)

    def make(connection: sa.Connection) -> str | None:
        for person in people_of(connection, MAYAS_SCHOOL):
            now_us = int(clock.now().timestamp() * 1_000_000)
            return one_time_link(connection, str(person.person_id), now_us=now_us)
        return None

    try:
        return await access.write(make)
    finally:
        access.close()


def _join(connection: sa.Connection, organisation: str, catalogue: Catalogue, now_us: int) -> str:
    """A key of a partner, which it becomes if it is none."""
    acts_as = ACTS_AS.get(organisation, "agency")
    open_now = (partner.c.organisation == organisation) & partner.c.closed_us.is_(None)
    if connection.execute(sa.select(partner).where(open_now)).first() is None:
        add_partner(connection, organisation, acts_as, now_us=now_us)
    if organisation == MAYAS_SCHOOL and not people_of(connection, organisation):
        add_person(connection, organisation, LEAD, "designated safeguarding lead")
    return add_key(connection, organisation, scopes_of(acts_as, catalogue), now_us=now_us)


def _write(path: Path, keys: Mapping[str, str]) -> None:
    half = path.with_suffix(".half")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    half.write_text(json.dumps(keys, indent=2), "utf-8")
    half.replace(path)
