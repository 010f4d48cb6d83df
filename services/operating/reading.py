"""Reading topics as an operator does: to where they end now, or live; outside any group, so that it shows in no lag.

Records come raw, in lists: whoever looks for something looks at headers first and has decoded what is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from services.bus import catalogue
from services.bus.broker import Header, Partition, Record
from services.bus.errors import NotPermitted, Surroundings, UserMistake
from services.bus.heard import Heard, hear
from services.bus.kafka import hashed
from services.bus.run import broker_for, codec_for
from services.bus.settings import Settings, settings

OPERATOR: Final = "operator"
BY_CHILD: Final = ("child_id", "origin")
"""Keys of topics in which all of one child's records stand in one partition; a dead letter has its origin's key."""

AT_ONCE: Final = 5_000
CATCHING_UP: Final = 50_000
"""Records of the past that are held back, so that they can be put in order."""

PATIENCE: Final = 15.0
"""Seconds without any answer after which the broker is away."""

T = TypeVar("T")
Progress = Callable[[int, int], object]
"""Told how many records were read, of how many there are to read."""


@dataclass(frozen=True, slots=True)
class Read:
    """One record (a broker.Record); `timestamp` in milliseconds since 1970, by the broker's clock."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int


Place = tuple[str, int, int]
"""Topic, partition and offset."""


