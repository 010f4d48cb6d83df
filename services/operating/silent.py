"""A broker for a replay: it reads a service's topics from their beginnings to given offsets, outside any group, and has
no way to send anything. The service may run meanwhile and notices nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.bus.broker import Partition, Record, Registrar, Sending
from services.bus.errors import MustStop, Surroundings
from services.bus.kafka import KafkaBroker
from services.operating.reading import Read

PATIENCE: Final = 15.0
"""Seconds."""

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
    """Has every partition, and is in no group."""

    def __init__(
        self, common: Mapping[str, Any], group: str, topics: Collection[str], until: Mapping[Partition, int]
    ) -> None:
        self.generation = 0
        self._topics, self._until = sorted(topics), until
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="replay")
        self._places: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._begins: dict[Partition, int] = {}
        self._at: dict[Partition, int] = {}
        # The client wants a name. Nothing is subscribed, fetched or committed under it.
        own = {"group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False}
        own["enable.partition.eof"] = True
        reading = {"auto.offset.reset": "error", "isolation.level": "read_committed", "fetch.wait.max.ms": 100}
        self._consumer: Any = Consumer(dict(common) | own | reading)

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

    async def stop(self) -> None:
        await self._in_thread(self._consumer.close)
        self._thread.shutdown(wait=False)

    def assignment(self) -> set[Partition]:
        return set(self._places)

    async def poll(self, most: int, timeout_ms: int) -> Mapping[Partition, Sequence[Record]]:
        return await self._in_thread(self._poll, most, timeout_ms / 1000)

    def _poll(self, most: int, seconds: float) -> dict[Partition, list[Record]]:
        found: dict[Partition, list[Record]] = {}
        for message in self._consumer.consume(most, timeout=seconds):
            place = (message.topic(), message.partition())
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                self._at[place] = self._end(place)  # the log's end, so everything before was polled, gaps or not
            elif error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
                raise MustStop(f"{place[0]}[{place[1]}] lost its oldest events while it was read; begin again")
            elif error is not None:
                raise Surroundings(f"the broker is away ({error.name()})")
            elif message.offset() >= self._end(place):
                self._at[place] = self._end(place)
                self.pause([place])  # all that the replay is about was read
            else:
                headers = message.headers() or ()
                record = Read(*place, message.offset(), message.key(), message.value(), headers, message.timestamp()[1])
                found.setdefault(place, []).append(record)
                self._at[place] = message.offset() + 1
        return found

    def _end(self, place: Partition) -> int:
        return max(self._until.get(place, 0), self._begins.get(place, 0))

    def seek(self, partition: Partition, offset: int) -> None:
        """Where it stands already, as a rule: a replay begins where the log does, and goes on to its end."""
        if self._at[partition] != offset:
            self._at[partition] = offset
            self._assign()

    def _assign(self) -> None:
        self._consumer.assign([TopicPartition(*place, self._at[place]) for place in sorted(self._places)])
        self.pause(self._paused)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._consumer.pause([TopicPartition(*place) for place in partitions])
        self._paused |= set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        wanted = [place for place in partitions if self._at.get(place, 0) < self._end(place)]
        self._consumer.resume([TopicPartition(*place) for place in wanted])
        self._paused -= set(wanted)

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """What would be polled next; once everything was polled, the end, though the log may have gaps before it."""
        return {place: min(self._at[place], self._end(place)) for place in partitions}

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
