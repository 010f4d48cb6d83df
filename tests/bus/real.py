"""The same bus on a real broker: the contract's topics, made anew for each test, and groups of the test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from services.bus.broker import Broker, Header, Partition
from services.bus.kafka import KafkaBroker
from services.bus.service import Service
from tests.bus.plain import MATCHES, NOTER, TOPICS, Bus
from tests.embedded.broker import SECONDS
from tests.embedded.broker import Broker as Running


class KafkaBus(Bus):
    """Signs in as the admin, unless a loop is given a broker of another principal."""

    def __init__(self, folder: Path, kafka: Running, **settings: Any) -> None:
        self.kafka = kafka
        where = {"bootstrap_servers": kafka.bootstrap_servers, "security_protocol": kafka.security_protocol}
        super().__init__(folder, None, **(where | settings))
        self._tag = uuid4().hex[:6]
        self.clear()
        self.make()

    @property
    def broker(self) -> Broker:
        """One of one's own for each who asks: a process that ends closes its own."""
        return self.principal(self.kafka.admin_name)

    @broker.setter
    def broker(self, _memory: Broker) -> None:
        """There is no other."""

    def principal(self, name: str, **settings: Any) -> KafkaBroker:
        """The broker as that principal sees it."""
        return KafkaBroker(self.at.model_copy(update=settings), name, self.kafka.password(name))

    def named(self, service: Service) -> Service:
        """Group members of a test that failed cannot disturb the next."""
        return service if service.name.endswith(self._tag) else replace(service, name=f"{service.name}-{self._tag}")

    def make(self, *topics: str) -> None:
        new = [NewTopic(name, number, 1) for name, number in TOPICS.items() if not topics or name in topics]
        for future in self.kafka.admin.create_topics(new).values():
            future.result(SECONDS)

    def clear(self, *topics: str) -> None:
        """Delete those topics that are there, or all of them."""
        there = self.kafka.admin.list_topics(timeout=SECONDS).topics
        if gone := [name for name in topics or TOPICS if name in there]:
            for future in self.kafka.admin.delete_topics(gone).values():
                with suppress(KafkaException):  # it was deleted a moment ago, and was listed still
                    future.result(SECONDS)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:  # what the broker tells its clients follows a moment later
                if not set(gone) & set(self.kafka.admin.list_topics(timeout=SECONDS).topics):
                    break
                time.sleep(0.02)

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()) -> None:
        async with AIOKafkaProducer(**self.kafka.aiokafka(), max_request_size=1_100_000) as producer:
            await producer.send_and_wait(topic, value, key, headers=list(headers))

    async def committed(self, service: Service = NOTER, topic: str = MATCHES) -> dict[Partition, int | None]:
        admin = AIOKafkaAdminClient(**self.kafka.aiokafka())
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self.named(service).name)
        except KafkaError:  # a broker that has just been started has no coordinator of groups yet
            found = {}
        finally:
            await admin.close()
        offsets = {(tp.topic, tp.partition): at.offset for tp, at in found.items() if at.offset >= 0}
        return {(topic, n): offsets.get((topic, n)) for n in range(TOPICS[topic])}

    async def recreate(self, topic: str) -> None:
        await asyncio.to_thread(self.clear, topic)
        await asyncio.to_thread(self.make, topic)

    async def trim(self, topic: str) -> None:
        admin = AIOKafkaAdminClient(**self.kafka.aiokafka())
        await admin.start()
        await admin.delete_records(
            {TopicPartition(topic, n): RecordsToDelete(before_offset=-1) for n in range(TOPICS[topic])}
        )
        await admin.close()
