"""What the board has said, as Kafka has it."""

from __future__ import annotations

from collections.abc import Sequence

from services.bus.broker import Record
from services.bus.envelope import Event
from services.bus.run import broker_for, codec_for
from services.bus.settings import Settings


async def on_kafka(at: Settings, topic: str, ids: Sequence[str]) -> list[Record]:
    """The records with these event ids, in the log's order."""
    broker = broker_for(at, "admin")
    wanted = {own_id.encode() for own_id in ids}
    found = [record async for record in broker.scan([topic]) if dict(record.headers)["ce_id"] in wanted]
    await broker.close()
    return found


async def said_about(at: Settings, topic: str, key: str) -> list[Event]:
    """The events under that key, in the log's order."""
    broker = broker_for(at, "admin")
    found = [record async for record in broker.scan([topic]) if record.key == key.encode()]
    await broker.close()
    return await events(at, found)


async def events(at: Settings, records: Sequence[Record]) -> list[Event]:
    """What these records hold."""
    codec = codec_for(at)
    await codec.learn(records)
    return [codec.decode(record, dict(record.headers), "") for record in records]
