"""Producing events as a principal, outside a service: the command line, importers, a demo, an agency's own system."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterable
from types import TracebackType
from typing import Self
from uuid import uuid4

from services.bus.broker import Broker, Partition, Sending
from services.bus.clock import Clock
from services.bus.codec import Codec, event_types
from services.bus.envelope import Envelope, Event
from services.bus.errors import NotPermitted, Surroundings, UserMistake
from services.bus.heard import hear
from services.bus.run import broker_for, codec_for
from services.bus.settings import Settings, settings

PATIENCE = 10.0
"""Seconds that a person waits for the broker before being told that it is away."""


class Publisher:
    """`async with Publisher("police") as bus: await bus.publish(events)`; returns when all are acknowledged."""

    def __init__(
        self, principal: str, at: Settings | None = None, *, broker: Broker | None = None, codec: Codec | None = None
    ) -> None:
        self._at = at or settings()
        self.principal = principal
        self._broker = broker or broker_for(self._at, principal)
        self._codec = codec or codec_for(self._at)
        self._writer = self._broker.writer()
        self._known: set[str] = set()
        self._clock = Clock.of(self._at)

    async def __aenter__(self) -> Self:
        try:
            await _patiently(self._writer.start())
        except BaseException:
            await self._writer.stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self._writer.stop()
        await self._broker.close()

    def envelope(self, event: Event, event_id: str | None = None) -> Event:
        """The event with an envelope of its own: this principal as source, now, and a new id unless one is given."""
        if not event.is_said:
            source = f"urn:safebus:{self.principal}"
            said = Envelope(event_id or str(uuid4()), source, event.topic, self._clock.now())
            event.enveloped(said.changed(correlation_id=f"{source} {said.id}"))
        return event

    async def publish(self, events: Iterable[Event]) -> list[Event]:
        """Send in order, per key, and wait until Kafka has them all. Events without an envelope get one.

        Raises:
            UserMistake: an event is larger than the bus takes, or holds what its schema cannot. Nothing was sent.
            Surroundings: the broker or the registry is away. Nothing was sent.
            Unacknowledged: unknown whether it was taken; the same event may be published again, with the same id.
        """
        sent = [self.envelope(event) for event in events]
        await self._prepare({event.topic for event in sent})
        by_partition: dict[Partition, list[Sending]] = defaultdict(list)
        for event in sent:
            key, value = self._encoded(event)
            headers = self._codec.headers(event.envelope)
            by_partition[event.topic, self._writer.partition_for(event.topic, key)].append(Sending(key, value, headers))
        await asyncio.gather(*(self._writer.send(p, batch) for p, batch in by_partition.items()))
        return sent

    def _encoded(self, event: Event) -> tuple[bytes, bytes]:
        try:
            key, value = self._codec.key_of(event), self._codec.encode(event)
        except (OverflowError, UnicodeError):  # their text holds the value
            raise UserMistake(f"this {event.topic} holds a number or a character that no event can hold") from None
        if (size := len(key) + len(value)) > self._at.max_event_bytes:
            raise UserMistake(f"this {event.topic} has {size} bytes; at most {self._at.max_event_bytes} are taken")
        return key, value

    async def _prepare(self, topics: set[str]) -> None:
        if new := topics - self._known:
            await _patiently(self._codec.prepare(new))
            await _patiently(self._writer.know(new))
            self._known |= new


async def _patiently(doing: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await doing
    except TimeoutError as error:
        raise Surroundings(f"no answer in {PATIENCE:g} s from the broker or the schema registry") from error


async def read_all(topic: str, principal: str, at: Settings | None = None) -> AsyncIterator[Event]:
    """Every event of a topic, from its beginning to where it ends now. What cannot be decoded is left out.

    Raises:
        NotPermitted: the principal may not read it.
    """
    at = at or settings()
    if topic not in event_types():
        raise NotPermitted(f"{topic} is not a topic of the contract")
    broker, codec = broker_for(at, principal), codec_for(at)
    async for record in broker.scan([topic]):
        await codec.learn([record])
        heard = hear(record, codec, principal)
        if heard.event is not None:
            yield heard.event
