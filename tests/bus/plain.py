"""A small service or three, and a bus in memory to run them on, for tests of the hallway."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import NAMESPACE_URL, uuid4, uuid5

import sqlalchemy as sa

from services.bus.broker import Broker, Header, Partition, Record
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.contract import load
from services.bus.directory import Directory
from services.bus.envelope import Alarm, Envelope, Event, Held, Recipient
from services.bus.errors import MustStop, Refusal
from services.bus.events import (
    ChildIdentity,
    ChildMatched,
    ChildRecorded,
    DeadLetter,
    DeadlineKind,
    DeadlineMet,
    DeadlineMissed,
    LawfulBasis,
    OrganisationRecorded,
    Purpose,
    RecordStatus,
    Registration,
    Role,
)
from services.bus.heard import hear
from services.bus.loop import Loop
from services.bus.memory import MemoryBroker
from services.bus.publish import Publisher
from services.bus.recovery import Recovery
from services.bus.service import Service, View
from services.bus.settings import Settings
from services.bus.store import Store
from services.bus.tables import metadata

T = TypeVar("T")

MATCHES, MET, MISSED, LETTERS = ChildMatched.topic, DeadlineMet.topic, DeadlineMissed.topic, DeadLetter.topic
KEYS = {
    MATCHES: "incident_id",
    MET: "child_id",
    MISSED: "child_id",
    "directory.organisations.v1": "organisation_id",
    "directory.children.v1": "child_id",
}
TOPICS = dict.fromkeys(KEYS, 3) | {LETTERS: 1}


def at_second(number: int) -> datetime:
    """A moment that stands for a number, in a field that holds a moment."""
    return datetime.fromtimestamp(number, UTC)


class Count(View):
    """How many answers an incident has had."""

    answers: int = 0

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.incident_id if isinstance(event, ChildMatched) else None

    def evolve(self, event: Event) -> Self:
        return self.model_copy(update={"answers": self.answers + 1})


def met(match: Event | Alarm, subject: str, child_id: str, number: int = 0) -> DeadlineMet:
    """An output about `subject`, with a number in it."""
    return DeadlineMet.because(
        match,
        subject=subject,
        deadline_id=uuid5(NAMESPACE_URL, subject),
        child_id=child_id,
        kind=DeadlineKind.MATCH_BY_PERSON,
        due_by=match.at,
        met_at=at_second(number),
        late=False,
    )


def note(match: ChildMatched, count: Count) -> Iterator[Event | Held]:
    """Says which answer of its incident this is, in the order of deciding. Its reason may ask for something else:
    `refuse`, `break`, `hold`, `same id`, or `say 200` for as many outputs."""
    word, _, number = match.reason.partition(" ")
    if word == "refuse":
        raise Refusal("asked to")
    if word == "break":
        raise ZeroDivisionError(match.decided_by)
    for step in range(int(number) if word == "say" else 1):
        yield met(match, f"{match.child_reference}.{step}", match.incident_id, count.answers)
    if word == "same":
        yield met(match, f"{match.child_reference}.0", match.incident_id, count.answers)
    if word == "hold":
        yield Held("H3", match.child_reference)


def tell_school(match: ChildMatched, directory: Directory) -> Iterator[Event]:
    """One output for each school the directory has for the child at the moment of deciding."""
    child = directory.child(match.child_id)
    for registration in child.registrations if child else []:
        yield met(match, registration.organisation_id, match.incident_id, child.version if child else 0)


class Expected(View):
    """Whether what an incident waits for has come. It is due when the match was said."""

    due: datetime | None = None
    done: bool = False
    missed: bool = False

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.incident_id if isinstance(event, ChildMatched) else getattr(event, "child_id", None)

    def evolve(self, event: Event) -> Self:
        return self.model_copy(update={"due": event.at} if isinstance(event, ChildMatched) else {"done": True})

    @property
    def alarm(self) -> datetime | None:
        return None if self.done or self.missed else self.due

    def rung(self, alarm: Alarm) -> Self:
        return self.model_copy(update={"missed": True})


def nothing(event: ChildMatched | DeadlineMet) -> Iterator[Event]:
    """Only remembers."""
    return iter(())


def miss(alarm: Alarm, expected: Expected) -> Iterator[Event]:
    """Tells the authority that it has not come."""
    yield DeadlineMissed.because(
        alarm,
        subject="missed",
        to=Recipient("la:825", Role.LOCAL_AUTHORITY),
        disclosure={"purpose": Purpose.ESCALATION, "lawful_basis": LawfulBasis.PUBLIC_TASK_6_1_E},
        deadline_id=uuid5(NAMESPACE_URL, alarm.envelope.id),
        child_id=alarm.envelope.id.split()[1],
        kind=DeadlineKind.MATCH_BY_PERSON,
        due_by=alarm.at,
        owed_role=Role.SCHOOL,
    )


NOTER = Service(name="noter", on={ChildMatched: note}, emits=(DeadlineMet,), view=Count)
TELLER = Service(name="teller", on={ChildMatched: tell_school}, emits=(DeadlineMet,))
WATCHER = Service(
    name="watcher",
    on={ChildMatched: nothing, DeadlineMet: nothing},
    emits=(DeadlineMissed,),
    view=Expected,
    on_alarm=miss,
)


def match(incident: str, reference: str, reason: str = "because", child: str = "c1") -> ChildMatched:
    return ChildMatched(
        incident_id=incident, child_reference=reference, child_id=child, decided_by="front door", reason=reason
    )


def done(incident: str) -> DeadlineMet:
    """What WATCHER waits for."""
    return DeadlineMet(
        deadline_id=uuid5(NAMESPACE_URL, incident),
        child_id=incident,
        kind=DeadlineKind.MATCH_BY_PERSON,
        due_by=at_second(0),
        met_at=at_second(0),
        late=False,
    )


def child(child_id: str, version: int, *schools: str, **more: Any) -> ChildRecorded:
    """The directory's record of a child at these schools."""
    fields: dict[str, Any] = {
        "child_id": child_id,
        "version": version,
        "status": RecordStatus.OPEN,
        "identity": ChildIdentity(forenames="Made", family_name="Up"),
        "also_known_as": [],
        "registrations": [Registration(organisation_id=school, role=Role.SCHOOL) for school in schools],
        "home_educated": False,
        "location_confidential": False,
        "circumstances": [],
    }
    return ChildRecorded(**(fields | more))


