"""A reader that joins a group, reads and commits what is there, and is killed: `victim GROUP TOPIC...`."""

from __future__ import annotations

import asyncio
import sys

from aiokafka import AIOKafkaConsumer

from services.bus.run import broker_for
from services.bus.settings import settings


async def read(group: str, *topics: str) -> None:
    at = settings()
    assert at.principal
    consumer = AIOKafkaConsumer(
        *topics, **broker_for(at, at.principal).aiokafka(), group_id=group, session_timeout_ms=1000,
        heartbeat_interval_ms=200, auto_offset_reset="earliest", auto_commit_interval_ms=100,
    )  # fmt: skip
    await consumer.start()
    async for _record in consumer:
        pass


if __name__ == "__main__":
    asyncio.run(read(*sys.argv[1:]))
