"""Reads every partition in the order in which the broker took their records, as a service that runs reads them about.

For a recovery: what is remembered of a child follows from several topics, and whether a deadline was missed before it
was met follows from their order. Kafka's own order across partitions is any.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heapreplace, merge
from math import inf

from services.bus.broker import Partition, Reader, Record
from services.bus.errors import Surroundings

MANY, FEW = 2000, 500
"""Records of one partition that wait here at most, and at how many more are fetched."""
PATIENCE = 15.0
"""Seconds."""


def in_order(partitions: Iterable[Sequence[Record]]) -> list[Record]:
    """Their records by the broker's time, and each partition's in its own order even where that clock was set back."""
    return list(merge(*partitions, key=lambda record: record.timestamp))


class InOrder:
    """A Reader around another one. Nothing is given while an older record may still come."""

    def __init__(self, reader: Reader, span_ms: float = inf) -> None:
        """
        Args:
            span_ms: what is given at once was taken by the broker within so many milliseconds.
        """
        self._reader, self._span_ms = reader, span_ms
        self._waiting: dict[Partition, deque[Record]] = defaultdict(deque)
        self._ends: dict[Partition, int] = {}
        self._ended: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._full: set[Partition] = set()

    @property
    def generation(self) -> int:
        return self._reader.generation

    async def start(self) -> None:
        await self._reader.start()

    async def stop(self) -> None:
        await self._reader.stop()

    def assignment(self) -> set[Partition]:
        return self._reader.assignment()

    async def poll(self, most: int, timeout_ms: int) -> Mapping[Partition, Sequence[Record]]:
        """The oldest records; none when one that may be older has not come in time."""
        generation, until = self.generation, time.monotonic() + timeout_ms / 1000
        while await self._awaited() or not self._readable():
            await self._fetch(most, timeout_ms)
            if self.generation != generation or time.monotonic() > until:
                break
        if self.generation != generation or await self._awaited():
            return {}
        return self._oldest(most)

    async def upcoming(self) -> int | None:
        """When the broker took the record that comes next, in milliseconds since 1970; None when all were read.

        Raises:
            Surroundings: the broker does not answer.
        """
        until = time.monotonic() + PATIENCE
        while await self._awaited():
            if await self._fetch(MANY, 200):
                until = time.monotonic() + PATIENCE
            elif time.monotonic() > until:
                raise Surroundings("the broker does not answer")
        return min((self._waiting[place][0].timestamp for place in self._readable()), default=None)

    async def _fetch(self, most: int, timeout_ms: int) -> bool:
        """Whether anything has come."""
        polled = await self._reader.poll(most, timeout_ms)
        for place, records in polled.items():
            self._came(place, records)
        return bool(polled)

    def _came(self, place: Partition, records: Sequence[Record]) -> None:
        self._waiting[place].extend(records)
        if len(self._waiting[place]) >= MANY:
            self._full.add(place)
            self._reader.pause([place])

    def _oldest(self, most: int) -> dict[Partition, list[Record]]:
        found: dict[Partition, list[Record]] = {}
        first = [(self._waiting[place][0].timestamp, place) for place in self._readable()]
        began = min(first)[0] if first else 0
        heapify(first)
        for _ in range(most):
            if not first or first[0][0] - began > self._span_ms:
                break
            _, place = first[0]
            waiting = self._waiting[place]
            found.setdefault(place, []).append(waiting.popleft())
            if place in self._full and len(waiting) < FEW:
                self._full.discard(place)
                self._reader.resume([place])
            if waiting:
                heapreplace(first, (waiting[0].timestamp, place))
            elif place in self._ended:
                heappop(first)
            else:
                break
        return found

    def _readable(self) -> list[Partition]:
        return [place for place, waiting in self._waiting.items() if waiting and place not in self._paused]

    async def _awaited(self) -> list[Partition]:
        """Of which nothing is here, and something is to come."""
        asked = [p for p in self.assignment() - self._paused - self._ended if not self._waiting[p]]
        if unknown := [p for p in asked if p not in self._ends]:
            self._ends |= await self._reader.ends(unknown)
        read = await self._reader.positions(asked)
        self._ended |= {p for p in asked if read.get(p, 0) >= self._ends[p]}
        return [p for p in asked if p not in self._ended]

    def seek(self, partition: Partition, offset: int) -> None:
        self._waiting[partition].clear()
        self._ends.pop(partition, None)
        self._ended.discard(partition)
        self._full.discard(partition)
        self._reader.seek(partition, offset)

    def pause(self, partitions: Iterable[Partition]) -> None:
        some = set(partitions)
        self._paused |= some
        self._reader.pause(some)

    def resume(self, partitions: Iterable[Partition]) -> None:
        some = set(partitions)
        self._paused -= some
        self._reader.resume(some - self._full)

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        read = await self._reader.positions(partitions)
        return {p: self._waiting[p][0].offset if self._waiting[p] else offset for p, offset in read.items()}

    async def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
        return await self._reader.committed(partitions)

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        return await self._reader.commit(offsets)

    async def beginnings(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        return await self._reader.beginnings(partitions)

    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        return await self._reader.ends(partitions)

    async def partitions(self, topics: Iterable[str]) -> set[Partition]:
        return await self._reader.partitions(topics)