def organisation(organisation_id: str, version: int, kind: Role = Role.SCHOOL, **more: Any) -> OrganisationRecorded:
    """The directory's record of a school, or of an organisation of another kind."""
    fields: dict[str, Any] = {
        "organisation_id": organisation_id,
        "version": version,
        "kind": kind,
        "name": "Made Up",
        "status": RecordStatus.OPEN,
        "weekly_hours": [],
        "closed_days": [],
        "terms": [],
    }
    return OrganisationRecorded(**(fields | more))


class MemoryRegistry:
    """A registry that knows the contract. `numbers` may be changed under a running service."""

    def __init__(self) -> None:
        self.numbers = {topic: number for number, topic in enumerate(sorted(load()), 1)}

    async def schema(self, schema_id: int, *, fresh: bool = False) -> dict[str, Any] | None:
        return {self.numbers[t]: s.definition for t, s in load().items()}.get(schema_id)

    async def id_of(self, subject: str, schema: object, fingerprint: str) -> int:
        return self.numbers[subject.removesuffix("-value")]


class Killed(Exception):
    """The process ended here."""


def dies_at(point: str, time: int = 1) -> Callable[[str], None]:
    """A probe that ends the loop when it comes to that point for that time."""
    passed: Counter[str] = Counter()

    def strike(reached: str) -> None:
        passed[reached] += 1
        if reached == point and passed[point] == time:
            raise Killed(point)

    return strike