class Log:
    """`async with Log() as log: async for records in log.to_the_end(topics): …`; one reading at a time."""

    def __init__(self, at: Settings | None = None, principal: str = OPERATOR) -> None:
        self._at = at or settings()
        self.principal = self._at.principal or principal
        self.catalogue = catalogue.load(self._at.catalogue)
        self.refused: set[str] = set()
        """Topics that it asked for and may not read, or that are not there."""
        self._codec = codec_for(self._at)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._errors: set[str] = set()
        self._broker = broker_for(self._at, self.principal)
        self._consumer: Any = None
        self._stopping = False

    async def __aenter__(self) -> Self:
        errors = self._errors
        common = self._broker.confluent()
        common["error_cb"] = lambda error: errors.add(error.name())
        reading = {
            # The client wants a name; without a subscription nobody joins a group of it, and nothing is committed.
            "group.id": f"{self.principal}.reading",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 16_384,
        }
        self._consumer = Consumer(common | reading)
        try:
            await self._broker.cluster_id()  # that it answers, and takes the password
        except Surroundings:
            await self.__aexit__(None, None, None)
            raise Surroundings(f"no Kafka broker answers at {self._at.bootstrap_servers}") from None
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._stopping = True
        await self._in_thread(self._consumer.close)
        self._thread.shutdown()
        await self._broker.close()

    @property
    def refusal(self) -> str | None:
        """In one sentence, what could not be read."""
        if not self.refused:
            return None
        named = " and ".join(sorted(self.refused))
        there, it = (
            ("there is no such topic", "it holds") if len(self.refused) == 1 else ("they are not there", "they hold")
        )
        return f"{self.principal} may not read {named}, or {there}; what {it} is missing here"

    @property
    def topics(self) -> list[str]:
        """Every topic of events. Inboxes are left out: they hold copies, and are their organisation's alone."""
        return list(self.catalogue.topics)

    async def to_the_end(
        self,
        topics: Iterable[str],
        *,
        child: str | None = None,
        since: datetime | None = None,
        progress: Progress | None = None,
    ) -> AsyncIterator[list[Read]]:
        """Every record of these topics, to the ends fetched now; those of one partition in order.

        Args:
            child: read no more of a topic than the partition in which this child's records stand, if it has one. There
                are other children's records in it too.
            since: leave out what the broker took before.

        Raises:
            NotPermitted: wrong password. A topic that may not be read is left out, and `refused` names it.
            Surroundings: the broker is away.
        """
        begins, ends = await self._bounds(topics, child, since)
        left = {place: end for place, end in ends.items() if begins[place] < end}
        of, read = sum(left[place] - begins[place] for place in left), 0
        await self._in_thread(self._assign, {place: begins[place] for place in left})
        while left and not self._stopping:
            records, ended = await self._in_thread(self._next)
            kept = []
            for record in records:
                place = (record.topic, record.partition)
                end = left.get(place, -1)
                if record.offset < end:
                    kept.append(record)
                if record.offset >= end - 1:
                    left.pop(place, None)
            for place in ended | {place for place in left if place[0] in self.refused}:
                left.pop(place, None)
            read += len(kept)
            if progress:
                progress(read, of)
            if kept:
                yield kept

    async def follow(
        self, topics: Iterable[str], *, child: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[list[Read]]:
        """What comes from now on, or came since; until the caller is cancelled. A broker that is away is waited for.

        What has come already is put in the order in which the broker took it, across partitions.

        Raises:
            NotPermitted: none of these topics may be read.
        """
        topics = list(topics)
        begins, ends = await self._bounds(topics, child, since)
        await self._in_thread(self._assign, begins if since else ends)
        behind = {place for place in begins if since and begins[place] < ends[place]}
        waiting: list[Read] = []
        while not self._stopping:
            records, ended = await self._in_thread(self._next, patiently=True)
            if self.refused.issuperset(topics):
                raise NotPermitted(str(self.refusal))
            behind -= ended | {place for place in behind if place[0] in self.refused}
            waiting += records
            if waiting and (not behind or len(waiting) > CATCHING_UP):
                yield sorted(waiting, key=lambda record: record.timestamp)
                waiting = []

    async def at(self, places: Collection[Place]) -> dict[Place, Read]:
        """The records that stand there; those that are gone are left out."""
        found: dict[Place, Read] = {}
        by_partition: dict[Partition, set[int]] = {}
        for topic, partition, offset in places:
            by_partition.setdefault((topic, partition), set()).add(offset)
        while by_partition:
            await self._in_thread(self._assign, {place: min(offsets) for place, offsets in by_partition.items()})
            took = dict.fromkeys(by_partition, False)
            while not all(took.values()):
                records, ended = await self._in_thread(self._next, most=500)
                for record in records:
                    place = (record.topic, record.partition)
                    wanted = by_partition.get(place, set())
                    if record.offset in wanted:
                        found[*place, record.offset] = record
                    wanted -= {offset for offset in wanted if offset <= record.offset}
                    # What comes soon is read on to; what is far away is sought.
                    took[place] = not wanted or min(wanted) > record.offset + AT_ONCE
                for place in ended | {p for p in took if p[0] in self.refused}:
                    by_partition.pop(place, None)
                    took[place] = True
            by_partition = {place: offsets for place, offsets in by_partition.items() if offsets}
        return found

    async def begins(self, topics: Iterable[str]) -> dict[Partition, int]:
        """Where the logs begin: what stood before has fallen out of retention, or was compacted away."""
        begins, _ = await self._bounds(topics, None, None)
        return begins

    async def decoded(self, records: Iterable[Record]) -> list[Heard]:
        """Each with its event, or with what is wrong with it.

        Raises:
            Surroundings: the registry is away.
        """
        records = list(records)
        await self._codec.learn(records)
        return [hear(record, self._codec, self.principal) for record in records]

    async def _bounds(
        self, topics: Iterable[str], child: str | None, since: datetime | None
    ) -> tuple[dict[Partition, int], dict[Partition, int]]:
        """Where what is wanted begins and ends."""
        wanted = list(self._partitions(await self._broker.partition_counts(), topics, child))
        first = OffsetSpec.for_timestamp(int(since.timestamp() * 1000)) if since else OffsetSpec.earliest()
        found, ends = await self._broker.offsets(dict.fromkeys(wanted, first)), await self._broker.ends(wanted)
        # No record is as late as `since`: Kafka answers -1, or the end.
        return {place: one.offset if one.offset >= 0 else ends[place] for place, one in found.items()}, ends

    def _partitions(self, there: Mapping[str, int], topics: Iterable[str], child: str | None) -> Iterator[Partition]:
        for topic in topics:
            if topic not in there:
                self.refused.add(topic)
                continue
            known = self.catalogue.logs.get(topic)
            if child is not None and known is not None and known.key in BY_CHILD:
                yield topic, hashed(child.encode()) % there[topic]
            elif child is None or known is None or known.key is None or known.key not in BY_CHILD:
                yield from ((topic, n) for n in range(there[topic]))

    # In the thread

    async def _in_thread(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *arguments, **named))

    def _raise_if_wrong(self) -> None:
        if "_AUTHENTICATION" in self._errors:
            raise NotPermitted(f"the broker refused {self.principal}: wrong user or password")

    def _assign(self, positions: Mapping[Partition, int]) -> None:
        with _translated():
            self._consumer.assign([TopicPartition(*place, offset) for place, offset in positions.items()])

    def _next(self, *, most: int = AT_ONCE, patiently: bool = False) -> tuple[list[Read], set[Partition]]:
        """What has come, and the partitions that were read to their ends."""
        records: list[Read] = []
        ended: set[Partition] = set()
        waited = 0.0
        while not (records or ended or self._stopping):
            with _translated():
                came: list[Message] = self._consumer.consume(most, timeout=0.2)
            for message in came:
                self._sort(message, records, ended)
            self._raise_if_wrong()
            waited += 0.2
            if patiently or any(topic in self.refused for topic in (m.topic() for m in came)):
                break
            if waited > PATIENCE:
                raise Surroundings("the broker does not answer")
        return records, ended

    def _sort(self, message: Message, records: list[Read], ended: set[Partition]) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        if error is None:
            headers: Any = message.headers() or ()
            place = str(topic), int(partition or 0), int(offset or 0)
            records.append(Read(*place, message.key(), message.value(), headers, message.timestamp()[1]))
        elif error.code() == KafkaError._PARTITION_EOF:
            ended.add((str(topic), int(partition or 0)))
        elif error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART):
            self.refused.add(str(topic))
        elif error.fatal():
            raise Surroundings(f"the broker is away ({error.name()})")


@contextmanager
def _translated() -> Iterator[None]:
    """The client's errors in our own tree."""
    try:
        yield
    except KafkaException as error:
        raise _surroundings(error) from error


def _surroundings(error: KafkaException) -> Surroundings:
    return Surroundings(f"the broker is away ({error.args[0].name()})")


def known_topic(name: str, log: Log) -> str:
    """The topic's name as the catalogue has it; its version may be left out.

    Raises:
        UserMistake: there is none.
    """
    if name in log.catalogue.logs:
        return name
    of_any_version = [topic for topic in log.catalogue.logs if topic.rpartition(".v")[0] == name]
    if len(of_any_version) == 1:
        return of_any_version[0]
    near = " or ".join(get_close_matches(name, log.catalogue.logs, 3, 0.5))
    raise UserMistake(f"there is no topic {name}; {f'did you mean {near}' if near else 'topics.yaml names them all'}")
