"""Rule 5: what was rolled back is never heard. Rule 6: every client puts a key into the same partition."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from services.bus.broker import Sending
from tests.bus.plain import LETTERS, MATCHES, MISSED, TELLER, WATCHER, Bus, child, match
from tests.bus.real import KafkaBus
from tests.embedded.broker import SECONDS


async def transaction(bus: KafkaBus, *events: Any, commit: bool) -> None:
    """Events in a transaction, which nobody on the bus may write; a super user could."""
    name = f"tx-{random.random()}"
    async with AIOKafkaProducer(**bus.kafka.aiokafka(), transactional_id=name) as producer:
        await producer.begin_transaction()
        for event in events:
            key, value, headers = await bus.encoded(event)
            await producer.send_and_wait(event.topic, value, key, headers=headers)
        await (producer.commit_transaction() if commit else producer.abort_transaction())


async def test_what_was_rolled_back_is_never_heard(kafka_bus: KafkaBus) -> None:
    """Rule 5: an aborted transaction between two events; neither order nor guard minds the gap."""
    bus = kafka_bus
    await bus.publish(match("i", "a"))
    await transaction(bus, match("i", "rolled back"), commit=False)
    await bus.publish(match("i", "b"))
    await transaction(bus, match("i", "c"), commit=True)
    async with bus.running():
        await bus.until(3)
    async with bus.running():
        await bus.publish(match("i", "d"))
        await bus.until(4)
    assert await bus.subjects() == ["a.0", "b.0", "c.0", "d.0"]
    assert await bus.said(LETTERS) == []


async def test_a_gap_at_the_end_of_a_log_is_not_waited_for(kafka_bus: KafkaBus) -> None:
    """A log that ends with a transaction's marker ends after its last event: neither a deadline nor a batch that needs
    the directory waits for an event that will never come."""
    bus = kafka_bus
    await transaction(bus, child("c1", 1, "school:1"), match("i", "a"), commit=True)
    async with bus.running(TELLER):
        await bus.until(1)
    assert await bus.subjects() == ["school:1"]
    await transaction(bus, match("missed", "b", child="nobody"), commit=True)
    async with bus.running(WATCHER):
        await bus.until(1, MISSED)
    assert [event.child_id for event in await bus.said(MISSED)] == ["missed"]


def keys(number: int) -> list[bytes]:
    """Ids of any kind, and some of any bytes."""
    made = random.Random(7)
    ids = [f"child:{made.randrange(10**9)}".encode() for _ in range(number)]
    return ids + [made.randbytes(made.randrange(1, 40)) for _ in range(number)] + ["عائشة".encode(), b"\0", b"a"]


async def test_every_client_chooses_the_same_partition(kafka_bus: KafkaBus) -> None:
    """Rule 6: aiokafka's own choice, confluent-kafka's with murmur2, ours, and the one in memory."""
    bus = kafka_bus
    chosen = keys(100)
    topic = bus.kafka.topic(partitions=7)
    confluent = Producer(bus.kafka.confluent() | {"partitioner": "murmur2_random"})
    for key in chosen:
        confluent.produce(topic, b"confluent", key)
    await asyncio.to_thread(confluent.flush, SECONDS)
    async with AIOKafkaProducer(**bus.kafka.aiokafka()) as producer:
        await asyncio.gather(*[await producer.send(topic, b"aiokafka", key) for key in chosen])
    writer = bus.broker.writer()
    await writer.start()
    await writer.know([topic])
    for key in chosen:
        await writer.send((topic, writer.partition_for(topic, key)), [Sending(key, b"ours", [])])
    await writer.stop()
    found: dict[bytes | None, set[int]] = {}
    for record in await bus.records(topic):
        found.setdefault(record.key, set()).add(record.partition)
    assert len(found) == len(set(chosen))
    assert [key for key, partitions in found.items() if len(partitions) != 1] == []
    bus.clear(topic)


@pytest.mark.parametrize("key", keys(20))
def test_the_bus_in_memory_partitions_as_kafka_does(bus: Bus, key: bytes) -> None:
    """Its producers and its services' writers agree."""
    bus.memory.append(MATCHES, key, b"", ())
    (record,) = bus.memory.records(MATCHES)
    assert record.partition == bus.memory.writer().partition_for(MATCHES, key)