class Bus:
    """One installation: a broker, a registry, settings, and what tests do with them."""

    def __init__(self, folder: Path, broker: Broker | None = None, **settings: Any) -> None:
        self.broker = broker or MemoryBroker(TOPICS)
        self.registry: Any = MemoryRegistry()
        quick = {"poll_ms": 20, "commit_interval": 0, "topic_check_interval": 1, "session_timeout": 1.5}
        self.at = Settings(data_dir=folder, cache_dir=folder, **(quick | settings))

    @property
    def memory(self) -> MemoryBroker:
        """The broker, for tests that only know the one in memory."""
        assert isinstance(self.broker, MemoryBroker)
        return self.broker

    def codec(self) -> Codec:
        return Codec(self.registry, KEYS)

    def named(self, service: Service) -> Service:
        """The service by the name that it has here."""
        return service

    # Saying something

    async def publish(self, *events: Event, principal: str = "local-authority") -> None:
        async with Publisher(principal, self.at, broker=self.broker, codec=self.codec()) as bus:
            await bus.publish(events)

    async def encoded(self, event: Event, **headers: bytes | None) -> tuple[bytes, bytes, list[Header]]:
        """Key, value and headers of an event as the local authority would send it, with these headers instead; one
        that is None is left out."""
        codec = self.codec()
        await codec.prepare([event.topic])
        said = Envelope(str(uuid4()), "urn:safebus:local-authority", event.topic, datetime.now(UTC))
        held: dict[str, bytes | None] = dict(codec.headers(said))
        return codec.key_of(event), codec.encode(event), [(n, v) for n, v in (held | headers).items() if v is not None]

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()) -> None:
        """Produce one record as it is, as any client would."""
        self.memory.append(topic, key, value, headers)

    async def say(self, event: Event, **headers: bytes | None) -> None:
        """Produce one event with these headers instead of its own."""
        await self.send(event.topic, *await self.encoded(event, **headers))

    # Running services

    def loop(self, service: Service = NOTER, store: str | None = None, **more: Any) -> Loop:
        service = self.named(service)
        at = more.get("settings", self.at)
        more = {"settings": at, "clock": Clock.of(at), "codec": self.codec(), "broker": self.broker} | more
        stored = Store(store or at.store_for(service.name), service.name, projection=service.projection)
        return Loop(service, store=stored, **more)

    @asynccontextmanager
    async def running(self, service: Service = NOTER, **more: Any) -> AsyncIterator[Loop]:
        loop = self.loop(service, **more)
        task = asyncio.create_task(loop.run())
        try:
            yield loop
        finally:
            loop.stop()
            await task

    async def ended(self, service: Service = NOTER, seconds: float = 30, **more: Any) -> BaseException | None:
        """Run until the loop ends by itself; how."""
        loop = self.loop(service, **more)
        (how,) = await asyncio.wait_for(asyncio.gather(loop.run(), return_exceptions=True), seconds)
        return how

    async def dies(self, point: str, time: int = 1, service: Service = NOTER, **more: Any) -> None:
        """Run until the loop ends at that point."""
        how = await self.ended(service, probe=dies_at(point, time), **more)
        assert isinstance(how, Killed), how

    async def recovering(self, service: Service = NOTER, **more: Any) -> BaseException | None:
        """Run a recovery until it ends; how."""
        try:
            await self.recover(service, **more)
        except Exception as how:
            return how
        return None

    async def recover(self, service: Service = NOTER, **more: Any) -> Recovery:
        named = self.named(service)
        recovery = Recovery(named.name, self.broker, [*service.says, LETTERS])
        how = await self.ended(service, recovery=recovery, **more)
        if how is not None:
            raise how
        return recovery

    # Looking

    async def records(self, topic: str) -> list[Record]:
        """Every record of a topic, by partition and offset."""
        return [record async for record in self.broker.scan([topic])]

    async def said(self, topic: str = MET) -> list[Any]:
        """Every event of a topic, by partition and offset."""
        codec, found = self.codec(), []
        for record in await self.records(topic):
            await codec.learn([record])
            heard = hear(record, codec, "test")
            assert heard.event is not None, heard.fault
            found.append(heard.event)
        return found

    async def in_effect(self, topic: str = MET) -> list[Any]:
        """Each event of a topic at its first place, as a reader lets it take effect: once."""
        return list({event.envelope.id: event for event in await self.said(topic)}.values())

    async def until(self, number: int, topic: str = MET, seconds: float = 20) -> list[Any]:
        """Wait for that many events on a topic."""
        return await until(lambda: self.said(topic), lambda found: len(found) >= number, seconds)

    async def subjects(self, topic: str = MET) -> list[str | None]:
        """Whom a topic's events are about, in its order."""
        return [event.envelope.subject for event in await self.said(topic)]

    async def committed(self, service: Service = NOTER, topic: str = MATCHES) -> dict[Partition, int | None]:
        """The group's offsets of a topic."""
        group = self.named(service).name
        return {(topic, n): self.memory.committed.get((group, (topic, n))) for n in range(TOPICS[topic])}

    async def quiet(self, service: Service = NOTER, topic: str = MATCHES) -> None:
        """Wait until the group's offsets of a topic have come to its ends."""
        ends = Counter((r.topic, r.partition) for r in await self.records(topic))
        offsets = await until(
            lambda: self.committed(service, topic), lambda found: all(found[p] == end for p, end in ends.items())
        )
        assert all(offsets[p] == end for p, end in ends.items()), (offsets, ends)

    async def recreate(self, topic: str) -> None:
        """Delete a topic and make it again."""
        self.memory.create(topic, TOPICS[topic])

    async def trim(self, topic: str) -> None:
        """Take away all that a topic holds, as retention does."""
        for number, log in enumerate(self.memory.topics[topic].logs):
            self.memory.topics[topic].begins[number] = len(log)

    # The database, beside the service

    def engine(self, service: Service = NOTER) -> sa.Engine:
        name = self.named(service).name
        url = sa.make_url(self.at.store_for(name))
        if url.get_backend_name() == "sqlite":
            return sa.create_engine(url, poolclass=sa.NullPool)
        options = {"options": f"-c search_path={name.replace('-', '_')}"}
        return sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)

    def rows(self, table: sa.Table, service: Service = NOTER) -> list[Any]:
        with self.engine(service).begin() as connection:
            return list(connection.execute(sa.select(table)))

    def backup(self, service: Service = NOTER) -> dict[str, list[dict[str, Any]]]:
        with self.engine(service).begin() as connection:
            tables = metadata.sorted_tables
            return {t.name: [dict(r) for r in connection.execute(sa.select(t)).mappings()] for t in tables}

    def restore(self, saved: dict[str, list[dict[str, Any]]], service: Service = NOTER) -> None:
        """Put a database back as it was saved. An empty one is a lost one."""
        with self.engine(service).begin() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
                if rows := saved.get(table.name):
                    connection.execute(table.insert(), rows)


async def until(ask: Callable[[], Awaitable[T]], enough: Callable[[T], bool], seconds: float = 20) -> T:
    """Ask again until it is enough; the last answer, whatever it is, when time runs out."""
    async with asyncio.timeout(seconds + 5):
        end = asyncio.get_running_loop().time() + seconds
        while not enough(found := await ask()) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        return found


async def eventually(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until it is true.

    Raises:
        AssertionError: it never was.
    """

    async def ask() -> bool:
        return true()

    assert await until(ask, bool, seconds)


async def stops(bus: Bus, service: Service, *words: str) -> None:
    """The service stops by itself, loudly, and says what to do."""
    how = await bus.ended(service)
    assert isinstance(how, MustStop)
    assert how.exit_code == 70
    for word in (*words, f"safebus recover {bus.named(service).name}"):
        assert word in str(how)
