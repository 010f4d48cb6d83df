"""A small service, and a bus in memory to run it on, for tests of the hallway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

from services.bus.batch import hear
from services.bus.broker import Broker
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.contract import load
from services.bus.directory import Directory
from services.bus.envelope import Event
from services.bus.errors import Refusal
from services.bus.events import ChildMatched, ChildRecorded, DeadLetter, DeadlineKind, DeadlineMet, OrganisationRecorded
from services.bus.loop import Loop
from services.bus.memory import MemoryBroker
from services.bus.publish import Publisher
from services.bus.service import Service, View
from services.bus.settings import Settings
from services.bus.store import Store

KEYS = {
    "police.matches.v1": "incident_id",
    "deadlines.met.v1": "child_id",
    "directory.organisations.v1": "organisation_id",
    "directory.children.v1": "child_id",
}
TOPICS = dict.fromkeys(KEYS, 3) | {DeadLetter.topic: 1}


class Count(View):
    """How many answers an incident has had."""

    answers: int = 0

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.incident_id if isinstance(event, ChildMatched) else None

    def evolve(self, event: Event) -> Self:
        return self.model_copy(update={"answers": self.answers + 1})


def note(match: ChildMatched, count: Count) -> Iterator[Event]:
    """Says which answer of its incident this is, in the order of deciding; refuses on request."""
    if match.reason == "refuse":
        raise Refusal("asked to")
    if match.reason == "break":
        raise ZeroDivisionError
    for step in range(2 if match.reason == "twice" else 1):
        yield DeadlineMet.because(
            match,
            subject=f"{match.child_reference}.{step}",
            deadline_id=uuid5(NAMESPACE_URL, match.child_reference),
            child_id=match.incident_id,
            kind=DeadlineKind.MATCH_BY_PERSON,
            due_by=match.at,
            met_at=datetime.fromtimestamp(count.answers, UTC),
            late=False,
        )


def tell_school(match: ChildMatched, directory: Directory) -> Iterator[Event]:
    """One output for each school the directory has for the child at the moment of deciding."""
    child = directory.child(match.child_id)
    for registration in child.registrations if child else []:
        yield DeadlineMet.because(
            match,
            subject=registration.organisation_id,
            deadline_id=uuid5(NAMESPACE_URL, registration.organisation_id),
            child_id=match.incident_id,
            kind=DeadlineKind.MATCH_BY_PERSON,
            due_by=match.at,
            met_at=match.at,
            late=False,
        )


NOTER = Service(name="noter", on={ChildMatched: note}, emits=(DeadlineMet,), view=Count)
TELLER = Service(name="teller", on={ChildMatched: tell_school}, emits=(DeadlineMet,))


def match(incident: str, reference: str, reason: str = "because", child: str = "c1") -> ChildMatched:
    return ChildMatched(
        incident_id=incident, child_reference=reference, child_id=child, decided_by="front door", reason=reason
    )


class MemoryRegistry:
    """A registry that knows the contract; `away` makes it fail, `numbers` may be changed under a running service."""

    def __init__(self) -> None:
        self.numbers = {topic: number for number, topic in enumerate(sorted(load()), 1)}

    async def schema(self, schema_id: int, *, fresh: bool = False) -> dict[str, Any] | None:
        return {self.numbers[t]: s.definition for t, s in load().items()}.get(schema_id)

    async def id_of(self, subject: str, schema: object, fingerprint: str) -> int:
        return self.numbers[subject.removesuffix("-value")]


class Bus:
    """One installation: a broker, a registry, settings, and what tests do with them."""

    def __init__(self, folder: Path, broker: Broker | None = None) -> None:
        self.broker = broker or MemoryBroker(TOPICS)
        self.registry = MemoryRegistry()
        self.at = Settings(data_dir=folder, cache_dir=folder, poll_ms=20, commit_interval=0, topic_check_interval=1)

    def codec(self) -> Codec:
        return Codec(self.registry, KEYS)

    async def publish(self, *events: Event, principal: str = "local-authority") -> None:
        async with Publisher(principal, self.at, broker=self.broker, codec=self.codec()) as bus:
            await bus.publish(events)

    def loop(self, service: Service = NOTER, store: str | None = None, **more: Any) -> Loop:
        url = store or self.at.store_for(service.name)
        more = {"settings": self.at, "clock": Clock.of(self.at)} | more
        return Loop(service, self.broker, Store(url, service.name), self.codec(), **more)

    @asynccontextmanager
    async def running(self, service: Service = NOTER, **more: Any) -> AsyncIterator[Loop]:
        loop = self.loop(service, **more)
        task = asyncio.create_task(loop.run())
        try:
            yield loop
        finally:
            loop.stop()
            await task

    async def said(self, topic: str = DeadlineMet.topic) -> list[Event]:
        """Every event of a topic, by partition and offset."""
        codec, found = self.codec(), []
        async for record in self.broker.scan([topic]):
            await codec.learn([record])
            heard = hear(record, codec, "test")
            assert heard.event is not None, heard.fault
            found.append(heard.event)
        return found

    async def until(self, number: int, topic: str = DeadlineMet.topic, seconds: float = 20) -> list[Event]:
        """Wait for that many events on a topic."""
        return await until(lambda: self.said(topic), lambda found: len(found) >= number, seconds)


async def until(ask: Callable[[], Any], enough: Callable[[Any], bool], seconds: float = 20) -> Any:
    """Ask again until it is enough; the last answer, whatever it is, when time runs out."""
    async with asyncio.timeout(seconds + 5):
        end = asyncio.get_running_loop().time() + seconds
        while not enough(found := await ask()) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        return found


RECORDS = (ChildRecorded, OrganisationRecorded)
