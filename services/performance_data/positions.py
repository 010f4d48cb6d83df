"""How far the log was read, by the facts that are held; Kafka's own record of it is never trusted further.

Faust acknowledges an event whose fact may be lost with the machine: the fact is in the file system's cache, the offset
on the broker's disk. So at each start the group's offsets are set back to the facts held on disk, and what is heard
again changes nothing. An event that is left out while it runs is noticed by its offset (worker.py).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.bus.errors import NotPermitted, Surroundings, UserMistake
from services.bus.kafka import KafkaBroker
from services.performance_data.facts import TOPICS, unpack
from services.performance_data.hearing import NAME
from services.performance_data.stream import CHANGELOG, open_database

ANSWER_WITHIN = 10.0
"""Seconds after which a broker that does not answer is away."""

Partition = tuple[str, int]


class Log:
    """What Kafka says of the topics and of the group. Its calls block: call them in a thread."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._admin = AdminClient(broker.confluent())
        self._partitions: list[Partition] = []

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

    def committed(self) -> dict[Partition, int]:
        """What the group has committed; partitions without anything are left out."""
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(NAME)])
        found = self._answered(asked[NAME])
        return {(at.topic, at.partition): at.offset for at in found.topic_partitions if at.offset >= 0}

    def commit(self, offsets: Mapping[Partition, int], patience: float) -> None:
        """Set the group's offsets. A process that was killed a moment ago counts as a member for a while.

        Args:
            patience: seconds.

        Raises:
            Surroundings: the broker is away, or another process still runs in the group after that time.
        """
        wanted = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
        until = time.monotonic() + patience
        while True:
            future = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(NAME, wanted)])[NAME]
            try:
                answered = future.result(ANSWER_WITHIN)
            except KafkaException as error:
                refusal = error.args[0].name()
            else:
                failed = [at.error.name() for at in answered.topic_partitions if at.error is not None]
                if not failed:
                    return
                refusal = failed[0]
            if refusal not in ("UNKNOWN_MEMBER_ID", "NON_EMPTY_GROUP", "REBALANCE_IN_PROGRESS"):
                raise Surroundings(f"Kafka did not take back how far {NAME} has read ({refusal})")
            if time.monotonic() > until:
                raise Surroundings(f"another process of {NAME} runs; there can be one")
            time.sleep(0.5)

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
            raise Surroundings(f"the broker is away ({name})") from error
        except TimeoutError as error:
            raise Surroundings("the broker does not answer") from error


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
