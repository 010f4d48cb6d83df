"""A gateway for a test, on the session's stack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.bus.envelope import Envelope, Event
from services.bus.heard import Heard
from services.bus.memory import MemoryRecord
from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for, open_door
from services.partner_gateway.inbox.projection import INBOXES


@pytest.fixture
def at(stack: Settings, tmp_path: Path) -> Settings:
    """Settings of one gateway: a data folder and an SQLite database of its own, any free port."""
    return stack.model_copy(update={"data_dir": tmp_path, "gateway_port": 0})


@pytest.fixture
async def gateway(at: Settings) -> AsyncIterator[Gateway]:
    """A gateway without its loop: fill inboxes with `tell`."""
    async with gateway_for(at) as made:
        yield made


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the gateway's application directly, without a socket (streams: use `door`)."""
    transport = httpx.ASGITransport(application(gateway), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as made:
        yield made


@pytest.fixture
async def door(at: Settings) -> AsyncIterator[str]:
    """The address of a gateway that really listens, without its loop."""
    async with open_door(at) as address:
        yield address


async def tell(gateway: Gateway, *events: Event) -> None:
    """What the loop does with events that disclose or are receipts: one batch, then the bell.

    Events without an envelope get one whose id is the disclosure's.
    """
    for event in events:
        if not event.is_said:
            disclosure = getattr(event, "disclosure", None)
            own_id = str(disclosure.id) if disclosure else str(getattr(event, "receipt_id", ""))
            event.enveloped(Envelope(own_id, "urn:safebus:test", event.topic, gateway.clock.now()))
    done = [Heard(MemoryRecord(e.topic, 0, 0, b"", b"", [], 0), event=e, envelope=e.envelope) for e in events]
    await gateway.access.write(lambda connection: list(INBOXES.record(connection, done)))
    INBOXES.committed()
