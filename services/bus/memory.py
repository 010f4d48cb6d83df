"""A broker in memory, for tests of rooms and of the loop: the same behaviour suite runs on it and on a real one.

It keeps what the loop relies on: offsets, groups with generations, paused assignments, topic ids, murmur2. It can be
told to refuse or to be away. It is nobody's model of Kafka's timing: what depends on that is tested on a real broker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from aiokafka.partitioner import murmur2

from services.bus.broker import Header, Partition, Record, Sending
from services.bus.errors import MustStop, Surroundings, Unacknowledged


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """One record of a log; `timestamp` in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int


@dataclass(slots=True)
class _Topic:
    id: str
    logs: list[list[MemoryRecord]]
    begins: dict[int, int] = field(default_factory=dict)


class MemoryBroker:
    """Every principal's broker at once; `away` and `refuse` bring the surroundings' faults."""

    def __init__(self, topics: Mapping[str, int] | None = None) -> None:
        self.cluster = "memory-" + uuid4().hex[:8]
        self.topics: dict[str, _Topic] = {}
        self.committed: dict[tuple[str, Partition], int] = {}
        self.groups: dict[str, list[MemoryReader]] = {}
        self.away = False
        self.refuse: set[str] = set()
        self.changed = asyncio.Event()
        for name, partitions in (topics or {}).items():
            self.create(name, partitions)

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make a topic; made again, it has another id, is empty, and no group has read it."""
        self.committed = {(group, p): n for (group, p), n in self.committed.items() if p[0] != topic}
        self.topics[topic] = _Topic(uuid4().hex, [[] for _ in range(partitions)])

    def topic(self, name: str) -> _Topic:
        """The topic of that name.

        Raises:
            Surroundings: there is none.
        """
        if name not in self.topics:
            raise Surroundings(f"topic {name} is not there")
        return self.topics[name]

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> None:
        """Produce one record, as any client would; without a key it may go anywhere."""
        logs = self.topics[topic].logs
        number = (murmur2(key) & 0x7FFFFFFF) % len(logs) if key is not None else 0
        now = int(time.time() * 1000)
        logs[number].append(MemoryRecord(topic, number, len(logs[number]), key, value, headers, now))
        self.changed.set()

    def records(self, topic: str) -> list[MemoryRecord]:
        return [record for log in self.topics[topic].logs for record in log]

    def reader(self, group: str, topics: Collection[str]) -> MemoryReader:
        return MemoryReader(self, group, topics)

    def writer(self) -> MemoryWriter:
        return MemoryWriter(self)

    def registrar(self) -> MemoryBroker:
        return self

    async def cluster_id(self) -> str:
        self.here()
        return self.cluster

    async def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        self.here()
        return {name: self.topics[name].id for name in topics if name in self.topics}

    async def scan(self, topics: Collection[str]) -> AsyncIterator[Record]:
        self.here()
        for topic in topics:
            for record in self.records(topic):
                yield record

    async def close(self) -> None:
        pass

    def here(self) -> None:
        if self.away:
            raise Surroundings("the broker is away")

    def rebalance(self, group: str) -> None:
        """Share the partitions among the members, as every join and leave does."""
        members = self.groups.get(group, [])
        topics = sorted({topic for member in members for topic in member.topics})
        everything = [(topic, n) for topic in topics for n in range(len(self.topics[topic].logs))]
        for index, member in enumerate(members):
            member.assigned({p for i, p in enumerate(everything) if i % len(members) == index})


class MemoryReader:
    """A group member; see broker.Reader."""

    def __init__(self, broker: MemoryBroker, group: str, topics: Collection[str]) -> None:
        self.generation = 0
        self.topics = sorted(topics)
        self._broker, self._group = broker, group
        self._positions: dict[Partition, int] = {}
        self._paused: set[Partition] = set()

    def assigned(self, partitions: set[Partition]) -> None:
        """A rebalance: everything at 0 and paused."""
        self._positions = dict.fromkeys(partitions, 0)
        self._paused = set(partitions)
        self.generation += 1

    async def start(self) -> None:
        self._broker.here()
        self._broker.groups.setdefault(self._group, []).append(self)
        self._broker.rebalance(self._group)

    async def stop(self) -> None:
        members = self._broker.groups.get(self._group, [])
        if self in members:
            members.remove(self)
            self._broker.rebalance(self._group)

    def assignment(self) -> set[Partition]:
        return set(self._positions)

    async def poll(self, most: int, timeout_ms: int) -> Mapping[Partition, Sequence[Record]]:
        deadline = time.monotonic() + timeout_ms / 1000
        while not (found := self._fetch(most)) and (left := deadline - time.monotonic()) > 0:
            self._broker.changed.clear()
            try:
                await asyncio.wait_for(self._broker.changed.wait(), left)
            except TimeoutError:
                break
        return found

    def _fetch(self, most: int) -> dict[Partition, list[MemoryRecord]]:
        found: dict[Partition, list[MemoryRecord]] = {}
        if self._broker.away:
            return found
        for p, position in self._positions.items():
            topic = self._broker.topics.get(p[0])
            if topic is None or p in self._paused or most <= 0:
                continue
            log = topic.logs[p[1]]
            if not topic.begins.get(p[1], 0) <= position <= len(log):
                raise MustStop(f"an offset of {self._group} is no longer in the log")
            if batch := log[position : position + most]:
                found[p] = batch
                most -= len(batch)
        for p, batch in found.items():
            self._positions[p] += len(batch)
        return found

    def seek(self, partition: Partition, offset: int) -> None:
        self._positions[partition] = offset

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused |= set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused -= set(partitions)
        self._broker.changed.set()

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return {p: self._positions[p] for p in partitions if p in self._positions}

    async def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
        self._broker.here()
        return {p: self._broker.committed.get((self._group, p)) for p in partitions}

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        self._broker.here()
        if not set(offsets) <= self._positions.keys():
            return False
        self._broker.committed |= {(self._group, p): offset for p, offset in offsets.items()}
        return True

    async def beginnings(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        self._broker.here()
        return {p: self._broker.topic(p[0]).begins.get(p[1], 0) for p in partitions}

    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        self._broker.here()
        return {p: len(self._broker.topic(p[0]).logs[p[1]]) for p in partitions}

    async def partitions(self, topics: Iterable[str]) -> set[Partition]:
        self._broker.here()
        return {(topic, n) for topic in topics for n in range(len(self._broker.topic(topic).logs))}


class MemoryWriter:
    """A producer; see broker.Writer."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def start(self) -> None:
        self._broker.here()

    async def stop(self) -> None:
        pass

    async def know(self, topics: Iterable[str]) -> None:
        self._broker.here()
        for topic in topics:
            self._broker.topic(topic)

    def partition_for(self, topic: str, key: bytes) -> int:
        return int((murmur2(key) & 0x7FFFFFFF) % len(self._broker.topics[topic].logs))

    async def send(self, partition: Partition, records: Sequence[Sending]) -> None:
        await asyncio.sleep(0)
        if self._broker.away or partition[0] in self._broker.refuse:
            raise Unacknowledged(f"{partition[0]}[{partition[1]}] refused a batch")
        for record in records:
            self._broker.append(partition[0], record.key, record.value, record.headers)
