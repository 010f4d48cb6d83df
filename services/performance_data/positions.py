"""How far the log was read, by the facts that are held; Kafka's own record of it is never trusted further.

Faust acknowledges an event whose fact may be lost with the machine: the fact is in the file system's cache, the offset
on the broker's disk. So at each start the group's offsets are set back to the facts held on disk, and what is heard
again changes nothing. An event that is left out while it runs is noticed by its offset (worker.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as TopicPartitionOf
from aiokafka import errors as kafka_errors
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.bus import groups
from services.bus.errors import NotPermitted, Surroundings, UserMistake
from services.bus.kafka import KafkaBroker
from services.performance_data.facts import unpack
from services.performance_data.hearing import NAME
from services.performance_data.keeping import TOPICS
from services.performance_data.stream import CHANGELOG, open_database

ANSWER_WITHIN = 10.0
"""Seconds after which a broker that does not answer is away."""

Partition = tuple[str, int]


class Log:
    """What Kafka says of the topics. Its calls block: call them in a thread."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker
        self._admin = AdminClient(broker.confluent())

    def partitions(self, topics: Sequence[str] = TOPICS) -> list[Partition]:
        """Every partition of these topics.

        Raises:
            UserMistake: one of them is not there, or they differ in their number of partitions.
            Surroundings: the broker is away.
        """
        there = self._asked(partial(self._admin.list_topics, timeout=ANSWER_WITHIN)).topics
        missing = [name for name in topics if name not in there]
        if missing:
            raise UserMistake(f"topic {missing[0]} is not there for {NAME}; has `safebus topics apply` been run?")
        numbers = {len(there[name].partitions) for name in topics}
        if len(numbers) > 1:
            raise UserMistake(
                f"the topics that {NAME} hears have {sorted(numbers)} partitions; a child's events are joined only "
                "where all have as many"
            )
        return [(name, number) for name in topics for number in sorted(there[name].partitions)]

    def ends(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """The offset after each partition's last record."""
        return self._offsets(partitions, OffsetSpec.latest())

    def begins(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """The offset of each partition's first record."""
        return self._offsets(partitions, OffsetSpec.earliest())

    def empty_changelog(self) -> None:
        """Remove every fact that Kafka holds."""
        ends = self.ends(self.partitions([CHANGELOG]))
        wanted = [TopicPartition(topic, number, offset) for (topic, number), offset in ends.items() if offset > 0]
        if wanted:
            for future in self._admin.delete_records(wanted, operation_timeout=ANSWER_WITHIN).values():
                self._answered(future)

    def _offsets(self, partitions: Sequence[Partition], spec: OffsetSpec) -> dict[Partition, int]:
        asked = self._admin.list_offsets(
            {TopicPartition(*partition): spec for partition in partitions},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=ANSWER_WITHIN,
        )
        return {(at.topic, at.partition): self._answered(future).offset for at, future in asked.items()}

    def _answered(self, future: Any) -> Any:
        return self._asked(partial(future.result, ANSWER_WITHIN))

    def _asked(self, ask: Any) -> Any:
        try:
            return ask()
        except KafkaException as error:
            name = error.args[0].name()
            if "AUTH" in name:
                raise NotPermitted(f"the broker refused {NAME} ({name})") from error
            # After a broker was killed the client asks by the epoch that it knew, FENCED_LEADER_EPOCH, for ever: seen.
            self._admin = AdminClient(self._broker.confluent())
            raise Surroundings(f"the broker is away ({name})") from error
        except TimeoutError as error:
            raise Surroundings("the broker does not answer") from error


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
    wanted = {TopicPartitionOf(*partition): offset for partition, offset in offsets.items()}
    consumer = AIOKafkaConsumer(**broker.aiokafka(), group_id=NAME, enable_auto_commit=False)
    until = time.monotonic() + patience
    async with _answered_soon("setting back how far it has read", patience + ANSWER_WITHIN):
        consumer.assign(list(wanted))
        await consumer.start()
        try:
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


@asynccontextmanager
async def _answered_soon(doing: str, within: float = ANSWER_WITHIN) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within):
            yield
    except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
        raise Surroundings(f"the broker is away when {doing} ({type(error).__name__})") from error


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
