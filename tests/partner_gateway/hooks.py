"""A partner's webhooks in a test: how they are made and asked, and time that the test lets pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.bus.clock import Clock
from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for
from services.partner_gateway.door.who import Caller, caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.partners.registry import add_partner
from services.partner_gateway.webhooks import sender
from tests.partner_gateway.webhook_endpoint import Endpoint

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ME, OTHER = "la:825", "la:826"


@pytest.fixture
def at(at: Settings, tmp_path: Path) -> Settings:
    """With a clock that the test steps."""
    stepped = at.model_copy(update={"clock_file": tmp_path / "clock"})
    Clock.of(stepped).step(MONDAY)
    return stepped


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender looks more often: what is not to come does not come sooner either."""
    monkeypatch.setattr(sender, "POLL", 0.2)


@pytest.fixture
async def partners(gateway: Gateway) -> None:
    """Two of them."""
    await add_partners(gateway)


@pytest.fixture
async def api(client: httpx.AsyncClient, partners: None) -> httpx.AsyncClient:
    """Calls as `la:825`."""
    become(client, ME)
    return client


async def add_partners(gateway: Gateway) -> None:
    for organisation in (ME, OTHER):
        await gateway.access.write(
            lambda c, o=organisation: add_partner(c, o, "local-authority", now_us=gateway.now_us)  # type: ignore[misc]
        )


def become(client: httpx.AsyncClient, organisation: str, *scopes: str) -> None:
    who = Caller(organisation, frozenset(scopes or {"inbox"}), "key test")
    client._transport.app.dependency_overrides[caller] = lambda: who  # type: ignore[attr-defined]


async def hook(api: httpx.AsyncClient, there: Endpoint) -> dict[str, Any]:
    """A webhook to that endpoint."""
    made = await api.post("/v1/webhooks", json={"url": there.url})
    assert made.status_code == 201, made.text
    return made.json()  # type: ignore[no-any-return]


async def deliveries(api: httpx.AsyncClient, made: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    found = await api.get(f"/v1/webhooks/{made['id']}/deliveries", params=query)
    assert found.status_code == 200, found.text
    return found.json()["deliveries"]  # type: ignore[no-any-return]


async def state(api: httpx.AsyncClient, made: dict[str, Any]) -> dict[str, Any]:
    return (await api.get(f"/v1/webhooks/{made['id']}")).json()  # type: ignore[no-any-return]


async def until(true: Callable[[], Any]) -> None:
    """Wait, as long as it takes, within reason."""
    async with asyncio.timeout(20):
        while True:
            found = true()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


def step(gateway: Gateway, **by: float) -> None:
    """Let time pass on the installation's clock."""
    gateway.clock.step(gateway.clock.now() + timedelta(**by))
    INBOXES.committed()


async def epoch_of(gateway: Gateway) -> str:
    return await gateway.access.read(reading.epoch)


async def quiet(there: Endpoint) -> None:
    """Until nothing has come in for longer than the sender's own pause."""
    count = -1
    while count != len(there.received):
        count = len(there.received)
        await asyncio.sleep(3 * sender.POLL)


async def none_waits(api: httpx.AsyncClient, made: dict[str, Any]) -> bool:
    return (await state(api, made))["waiting"] == 0  # type: ignore[no-any-return]


async def tried(api: httpx.AsyncClient, made: dict[str, Any], count: int) -> bool:
    found = await deliveries(api, made)
    return any(len(d["attempts"]) >= count or d["state"] != "waiting" for d in found)


async def all_are(api: httpx.AsyncClient, made: dict[str, Any], state: str) -> bool:
    return [d["state"] for d in await deliveries(api, made)] == [state]


async def counted(api: httpx.AsyncClient, made: dict[str, Any], state: str, count: int) -> bool:
    return len(await deliveries(api, made, state=state)) == count


@pytest.fixture
async def two(at: Settings, postgres: str) -> AsyncIterator[list[Gateway]]:
    """Two gateway processes' worth on one PostgreSQL."""
    on = at.model_copy(update={"store_url": postgres})
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("partner_gateway"))
    engine.dispose()
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(gateway_for(on)) for _ in range(2)]
