"""A broker for a replay: it reads a service's topics from their beginnings to given offsets, outside any group, and has
no way to send anything. The service may run meanwhile and notices nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.bus.broker import Partition, Record, Registrar, Sending
from services.bus.errors import MustStop, Surroundings
from services.bus.kafka import KafkaBroker
from services.operating.reading import Read

PATIENCE: Final = 15.0
"""Seconds."""
SPAN_MS: Final = 1000
"""A batch holds what the broker took within this, so that no moment that a view waits for falls into one."""
AT_ONCE: Final = 1000
MANY: Final = 2000
FEW: Final = 500
"""Records of one partition that wait here at most, and at how many more are fetched."""

T = TypeVar("T")


class SilentBroker:
    """What the loop needs of a broker (services/bus/broker.py), for one replay."""

    def __init__(self, broker: KafkaBroker, until: Mapping[Partition, int]) -> None:
        """
        Args:
            until: by partition, the first offset that is not read any more.
        """
        self._broker, self._until = broker, until
        self._reader: SilentReader | None = None

    @property
    def begin_later(self) -> list[Partition]:
        """Logs that have lost their beginning."""
        begins = self._reader.known_begins if self._reader else {}
        return sorted(place for place, begin in begins.items() if begin > 0)

    async def upcoming(self) -> datetime | None:
        """When the broker took the record that comes next; None when all were read."""
        return await self._reader.upcoming() if self._reader else None

    def reader(self, group: str, topics: Collection[str]) -> SilentReader:
        self._reader = SilentReader(self._broker.confluent(), group, topics, self._until)
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
    """Has every partition, is in no group, and gives records in the order in which the broker took them.

    A service that runs reads its topics about so, and a view that several topics fold into depends on it. Those of one
    topic may change places in a batch, as theirs are different keys; those of several may not.
    """

    def __init__(
        self, common: Mapping[str, Any], group: str, topics: Collection[str], until: Mapping[Partition, int]
    ) -> None:
        self.generation = 0
        self._topics, self._until = sorted(topics), until
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="replay")
        self._places: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._full: set[Partition] = set()
        self._begins: dict[Partition, int] = {}
        self._at: dict[Partition, int] = {}
        self._waiting: dict[Partition, deque[Read]] = {}
        self._ended: set[Partition] = set()
        # The client wants a name. Nothing is subscribed, fetched or committed under it.
        own = {"group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False}
        reading = {"auto.offset.reset": "error", "isolation.level": "read_committed", "fetch.wait.max.ms": 100}
        self._consumer: Any = Consumer(dict(common) | own | reading | {"enable.partition.eof": True})

    @property
    def known_begins(self) -> Mapping[Partition, int]:
        """Where each log began when this was started."""
        return self._begins

    async def start(self) -> None:
        await self._in_thread(self._start)
        self.generation = 1

    def _start(self) -> None:
        there = self._consumer.list_topics(timeout=PATIENCE).topics
        for topic in self._topics:
            if topic not in there:
                raise Surroundings(f"topic {topic} is not there; has `safebus topics apply` been run?")
            self._places |= {(topic, number) for number in there[topic].partitions}
        for place in self._places:
            begin, _ = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=PATIENCE)
            self._begins[place] = int(begin)
        self._at, self._paused = dict(self._begins), set(self._places)
        self._assign()

    def _assign(self) -> None:
        self._waiting = {place: deque() for place in self._places}
        self._ended = {place for place in self._places if self._at[place] >= self._end(place)}
        self._full = set()
        left = self._places - self._ended
        self._consumer.assign([TopicPartition(*place, self._at[place]) for place in sorted(left)])

    async def stop(self) -> None:
        await self._in_thread(self._consumer.close)
        self._thread.shutdown(wait=False)

    def assignment(self) -> set[Partition]:
        return set(self._places)

    async def upcoming(self) -> datetime | None:
        """When the broker took the record that comes next; None when all were read."""
        taken = await self._in_thread(self._upcoming)
        return None if taken is None else datetime.fromtimestamp(taken / 1000, UTC)

    def _upcoming(self) -> int | None:
        self._fill()
        return min((waiting[0].timestamp for waiting in self._readable()), default=None)

    async def poll(self, most: int, timeout_ms: int) -> Mapping[Partition, Sequence[Record]]:
        return await self._in_thread(self._poll, most)

    def _poll(self, most: int) -> Mapping[Partition, Sequence[Record]]:
        self._fill()
        found: dict[Partition, list[Record]] = {}
        topics: list[str] = []
        first: int | None = None
        for _ in range(most):
            readable = list(self._readable())
            if not readable or any(not self._waiting[place] for place in self._active()):
                break  # what is not here yet may be older
            record = min((waiting[0] for waiting in readable), key=lambda one: (one.timestamp, one.topic))
            first = record.timestamp if first is None else first
            again = record.topic in topics and record.topic != topics[-1]
            if again or record.timestamp - first > SPAN_MS:
                break
            topics.append(record.topic)
            self._took(record)
            found.setdefault((record.topic, record.partition), []).append(record)
        return found

    def _took(self, record: Read) -> None:
        place = (record.topic, record.partition)
        self._waiting[place].popleft()
        self._at[place] = record.offset + 1
        if not self._waiting[place] and place in self._ended:
            self._at[place] = self._end(place)
        if place in self._full and len(self._waiting[place]) < FEW:
            self._full.discard(place)
            self._consumer.resume([TopicPartition(*place)])

    def _active(self) -> set[Partition]:
        """Of which more is to come."""
        return self._places - self._paused - self._ended

    def _readable(self) -> Iterator[deque[Read]]:
        return (waiting for place, waiting in self._waiting.items() if waiting and place not in self._paused)

    def _fill(self) -> None:
        """Until something of each partition is here, or all of it was."""
        waited = 0.0
        while any(not self._waiting[place] for place in self._active()):
            messages = self._consumer.consume(AT_ONCE, timeout=0.2)
            for message in messages:
                self._sort(message)
            waited = 0.0 if messages else waited + 0.2
            if waited > PATIENCE:
                raise Surroundings("the broker does not answer")

    def _sort(self, message: Any) -> None:
        place, error = (message.topic(), message.partition()), message.error()
        if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise MustStop(f"{place[0]}[{place[1]}] lost its oldest events while it was read; begin again")
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise Surroundings(f"the broker is away ({error.name()})")
        if error is not None or message.offset() >= self._end(place):
            self._is_read(place)
            return
        headers = message.headers() or ()
        record = Read(*place, message.offset(), message.key(), message.value(), headers, message.timestamp()[1])
        self._waiting[place].append(record)
        if record.offset + 1 == self._end(place):
            self._is_read(place)
        elif len(self._waiting[place]) >= MANY and place not in self._full:
            self._full.add(place)
            self._consumer.pause([TopicPartition(*place)])

    def _is_read(self, place: Partition) -> None:
        """All that the replay is about was fetched, though the log may have gaps before its end."""
        if place not in self._ended:
            self._ended.add(place)
            self._full.discard(place)
            self._consumer.pause([TopicPartition(*place)])
        if not self._waiting[place]:
            self._at[place] = self._end(place)

    def _end(self, place: Partition) -> int:
        return max(self._until.get(place, 0), self._begins.get(place, 0))

    def seek(self, partition: Partition, offset: int) -> None:
        """Where it stands already, as a rule: a replay begins where the log does, and goes on to its end."""
        if self._at[partition] != offset:
            self._at[partition] = offset
            self._assign()

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused |= set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused -= set(partitions)

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """What would be polled next; once everything was polled, the end, though the log may have gaps before it."""
        return {place: self._at[place] for place in partitions}

    async def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
        return dict.fromkeys(partitions)

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Nothing is committed, and that is in order."""
        return True

    async def beginnings(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        return {place: self._begins[place] for place in partitions}

    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        return {place: self._end(place) for place in partitions}

    async def partitions(self, topics: Iterable[str]) -> set[Partition]:
        wanted = set(topics)
        return {place for place in self._places if place[0] in wanted}

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *arguments))
        except KafkaException as error:
            raise Surroundings(f"the broker is away ({error.args[0].name()})") from error
