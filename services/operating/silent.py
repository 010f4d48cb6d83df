"""A broker for a replay: it reads a service's topics from their beginnings to given offsets, outside any group, and has
no way to send anything. The service may run meanwhile and notices nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.bus.broker import Partition, Record, Registrar, Sending
from services.bus.errors import MustStop, Surroundings
from services.bus.kafka import KafkaBroker
from services.bus.ordered import InOrder
from services.operating.reading import Read

SPAN_MS: Final = 1000
"""A batch holds what the broker took within this, so that no moment that a view waits for falls into one."""

T = TypeVar("T")


class SilentBroker:
    """What the loop needs of a broker (services/bus/broker.py), for one replay."""

    def __init__(self, broker: KafkaBroker, until: Mapping[Partition, int]) -> None:
        """
        Args:
            until: by partition, the first offset that is not read any more.
        """
        self._broker, self._until = broker, until
        self._begins: Mapping[Partition, int] = {}
        self._reader: InOrder | None = None

    @property
    def begin_later(self) -> list[Partition]:
        """Logs that have lost their beginning."""
        return sorted(place for place, begin in self._begins.items() if begin > 0)

    async def upcoming(self) -> datetime | None:
        """When the broker took the record that comes next; None when all were read."""
        taken = await self._reader.upcoming() if self._reader else None
        return None if taken is None else datetime.fromtimestamp(taken / 1000, UTC)

    def reader(self, group: str, topics: Collection[str]) -> InOrder:
        silent = SilentReader(self._broker, group, topics, self._until)
        self._begins, self._reader = silent.begins, InOrder(silent, SPAN_MS)
        return self._reader

    def writer(self) -> SilentWriter:
        return SilentWriter()

    def registrar(self) -> Registrar:
        return self._broker.registrar()

    def scan(self, topics: Collection[str]) -> AsyncIterator[Record]:
        return self._broker.scan(topics)

    async def close(self) -> None:
        await self._broker.close()


class SilentWriter:
    """Sends nothing. That it is asked to is a fault: a replay drops whatever was decided before."""

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return

    async def know(self, topics: Iterable[str]) -> None:
        return

    def partition_for(self, topic: str, key: bytes) -> int:
        return 0

    async def send(self, partition: Partition, records: Sequence[Sending]) -> None:
        raise MustStop("a replay may send nothing, and was about to; nothing was sent")


class SilentReader:
    """Has every partition, is in no group, and gives what has come of them up to the offsets that it is told."""

    def __init__(
        self, broker: KafkaBroker, group: str, topics: Collection[str], until: Mapping[Partition, int]
    ) -> None:
        self.generation = 0
        self._broker, self._topics, self._until = broker, sorted(topics), until
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="replay")
        self.begins: dict[Partition, int] = {}
        """Where each log began when this was started."""
        self._at: dict[Partition, int] = {}
        # The client wants a name. Nothing is subscribed, fetched or committed under it.
        own = {"group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False}
        reading = {"auto.offset.reset": "error", "isolation.level": "read_committed", "fetch.wait.max.ms": 100}
        self._consumer: Any = Consumer(broker.confluent() | own | reading | {"enable.partition.eof": True})

    async def start(self) -> None:
        there = await self._broker.partition_counts()
        for topic in self._topics:
            if topic not in there:
                raise Surroundings(f"topic {topic} is not there; has `safebus topics apply` been run?")
        places = ((topic, number) for topic in self._topics for number in range(there[topic]))
        self.begins.update(await self._broker.begins(places))
        self._at = dict(self.begins)
        await self._in_thread(self._assign)
        self.generation = 1

    def _assign(self) -> None:
        """Read on from where it is; of what is read to its end, nothing more."""
        left = [TopicPartition(*place, at) for place, at in sorted(self._at.items()) if at < self._end(place)]
        self._consumer.assign(left)

    async def stop(self) -> None:
        await self._in_thread(self._consumer.close)
        self._thread.shutdown(wait=False)

    def assignment(self) -> set[Partition]:
        return set(self._at)

    async def poll(self, most: int, timeout_ms: int) -> Mapping[Partition, Sequence[Record]]:
        messages = await self._in_thread(self._consumer.consume, most, timeout_ms / 1000)
        found: dict[Partition, list[Record]] = {}
        for message in messages:
            if (record := self._record(message)) is not None:
                found.setdefault((record.topic, record.partition), []).append(record)
        return found

    def _record(self, message: Any) -> Read | None:
        """None where the log ends, though it may have gaps before that, and for what the replay is not about."""
        place, error = (message.topic(), message.partition()), message.error()
        if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise MustStop(f"{place[0]}[{place[1]}] lost its oldest events while it was read; begin again")
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise Surroundings(f"the broker is away ({error.name()})")
        end = self._end(place)
        record = None
        if error is None and message.offset() < end:
            headers = message.headers() or ()
            record = Read(*place, message.offset(), message.key(), message.value(), headers, message.timestamp()[1])
        self._at[place] = end if record is None else record.offset + 1
        if self._at[place] == end:
            self._consumer.pause([TopicPartition(*place)])
        return record

    def _end(self, place: Partition) -> int:
        return max(self._until.get(place, 0), self.begins.get(place, 0))

    def seek(self, partition: Partition, offset: int) -> None:
        """Where it stands already, as a rule: a replay begins where the log does, and goes on to its end."""
        if self._at[partition] != offset:
            self._at[partition] = offset
            self._assign()

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._consumer.pause(self._left(partitions))

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._consumer.resume(self._left(partitions))

    def _left(self, partitions: Iterable[Partition]) -> list[TopicPartition]:
        return [TopicPartition(*place) for place in partitions if self._at[place] < self._end(place)]

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """What would be polled next; once everything was polled, the end, though the log may have gaps before it."""
        return {place: self._at[place] for place in partitions}

    async def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
        return dict.fromkeys(partitions)

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Nothing is committed, and that is in order."""
        return True

    async def beginnings(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        return {place: self.begins[place] for place in partitions}

    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        return {place: self._end(place) for place in partitions}

    async def partitions(self, topics: Iterable[str]) -> set[Partition]:
        wanted = set(topics)
        return {place for place in self._at if place[0] in wanted}

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *arguments))
        except KafkaException as error:
            raise Surroundings(f"the broker is away ({error.args[0].name()})") from error
