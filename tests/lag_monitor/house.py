"""A small catalogue on the session's broker, and what tests do to its topics and groups."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from services.bus.settings import Settings
from services.lag_monitor.lag import GroupLag, PartitionLag, Snapshot
from services.lag_monitor.watch import Watch
from tests.embedded.broker import Broker

CATALOGUE = """\
defaults: {{partitions: 1, replication: 1, retention: 30d}}
topics:
  {plain}: {{description: A, schema: a/B.avsc, key: b, owner: O, controller: C, written_by: [{service}], read_by: [{service}]}}
  {compact}: {{description: A, schema: a/C.avsc, key: c, compaction: true, owner: O, controller: C, written_by: [{service}], read_by: [{service}]}}
principals:
  {service}: {{kind: service, description: Reads.}}
"""  # noqa: E501
ALIKE = {"message.timestamp.type": "LogAppendTime"}


@dataclass(frozen=True)
class House:
    """One service that reads two topics, five partitions of one and one of the other."""

    broker: Broker
    at: Settings
    service: str
    plain: str
    compact: str

    async def write(self, partition: int, *texts: str, topic: str | None = None, transaction: bool = False) -> None:
        """One record a text, one batch a call."""
        options = {"transactional_id": f"t{uuid4().hex}"} if transaction else {}
        producer = AIOKafkaProducer(**self.broker.aiokafka(), linger_ms=100, **options)
        await producer.start()
        try:
            if transaction:
                await producer.begin_transaction()
            for text in texts:
                await producer.send(topic or self.plain, text.encode(), key=text.encode(), partition=partition)
            if transaction:
                await producer.commit_transaction()
        finally:
            await producer.stop()

    async def commit(self, partition: int, offset: int, *, topic: str | None = None, group: str | None = None) -> None:
        """As a reader without members does, or somebody who sets offsets."""
        consumer = self.consumer(group)
        consumer.assign([TopicPartition(topic or self.plain, partition)])
        await consumer.start()
        try:
            await consumer.commit({TopicPartition(topic or self.plain, partition): OffsetAndMetadata(offset, "")})
        finally:
            await consumer.stop()

    def consumer(self, group: str | None = None) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self.broker.aiokafka(), group_id=group or self.service, enable_auto_commit=False, session_timeout_ms=1000,
            heartbeat_interval_ms=200, auto_offset_reset="earliest",
        )  # fmt: skip

    def remove(self, partition: int, before: int) -> None:
        """What retention does, at once."""
        from confluent_kafka import TopicPartition as Place

        asked = self.broker.admin.delete_records([Place(self.plain, partition, before)])
        for future in asked.values():
            future.result(30)

    def group(self, found: Snapshot) -> GroupLag:
        assert found.fault is None, found.fault
        return next(group for group in found.groups if group.group == self.service)

    def delete(self, group: str) -> None:
        """As an operator does with Kafka's own tool."""
        for future in self.broker.admin.delete_consumer_groups([group]).values():
            future.result(30)


def house(broker: Broker, folder: Path, **more: object) -> House:
    """Made on that broker, with names of its own."""
    name = uuid4().hex[:8]
    service, plain, compact = f"s{name}", f"plain.{name}.v1", f"compact.{name}.v1"
    broker.topic(plain, partitions=5, configs=ALIKE)
    broker.topic(compact, partitions=1, configs=ALIKE | {"cleanup.policy": "compact"})
    catalogue = folder / "topics.yaml"
    catalogue.write_text(CATALOGUE.format(service=service, plain=plain, compact=compact))
    at = Settings(
        catalogue=catalogue,
        data_dir=folder,
        bootstrap_servers=broker.bootstrap_servers,
        secrets_file=broker.secrets_path,
        security_protocol=broker.security_protocol,
        principal=broker.admin_name,
        lag_interval=0.2,
        ops_port=0,
        **more,  # type: ignore[arg-type]
    )
    return House(broker, at, service, plain, compact)


def part(group: GroupLag, topic: str, number: int = 0) -> PartitionLag:
    return next(one for one in group.partitions if (one.topic, one.partition) == (topic, number))


async def looked(watch: Watch, until: Callable[[Snapshot], bool], seconds: float = 30) -> Snapshot:
    """Look until it is so."""
    end = time.monotonic() + seconds
    while not until(found := await watch.look()):
        assert time.monotonic() < end, found
        await asyncio.sleep(0.1)
    return found


async def until(so: Callable[[], bool | Awaitable[bool]], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        found = so()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < end, "it did not come to be"
        await asyncio.sleep(0.05)
