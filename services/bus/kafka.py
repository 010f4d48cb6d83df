"""The real broker: aiokafka for the data, confluent-kafka for the ids of topics, which aiokafka does not know."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.partitioner import murmur2
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as TopicPartitionAsked
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.bus.broker import Partition, Record, Sending
from services.bus.errors import NotPermitted, Surroundings, Unacknowledged
from services.bus.settings import Settings
from services.bus.translating import translated

ANSWER_WITHIN = 5.0
"""Seconds after which a broker that does not answer a question about itself is away."""

OVERHEAD = 65_536
"""Room in a batch for a record's key, headers and framing, bytes."""

_silent = logging.getLogger("safebus.librdkafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def _wrong_password(error: KafkaError) -> bool:
    """The broker says so. That it vanished meanwhile has the same code, and a `Local:` cause."""
    return error.code() == KafkaError._AUTHENTICATION and "Local:" not in error.str()


class KafkaBroker:
    """One principal's connections to a cluster."""

    def __init__(self, settings: Settings, principal: str, password: str) -> None:
        self._settings = settings
        self.principal = principal
        self._password = password
        self._admin: AdminClient | None = None
        self._wrong: list[KafkaError] = []

    def aiokafka(self) -> dict[str, Any]:
        """How aiokafka's clients connect as this principal."""
        at = self._settings
        common: dict[str, Any] = {
            "bootstrap_servers": at.bootstrap_servers.split(","),
            "security_protocol": at.security_protocol,
            "client_id": self.principal,
            "request_timeout_ms": int(at.send_timeout * 1000),
            "retry_backoff_ms": 100,
        }
        if at.security_protocol.startswith("SASL"):
            common |= {
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.principal,
                "sasl_plain_password": self._password,
            }
        if at.security_protocol.endswith("SSL"):
            common["ssl_context"] = ssl.create_default_context(cafile=at.ssl_cafile)
        return common

    def confluent(self) -> dict[str, Any]:
        """The same connection for confluent-kafka's clients, silent: it would print addresses to stderr for ever."""
        at = self._settings
        common: dict[str, Any] = {
            "bootstrap.servers": at.bootstrap_servers,
            "security.protocol": at.security_protocol,
            "client.id": self.principal,
            "logger": _silent,
        }
        if at.security_protocol.startswith("SASL"):
            common |= {
                "sasl.mechanisms": "SCRAM-SHA-512",
                "sasl.username": self.principal,
                "sasl.password": self._password,
            }
        if at.ssl_cafile:
            common["ssl.ca.location"] = str(at.ssl_cafile)
        return common

    def reader(self, group: str, topics: Collection[str]) -> KafkaReader:
        return KafkaReader(self.aiokafka(), self._settings, group, topics, self.principal)

    def writer(self) -> KafkaWriter:
        return KafkaWriter(self.aiokafka(), self._settings, self.principal)

    async def scan(self, topics: Collection[str]) -> AsyncIterator[Record]:
        consumer = AIOKafkaConsumer(
            *topics,
            **self.aiokafka(),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
        )
        async with translated(self.principal, "reading whole topics"):
            try:
                await consumer.start()
                everything = consumer.assignment()
                begins = await consumer.beginning_offsets(everything)
                ends = await consumer.end_offsets(everything)
                left = {tp: end for tp, end in ends.items() if begins[tp] < end}
                while left:
                    for tp, records in (await consumer.getmany(*left, timeout_ms=500)).items():
                        for record in records:
                            if record.offset < left[tp]:
                                yield record
                    left = {tp: end for tp, end in left.items() if await consumer.position(tp) < end}
            finally:
                await consumer.stop()

    def registrar(self) -> KafkaBroker:
        return self

    def _ask(self) -> AdminClient:
        if self._admin is None:
            wrong = self._wrong  # a callback that held this object would keep the client for ever
            note = {"error_cb": lambda error: wrong.append(error) if _wrong_password(error) else None}
            self._admin = AdminClient(self.confluent() | note)
        return self._admin

    async def cluster_id(self) -> str:
        """The id the cluster was formatted with."""
        described = await self._answer(self._ask().describe_cluster(request_timeout=ANSWER_WITHIN))
        return str(described.cluster_id)

    async def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Kafka's own id of each topic's present incarnation; absent ones are left out."""
        futures = self._ask().describe_topics(TopicCollection(list(topics)), request_timeout=ANSWER_WITHIN)
        found = {}
        for name, future in futures.items():
            described = await self._answer(future, missing_is_none=True)
            if described is not None:
                found[name] = str(described.topic_id)
        return found

    async def partition_counts(self) -> dict[str, int]:
        """How many partitions each topic has that this principal sees."""
        try:
            found = await asyncio.to_thread(self._ask().list_topics, timeout=ANSWER_WITHIN)
        except KafkaException as error:
            raise self._away(error) from error
        return {name: len(topic.partitions) for name, topic in found.topics.items()}

    async def begins(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The offset of each one's first record."""
        return await self._bounds(partitions, OffsetSpec.earliest())

    async def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The offset that each one's next record gets."""
        return await self._bounds(partitions, OffsetSpec.latest())

    async def _bounds(self, partitions: Iterable[Partition], which: OffsetSpec) -> dict[Partition, int]:
        return {p: found.offset for p, found in (await self.offsets(dict.fromkeys(partitions, which))).items()}

    async def offsets(self, wanted: Mapping[Partition, OffsetSpec]) -> dict[Partition, Any]:
        """Offset and time of the record that each specification means. It takes the right to describe, not to read.

        Raises:
            NotPermitted: this principal may not see one of the topics.
            Surroundings: the broker is away.
        """
        if not wanted:
            return {}
        asked = {TopicPartitionAsked(*p): spec for p, spec in wanted.items()}
        how = {"isolation_level": IsolationLevel.READ_COMMITTED, "request_timeout": ANSWER_WITHIN}
        try:
            futures = self._ask().list_offsets(asked, **how)
        except KafkaException as error:
            raise self._away(error) from error
        return {(at.topic, at.partition): await self._answer(future) for at, future in futures.items()}

    async def remove_before(self, offsets: Mapping[Partition, int]) -> None:
        """Delete every record below these offsets, for ever; what a room keeps for itself, that is.

        Raises:
            NotPermitted: this principal may not.
            Surroundings: the broker is away.
        """
        asked = [TopicPartitionAsked(*p, offset) for p, offset in offsets.items() if offset > 0]
        for future in self._ask().delete_records(asked).values() if asked else ():
            await self._answer(future)

    async def _answer(self, future: Any, *, missing_is_none: bool = False) -> Any:
        answer = asyncio.wrap_future(future)
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # or asyncio complains of the last
        end = time.monotonic() + ANSWER_WITHIN + 5
        while not answer.done():  # librdkafka tries a wrong password for ever; it only times out
            if time.monotonic() > end:  # or not even that, once its client was let go
                self._admin = None
                raise Surroundings("the broker does not answer")
            await asyncio.wait([answer], timeout=0.1)
            self._ask().poll(0)
            if self._wrong:
                raise NotPermitted(f"the broker refused {self.principal}: wrong user or password")
        try:
            return answer.result()
        except KafkaException as error:
            name = error.args[0].name()
            if missing_is_none and name == "UNKNOWN_TOPIC_OR_PART":
                return None
            if "AUTH" in name:
                raise NotPermitted(f"the broker refused {self.principal} ({name})") from error
            raise self._away(error) from error

    def _away(self, error: KafkaException) -> Surroundings:
        """The next question is a new client's. After a broker that stood still for long one never found it again, and
        after one that was killed it asks by an epoch that is no longer valid, FENCED_LEADER_EPOCH, for ever: seen."""
        self._admin = None
        return Surroundings(f"the broker is away ({error.args[0].name()})")

    async def close(self) -> None:
        """Let go of the admin connection."""
        self._admin = None


class KafkaReader(ConsumerRebalanceListener):  # type: ignore[misc]
    """A group member that never moves by itself: paused at 0 after each rebalance until the loop has read the guard."""

    def __init__(
        self, common: dict[str, Any], settings: Settings, group: str, topics: Collection[str], principal: str
    ) -> None:
        self.generation = 0
        self._principal = principal
        self._topics = sorted(topics)
        session_ms = int(settings.session_timeout * 1000)
        self._consumer = AIOKafkaConsumer(
            **common,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(session_ms // 5, 100),
            max_poll_interval_ms=max(300_000, 10 * session_ms),
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )

    # Both callbacks are synchronous on purpose: an asynchronous one lets records in before the seek (rule 4).
    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.generation += 1

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        for partition in assigned:
            self._consumer.seek(partition, 0)
            self._consumer.pause(partition)
        self.generation += 1

    async def start(self) -> None:
        async with translated(self._principal, "joining the group"):
            self._consumer.subscribe(self._topics, listener=self)
            await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()

    def assignment(self) -> set[Partition]:
        return {(tp.topic, tp.partition) for tp in self._consumer.assignment()}

    async def poll(self, most: int, timeout_ms: int) -> Mapping[Partition, Sequence[Record]]:
        async with translated(self._principal, "reading"):
            return await self._consumer.getmany(max_records=most, timeout_ms=timeout_ms)  # type: ignore[no-any-return]

    def seek(self, partition: Partition, offset: int) -> None:
        self._consumer.seek(TopicPartition(*partition), offset)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._consumer.pause(*(TopicPartition(*p) for p in partitions))

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._consumer.resume(*(TopicPartition(*p) for p in partitions))

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        async with translated(self._principal, "asking how far it has read", ANSWER_WITHIN):
            return {p: await self._consumer.position(TopicPartition(*p)) for p in partitions}

    async def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
        async with translated(self._principal, "reading its offsets", ANSWER_WITHIN):
            return {p: await self._consumer.committed(TopicPartition(*p)) for p in partitions}

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        try:
            async with translated(self._principal, "committing", ANSWER_WITHIN):
                await self._consumer.commit({TopicPartition(*p): offset for p, offset in offsets.items()})
        except Surroundings as error:
            lost = (
                kafka_errors.CommitFailedError,
                kafka_errors.IllegalStateError,
                kafka_errors.RebalanceInProgressError,
            )
            if isinstance(error.__cause__, lost):
                return False
            raise
        return True

    async def beginnings(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        async with translated(self._principal, "asking where its logs begin", ANSWER_WITHIN):
            found = await self._consumer.beginning_offsets([TopicPartition(*p) for p in partitions])
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        async with translated(self._principal, "asking where its logs end", ANSWER_WITHIN):
            found = await self._consumer.end_offsets([TopicPartition(*p) for p in partitions])
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def partitions(self, topics: Iterable[str]) -> set[Partition]:
        found: set[Partition] = set()
        for topic in topics:
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                raise Surroundings(f"topic {topic} is not there; has `safebus topics apply` been run?")
            found |= {(topic, n) for n in numbers}
        return found


@lru_cache(maxsize=65_536)
def hashed(key: bytes) -> int:
    """murmur2 as every client of the bus must use it. aiokafka's is pure Python, and a child's key comes again."""
    return int(murmur2(key) & 0x7FFFFFFF)


class KafkaWriter:
    """Explicit batches, closed before they are sent, so the producer never splits or mixes them."""

    def __init__(self, common: dict[str, Any], settings: Settings, principal: str) -> None:
        self._principal = principal
        self._timeout = settings.send_timeout
        self._partitions: dict[str, int] = {}
        self._producer = AIOKafkaProducer(
            **common,
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",
            max_batch_size=settings.max_event_bytes + OVERHEAD,
            max_request_size=settings.max_event_bytes + OVERHEAD,
        )

    async def start(self) -> None:
        async with translated(self._principal, "starting to write"):
            await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def know(self, topics: Iterable[str]) -> None:
        for topic in topics:
            async with translated(self._principal, f"asking for {topic}"):
                self._partitions[topic] = len(await self._producer.partitions_for(topic))

    def partition_for(self, topic: str, key: bytes) -> int:
        return hashed(key) % self._partitions[topic]

    async def send(self, partition: Partition, records: Sequence[Sending]) -> None:
        topic, number = partition
        batch = self._producer.create_batch()
        for record in records:
            if batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is None:
                await self._acknowledged(batch, topic, number)
                batch = self._producer.create_batch()
                if batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is None:
                    raise Unacknowledged(f"a record for {topic} is larger than a batch may be")
        await self._acknowledged(batch, topic, number)

    async def _acknowledged(self, batch: Any, topic: str, number: int) -> None:
        batch.close()
        try:
            async with asyncio.timeout(self._timeout):
                # Shielded: cancelling aiokafka's own future would leave its sender in a state nobody has tested.
                await asyncio.shield(await self._producer.send_batch(batch, topic, partition=number))
        except TimeoutError as error:
            raise Unacknowledged(f"no acknowledgement from {topic}[{number}] in {self._timeout:g} s") from error
        except kafka_errors.KafkaError as error:
            raise Unacknowledged(f"{topic}[{number}] refused a batch: {type(error).__name__}") from error
