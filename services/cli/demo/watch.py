"""Sees every disclosure that comes into its recipient's inbox, and all that waits for a person.

A recipient is not shown what its disclosure follows from. The bus's own reader is: what it sees of a disclosure is set
beside its coming in at the gateway.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.bus.broker import Partition, Reader
from services.bus.catalogue import load
from services.bus.envelope import Envelope, Event
from services.bus.events import ChildUnmatched, DeadLetter, DeadlineMissed, Disclosure
from services.bus.heard import hear
from services.bus.run import broker_for, codec_for
from services.bus.settings import Settings


@dataclass(frozen=True, slots=True)
class Told:
    """One event that reached its recipient, or that waits for a person (then `recipient` is empty)."""

    at: datetime
    """On the demo's clock, UTC."""
    event: Event
    recipient: str
    purpose: str
    cause: str
    """Type of what it follows from; of what nobody here sees, the service that said it."""
    latency_ms: int
    """In real time, from what started it to the recipient's having it."""
    due_by: datetime | None

    @property
    def disclosure(self) -> Disclosure | None:
        """To whom, why and by when, of an event that discloses."""
        return getattr(self.event, "disclosure", None)


class Watch:
    """`async with Watch(at, run) as watch`: `watch.told` grows while the services work."""

    def __init__(self, at: Settings, run: str, show: Callable[[Told], None]) -> None:
        self.told: list[Told] = []
        self._at, self._run, self._show = at, run, show
        self._ours: dict[str, float] = {}
        self._seen: dict[str, str] = {}
        self._arrived: dict[str, float] = {}
        self._said: dict[Partition, deque[Event]] = defaultdict(deque)
        """By partition, in the order of the bus, what its recipient has not got yet."""
        self._stack = AsyncExitStack()
        self._stepped = 0.0

    def expect(self, said: Envelope) -> None:
        """What follows from this event belongs to this run; its time starts now."""
        self._ours[said.correlation_id] = time.time()
        self._seen[said.id] = said.type

    def stepped(self) -> None:
        """The demo's clock was stepped: what was due follows from that."""
        self._stepped = time.time()

    async def __aenter__(self) -> Self:
        catalogue = load(self._at.catalogue).topics.items()
        disclosing = [name for name, topic in catalogue if topic.discloses and "reader" in topic.read_by]
        sides = {"reader": disclosing, "operator": [DeadLetter.topic], "local-authority": [ChildUnmatched.topic]}
        for principal, topics in sides.items():
            reader = broker_for(self._at, principal).reader(f"{principal}.demo-{self._run}", topics)
            await reader.start()
            self._stack.push_async_callback(reader.stop)
            await _from_now_on(reader)
            task = asyncio.create_task(self._follow(reader, principal))
            self._stack.callback(task.cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _follow(self, reader: Reader, principal: str) -> None:
        codec = codec_for(self._at)
        while True:
            for records in (await reader.poll(500, 200)).values():
                await codec.learn(records)
                for record in records:
                    heard = hear(record, codec, principal)
                    if heard.event is None or heard.event.envelope.correlation_id not in self._ours:
                        continue
                    if principal == "reader":
                        self._said[record.topic, record.partition].append(heard.event)
                        self._note_what_arrived()
                    else:
                        self._note(heard.event, record.timestamp / 1000)

    def arrived(self, event_id: str, moment: float) -> None:
        """A recipient has this disclosure."""
        self._arrived.setdefault(event_id, moment)
        self._note_what_arrived()

    def _note_what_arrived(self) -> None:
        for said in self._said.values():
            while said and said[0].envelope.id in self._arrived:
                event = said.popleft()
                self._note(event, self._arrived[event.envelope.id])

    def _note(self, event: Event, landed: float) -> None:
        said = event.envelope
        if said.id in self._seen:
            return
        self._seen[said.id] = event.topic
        disclosure: Disclosure | None = getattr(event, "disclosure", None)
        started = max(self._ours[said.correlation_id], self._stepped)
        told = Told(
            said.time,
            event,
            disclosure.recipient if disclosure else "",
            disclosure.purpose.value if disclosure else "",
            self._seen.get(said.cause_id or "") or _whence(event),
            round(max(0.0, landed - started) * 1000),
            disclosure.due_by if disclosure else None,
        )
        self.told.append(told)
        self._show(told)


async def _from_now_on(reader: Reader) -> None:
    """Wait for the partitions, then read only what comes from now on."""
    async with asyncio.timeout(30):
        while not reader.assignment():
            await reader.poll(1, 50)
    for partition, end in (await reader.ends(reader.assignment())).items():
        reader.seek(partition, end)
    reader.resume(reader.assignment())


def _whence(event: Event) -> str:
    if isinstance(event, DeadlineMissed):
        return "a deadline"
    return (event.envelope.cause_source or "").removeprefix("urn:safebus:")
