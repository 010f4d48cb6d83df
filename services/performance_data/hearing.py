"""One record of the log: the fact that is kept of it, under its event's identity. It never fails for what it reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from services.bus.broker import Record
from services.bus.codec import Codec
from services.bus.envelope import Event
from services.bus.errors import Surroundings, Unfit
from services.performance_data.facts import Fact, Kept, Passed, Unreadable, micros, pack
from services.performance_data.keeping import fact_of

NAME = "performance-data"
LONGEST_WAIT = 10.0
"""Seconds between two tries while the registry is away."""


class Heard(NamedTuple):
    """A record, as the bus has them (bus/broker.py)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """When Kafka had it, milliseconds."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Held(Protocol):
    """What is asked of the table."""

    def __contains__(self, key: object) -> bool: ...


def identify(source: str, name: str) -> str:
    """What "the same event" means, as the loop has it (bus/codec.py), in hexadecimal."""
    return blake2b(f"{source}\0{name}".encode(), digest_size=16).hexdigest()


async def entry_of(
    record: Record, codec: Codec, held: Held, waiting: Callable[[str], object], *, stepped: bool = False
) -> tuple[bytes, bytes]:
    """The entry that a record makes, as key and value; every record makes one, so that none is missed unseen.

    An event that is held already (its source and id) leaves only how far the log was read, and so does one that no
    figure needs. One that cannot be decoded is counted.

    Args:
        waiting: told in a sentence what is waited for, since what is away is no fault of the event.
        stepped: the installation's clock is a demo's (bus/clock.py), which Kafka does not follow.
    """
    headers = dict(record.headers)
    place = f"{record.topic} {record.partition} {record.offset}".encode()
    try:
        fact, key = await _fact(record, headers, codec, waiting, stepped=stepped)
    except Unfit:
        fact, key = Unreadable(record.topic), place
    if fact is None or key in held:
        fact, key = Passed(), f"passed {record.topic}".encode()
    return key, pack(Kept(fact, record.topic, record.partition, record.offset))


async def _fact(
    record: Record,
    headers: Mapping[str, bytes | None],
    codec: Codec,
    waiting: Callable[[str], object],
    *,
    stepped: bool,
) -> tuple[Fact | None, bytes]:
    if record.value is None:  # an entry of the directory that was withdrawn
        return None, b""
    await _learnt(record, codec, waiting)
    try:
        event = codec.decode(record, headers, NAME)
        return fact_of(event, told(event, record, stepped=stepped), identify), bytes.fromhex(_identity(event))
    except Unfit:
        raise
    except Exception as error:  # noqa: BLE001 - Faust would lose the event; its text may hold what the event says
        raise Unfit(f"{type(error).__name__} over an event of {record.topic}", code="undecidable") from None


def told(event: Event, record: Record, *, stepped: bool) -> int:
    """From when on it could be read: when Kafka had it, and not before its sender says (ce_time), UTC microseconds.

    By ce_time alone an alert that stood in its sender's outbox through a weekend would have come in time. Only where
    the clock is a demo's does Kafka's time tell nothing: there it is ce_time.
    """
    said = micros(event.at)
    return said if stepped else max(said, record.timestamp * 1000)


def _identity(event: Event) -> str:
    return identify(event.envelope.source, event.envelope.id)


async def _learnt(record: Record, codec: Codec, waiting: Callable[[str], object]) -> None:
    """Wait until the registry has said which schema wrote it."""
    delay = 0.2
    while True:
        try:
            return await codec.learn([record])
        except Surroundings as error:
            waiting(str(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_WAIT)


def record_of(message: Any) -> Heard:
    """Faust's message as the bus has its records."""
    return Heard(
        message.topic,
        message.partition,
        message.offset,
        round((message.timestamp or 0) * 1000),
        message.key,
        message.value,
        tuple(message.headers or ()),
    )
