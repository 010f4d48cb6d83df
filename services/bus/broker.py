"""What the loop needs of a broker: a reader, a writer and a registrar of topic ids. kafka.py and memory.py have them.

Errors, whichever the broker: `Surroundings` when it is away, `NotPermitted` when it refuses the principal, `MustStop`
when an offset has fallen out of the log, `Unacknowledged` when a send was refused or no answer came in time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

Partition = tuple[str, int]
"""Topic and partition number."""

Header = tuple[str, bytes | None]


class Record(Protocol):
    """One record of a log. aiokafka's ConsumerRecord is one."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...
    @property
    def timestamp(self) -> int: ...


class Sending(Struct, frozen=True, gc=False):
    """One record on its way out."""

    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Reader(Protocol):
    """A member of a consumer group.

    After each rebalance all its partitions are paused at offset 0 and `generation` is higher; the loop alone reads the
    guard, seeks and resumes (DESIGN.md §1, rule 4).
    """

    @property
    def generation(self) -> int: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def assignment(self) -> set[Partition]: ...
    async def poll(self, most: int, timeout_ms: int) -> Mapping[Partition, Sequence[Record]]: ...
    def seek(self, partition: Partition, offset: int) -> None: ...
    def pause(self, partitions: Iterable[Partition]) -> None: ...
    def resume(self, partitions: Iterable[Partition]) -> None: ...
    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """What would be polled next: beyond the last record by what the log has skipped, such as an end of a
        transaction."""
        ...

    async def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]: ...
    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Move the group's offsets; False when the partitions have gone to another member."""
        ...

    async def beginnings(self, partitions: Collection[Partition]) -> dict[Partition, int]: ...
    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]: ...
    async def partitions(self, topics: Iterable[str]) -> set[Partition]:
        """Every partition of these topics, whoever reads them."""
        ...


class Writer(Protocol):
    """An idempotent producer, one batch in flight for each output partition."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def know(self, topics: Iterable[str]) -> None:
        """Learn how many partitions these topics have; a keyed topic's number never changes."""
        ...

    def partition_for(self, topic: str, key: bytes) -> int:
        """murmur2, as every other producer on the bus (rule 6). The topic must be known."""
        ...

    async def send(self, partition: Partition, records: Sequence[Sending]) -> None:
        """Send in order; return when all of them are acknowledged.

        Raises:
            Unacknowledged: refused, or no answer in time. What happened to the records is unknown.
        """
        ...


class Registrar(Protocol):
    """Which cluster this is, and which incarnation of each topic."""

    async def cluster_id(self) -> str: ...
    async def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Ids of those that exist."""
        ...


class Broker(Protocol):
    """Makes the three, for one principal."""

    def reader(self, group: str, topics: Collection[str]) -> Reader: ...
    def writer(self) -> Writer: ...
    def registrar(self) -> Registrar: ...
    def scan(self, topics: Collection[str]) -> AsyncIterator[Record]:
        """Every record of these topics, from where each log begins to where it ends now; outside any group."""
        ...

    async def close(self) -> None: ...
