"""How far the log was read, by the facts that are held; Kafka's own record of it is never trusted further.

Faust acknowledges an event whose fact may be lost with the machine: the fact is in the file system's cache, the offset
on the broker's disk. So at each start the group's offsets are set back to the facts held on disk, and what is heard
again changes nothing. An event that is left out while it runs is noticed by its offset (worker.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors

from services.bus import groups
from services.bus.broker import Partition
from services.bus.errors import Surroundings, UserMistake
from services.bus.kafka import ANSWER_WITHIN, KafkaBroker
from services.bus.translating import translated
from services.performance_data.facts import unpack
from services.performance_data.hearing import NAME
from services.performance_data.keeping import TOPICS
from services.performance_data.stream import open_database


async def partitions_of(broker: KafkaBroker, topics: Sequence[str] = TOPICS) -> list[Partition]:
    """Every partition of these topics.

    Raises:
        UserMistake: one of them is not there, or they differ in their number of partitions.
        Surroundings: the broker is away.
    """
    there = await broker.partition_counts()
    missing = [name for name in topics if name not in there]
    if missing:
        raise UserMistake(f"topic {missing[0]} is not there for {NAME}; has `safebus topics apply` been run?")
    numbers = {there[name] for name in topics}
    if len(numbers) > 1:
        raise UserMistake(
            f"the topics that {NAME} hears have {sorted(numbers)} partitions; a child's events are joined only "
            "where all have as many"
        )
    return [(name, number) for name in topics for number in range(there[name])]


async def committed(broker: KafkaBroker) -> dict[Partition, int]:
    """What the group has committed; partitions without anything are left out.

    Raises:
        Surroundings: the broker is away, or has only just begun.
    """
    return (await groups.committed(broker, [NAME]))[NAME]


async def commit(broker: KafkaBroker, offsets: Mapping[Partition, int], patience: float) -> None:
    """Set the group's offsets. A process that was killed a moment ago counts as a member for a while.

    Args:
        patience: seconds.

    Raises:
        Surroundings: the broker is away, or another process still runs in the group after that time.
    """
    wanted = {TopicPartition(*partition): offset for partition, offset in offsets.items()}
    consumer = AIOKafkaConsumer(**broker.aiokafka(), group_id=NAME, enable_auto_commit=False)
    until = time.monotonic() + patience
    async with translated(NAME, "setting back how far it has read", patience + ANSWER_WITHIN):
        consumer.assign(list(wanted))
        try:
            await consumer.start()
            while True:
                try:
                    await consumer.commit(wanted)
                except (kafka_errors.CommitFailedError, kafka_errors.UnknownMemberIdError):
                    if time.monotonic() > until:
                        raise Surroundings(f"another process of {NAME} runs; there can be one") from None
                    await asyncio.sleep(0.5)
                else:
                    return
        finally:
            await consumer.stop()


def held_on_disk(databases: Sequence[Path]) -> dict[Partition, int]:
    """By partition of the log, the offset after the last event of which a fact is held."""
    found: dict[Partition, int] = {}
    for path in databases:
        database = open_database(path)
        try:
            for key, value in database.items():
                if not key.startswith(b"__faust"):
                    kept = unpack(value)
                    at = (kept.topic, kept.partition)
                    found[at] = max(found.get(at, 0), kept.offset + 1)
        finally:
            database.close()
    return found


def starting(begins: Mapping[Partition, int], held: Mapping[Partition, int]) -> dict[Partition, int]:
    """Where each partition is read from: after what is held, or where its log begins now."""
    return {partition: max(begin, held.get(partition, 0)) for partition, begin in begins.items()}
