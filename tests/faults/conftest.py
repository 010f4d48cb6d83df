"""A broker of these tests' own, which they may stop and kill, and a house on it for each."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.embedded import EmbeddedKafka
from services.embedded.ports import free_port
from tests.embedded.broker import Broker
from tests.faults.house import House


@pytest.fixture(scope="session")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """An embedded broker that no test elsewhere uses."""
    folder = tmp_path_factory.mktemp("own-kafka")
    server = EmbeddedKafka(folder / "kafka", free_port(), folder / "secrets.json", stop_timeout=3.0)
    asyncio.run(server.start())
    yield Broker(server.bootstrap_servers, server.secrets_path, server=server)
    asyncio.run(server.stop())


@pytest.fixture
async def house(own_kafka: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """Topics, a service name and a store for this test; its processes end with it, and the broker is there again."""
    house = House(own_kafka, tmp_path, **getattr(request, "param", {}))
    server = own_kafka.server
    assert server is not None
    assert server.pid is not None
    await house.open()
    yield house
    if server.is_alive:
        os.kill(server.pid, signal.SIGCONT)
    await house.close()
    if not server.is_alive:
        await server.start()
