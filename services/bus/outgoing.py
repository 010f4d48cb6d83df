"""Sending: one round's outputs at a time, in order, while the loop decides the next."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from services.bus import tracing
from services.bus.broker import Partition, Record, Sending, Writer
from services.bus.metrics import LATENCY, SAID, UNSENT
from services.bus.packs import Output

_TO, _CAME = attrgetter("to_topic"), attrgetter("topic", "timestamp")


class Outgoing:
    """What is on its way out, and what of it has been acknowledged."""

    def __init__(self, service: str, writer: Writer, probe: Callable[[str], None]) -> None:
        self.writer = writer
        self.acknowledged: dict[Partition, tuple[int, int]] = {}
        """By input partition, the last (offset, ordinal) whose outputs are all acknowledged and still stored."""
        self.committable: dict[Partition, int] = {}
        """By input partition, the offset that Kafka may be told."""
        self._service, self._probe = service, probe
        self._task: asyncio.Task[None] | None = None

    async def start(self, outputs: Sequence[Output], nexts: Mapping[Partition, int], records: Sequence[Record]) -> None:
        """Wait for the round before, then send this one in the background."""
        await self.settle()
        if not outputs:
            self.committable |= nexts
            self._measure(records)
            return
        UNSENT.labels(self._service).set(len(outputs))
        self._task = asyncio.create_task(self._send(outputs, nexts, records))

    async def settle(self) -> None:
        """Until everything that was started is acknowledged.

        Raises:
            Unacknowledged: it was refused, or no answer came in time.
        """
        if self._task is not None:
            task, self._task = self._task, None
            await task

    def raise_if_failed(self) -> None:
        """Do not wait for the next batch to learn that a send failed."""
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()

    def forgotten(self, acknowledged: Mapping[Partition, tuple[int, int]]) -> None:
        """These are deleted from the store."""
        for partition, position in acknowledged.items():
            if self.acknowledged.get(partition) == position:
                del self.acknowledged[partition]

    def take_committable(self) -> dict[Partition, int]:
        taken, self.committable = self.committable, {}
        return taken

    async def _send(self, outputs: Sequence[Output], nexts: Mapping[Partition, int], records: Sequence[Record]) -> None:
        by_partition: dict[Partition, list[Sending]] = defaultdict(list)
        partition_for = self.writer.partition_for
        for o in outputs:
            by_partition[o.to_topic, partition_for(o.to_topic, o.sending.key)].append(o.sending)
        self._probe("before_send")
        began_ns = time.time_ns()
        await asyncio.gather(*(self.writer.send(to, batch) for to, batch in by_partition.items()))
        self._probe("sent")
        said = ((topic, sent.headers) for (topic, _), batch in by_partition.items() for sent in batch)
        tracing.sent(self._service, said, began_ns, time.time_ns())
        for o in outputs:
            self.acknowledged[o.topic, o.partition] = (o.offset, o.ordinal)
        self.committable |= nexts
        for topic, number in Counter(map(_TO, outputs)).items():
            SAID.labels(self._service, topic).inc(number)
        self._measure(records)

    def _measure(self, records: Sequence[Record]) -> None:
        now_ms = time.time() * 1000
        # The broker takes the records of a producer's batch at one time.
        for (topic, at_ms), count in Counter(map(_CAME, records)).items():
            LATENCY.add(self._service, topic, max(0.0, now_ms - at_ms) / 1000, count)
