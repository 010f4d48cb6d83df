"""A broker of these tests' own, which they may stop and kill, and a house on it for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from services.embedded import EmbeddedKafka
from services.embedded.kafka import QUIET
from services.embedded.ports import free_port
from tests.embedded.broker import Broker
from tests.faults.house import House


class QuietBroker(Broker):
    """Its admin's client does not tell the terminal each time that the broker is away, as here it is meant to be."""

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient(self.confluent(), logger=QUIET)


@pytest.fixture(scope="session")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """An embedded broker that no test elsewhere uses."""
    folder = tmp_path_factory.mktemp("own-kafka")
    server = EmbeddedKafka(folder / "kafka", free_port(), folder / "secrets.json", stop_timeout=0.5)
    asyncio.run(server.start())
    yield QuietBroker(server.bootstrap_servers, server.secrets_path, server=server)
    asyncio.run(server.stop())


@pytest.fixture
async def house(own_kafka: Broker, tmp_path: Path) -> AsyncIterator[House]:
    """Topics, a service name and a store for this test; its processes end with it, and the broker is there again."""
    house = House(own_kafka, tmp_path)
    await house.open()
    yield house
    if house.server.is_alive:
        house.thaw()
    else:
        await house.server.start()
    await house.close()
