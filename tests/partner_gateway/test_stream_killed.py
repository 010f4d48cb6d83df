"""A gateway that is killed while it streams: whoever reads goes on where they were."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.bus.publish import Publisher
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.partner_gateway.wiring import SERVICE
from tests.partner_gateway import house
from tests.partner_gateway.house import Door
from tests.partner_gateway.test_projection import missed
from tests.partner_gateway.test_stream import Client
from tests.sse import Told

GATEWAY = [sys.executable, "-m", "services.partner_gateway"]
TO = "la:streaming"


@pytest.fixture
def own(stack: Settings, stack_kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Settings]:
    """A data folder and a database of its own, for a consumer group that begins anew."""
    house.forget_groups(stack_kafka, SERVICE.name)
    yield stack.model_copy(update={"data_dir": tmp_path, "secrets_file": stack.secrets_path, "gateway_burst": 100_000})
    house.forget_groups(stack_kafka, SERVICE.name)


async def publish(at: Settings, count: int) -> set[str]:
    """So many disclosures by way of Kafka; their ids."""
    events = [missed(TO).model_copy(update={"child_id": f"streamed-{n}"}) for n in range(count)]
    async with Publisher("admin", at) as bus:
        await bus.publish(events)
    return {str(event.disclosure.id) for event in events}


async def read(client: Client, seen: list[Told], until: int, kill: int | None = None) -> None:
    """Go on reading behind what was `seen`, until there are so many; at that number `kill` is killed, and what is
    under way then still comes until the stream breaks."""
    try:
        async with asyncio.timeout(house.SECONDS), client.open(seen[-1].id if seen else None) as told:
            async for one in told:
                seen += [one] if one.kind == "disclosure" else []
                if len(seen) == until and kill is None:
                    return
                if len(seen) == until and kill is not None:
                    os.kill(kill, signal.SIGKILL)
    except httpx.TransportError:
        assert kill is not None, "it broke, and nobody was killed"


async def test_killed_while_streaming_a_client_goes_on_without_gap_or_repeat(own: Settings) -> None:
    """kill -9 in the middle of an inbox that grows and is read; the same numbers, each once, by Last-Event-ID."""
    chance, told, seen = random.Random(9), set[str](), list[Told]()
    door = await Door(own, GATEWAY).opened()
    key = await door.key(TO)
    try:
        for _ in range(2):
            told |= await publish(own, 400)
            await read(Client(door.address, key), seen, len(seen) + chance.randint(50, 300), kill=door.pid)
            assert await door.ended() == -signal.SIGKILL
            door = await Door(own, GATEWAY).opened()
        if len(seen) < len(told):
            await read(Client(door.address, key), seen, len(told))
    finally:
        door.end()
    assert [one.number for one in seen] == list(range(1, len(told) + 1))
    assert {one.data["disclosure_id"] for one in seen} == told
    assert len({one.id.partition(".")[0] for one in seen}) == 1
