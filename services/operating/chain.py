"""From the headers of records alone: what led to an event, and what followed from it.

A record names its cause (`ce_causeid`, `ce_causesource`) and the first event of its chain (`ce_correlationid`). Three
kinds come to the bus anew or from a clock, and are joined by what they are about instead: a receipt names the
disclosure that was read, whose id is that of its event; a missed deadline names the deadline that was set; and a
strategy meeting names its children.

Nothing joins two children (H1): records of the directory lead nowhere, and what is found for one child never includes a
record under another child's key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from services.bus import directory
from services.bus.broker import Record
from services.bus.catalogue.model import Catalogue
from services.bus.events import (
    ChildRecorded,
    DeadlineMissed,
    DeadlineSet,
    DisclosureRead,
    MeetingRecorded,
    MinutesApproved,
    MinutesDistributed,
)
from services.bus.heard import Heard
from services.operating.masking import hides
from services.operating.reading import Log, Place, Progress, Read

MOST: Final = 2_000
"""Records of one chain; a sender that gives one correlation id to everything would make it endless."""

ALARM: Final = b"alarm "
"""So begins the id of a cause that is no event: a moment that a service waited for (services/bus/batch.py)."""

OF_MEETINGS: Final = (MeetingRecorded.topic, MinutesApproved.topic, MinutesDistributed.topic)


@dataclass(frozen=True, slots=True)
class Marks:
    """What a record's headers say of where it belongs."""

    id: bytes
    source: bytes
    cause_id: bytes | None
    cause_source: bytes | None
    correlation: bytes
    """Its own source and id where it names none, as those who follow from it have it (envelope.py)."""

    @classmethod
    def of(cls, record: Record) -> Marks | None:
        """None for a record without an identity."""
        held = dict(record.headers)
        own, source = held.get("ce_id"), held.get("ce_source")
        if not own or not source:
            return None
        correlation = held.get("ce_correlationid") or source + b" " + own
        return cls(own, source, held.get("ce_causeid"), held.get("ce_causesource"), correlation)

    @property
    def of_a_moment(self) -> bool:
        """Whether it follows from no event, but from a time that had come."""
        return bool(self.cause_id and self.cause_id.startswith(ALARM))


KEPT: Final = 64 * 1024 * 1024
"""Bytes of bodies that are kept from the first reading; what is not kept is fetched once it is needed."""


class Index:
    """Where everything stands, by what its headers say: some 200 bytes a record, and bodies up to `keep` bytes."""

    def __init__(self, known: Catalogue, keep: int = KEPT) -> None:
        self.topics = list(known.topics)
        self.child_keyed = frozenset(topic.name for topic in known.topics.values() if topic.key == "child_id")
        self._numbers = {name: number for number, name in enumerate(self.topics)}
        self._by_id: dict[int, list[int]] = defaultdict(list)
        self._by_cause: dict[int, list[int]] = defaultdict(list)
        self._by_correlation: dict[int, list[int]] = defaultdict(list)
        self._by_key: dict[int, list[int]] = defaultdict(list)
        self._directory: dict[int, int] = {}
        self._named: dict[bytes, list[int]] = defaultdict(list)
        self.of_meetings: list[Place] = []
        self.records = 0
        self._kept: dict[Place, Read] = {}
        self._room = keep

    def add(self, records: Iterable[Read], *, wanted: bytes | None = None) -> None:
        """Note these; `wanted` is an id that is asked for, whatever its source."""
        for record in records:
            self.records += 1
            place = self._packed(record)
            marks = Marks.of(record)
            self._room -= len(record.value or b"") + 1_000
            if self._room > 0:
                self._kept[_place(record)] = record
            if record.topic == ChildRecorded.topic and record.key:
                self._directory[hash(record.key)] = place
            if marks is None:
                continue
            if marks.id == wanted:
                self._named[marks.id].append(place)
            if record.topic in directory.TOPICS:
                continue
            self._by_id[hash((marks.source, marks.id))].append(place)
            if marks.cause_id and not marks.of_a_moment:
                self._by_cause[hash((marks.cause_source, marks.cause_id))].append(place)
            self._by_correlation[hash(marks.correlation)].append(place)
            if record.key:
                self._by_key[hash(record.key)].append(place)
            if record.topic in OF_MEETINGS:
                self.of_meetings.append(self._place(place))

    def named(self, event_id: str) -> list[Place]:
        """Every record with this id, whatever its source."""
        return self._places(self._named.get(event_id.encode(), ()))

    def of_key(self, key: bytes) -> list[Place]:
        return self._places(self._by_key.get(hash(key), ()))

    def occurrences(self, source: bytes | None, event_id: bytes | None) -> list[Place]:
        """Where this event stands: more than once where it was said again."""
        return self._places(self._by_id.get(hash((source, event_id)), ()))

    def effects(self, marks: Marks) -> list[Place]:
        return self._places(self._by_cause.get(hash((marks.source, marks.id)), ()))

    def correlated(self, correlation: bytes) -> list[Place]:
        return self._places(self._by_correlation.get(hash(correlation), ()))

    def child(self, key: bytes) -> Place | None:
        """Where the directory says last who this child is."""
        packed = self._directory.get(hash(key))
        return None if packed is None else self._place(packed)

    async def fetched(self, log: Log, places: Iterable[Place]) -> list[Read]:
        """The records that stand there."""
        wanted = set(places)
        here = [self._kept[place] for place in wanted & self._kept.keys()]
        if away := wanted - self._kept.keys():
            here += (await log.at(away)).values()
        return sorted(here, key=_place)

    def _packed(self, record: Record) -> int:
        return self._numbers[record.topic] << 60 | record.partition << 44 | record.offset

    def _place(self, packed: int) -> Place:
        return self.topics[packed >> 60], packed >> 44 & 0xFFFF, packed & 0xFFFFFFFFFFF

    def _places(self, packed: Iterable[int]) -> list[Place]:
        return [self._place(one) for one in packed]


@dataclass(slots=True)
class Chain:
    """What was found: every record once, decoded, and what could not be."""

    heard: dict[Place, Heard] = field(default_factory=dict)
    marks: dict[Place, Marks] = field(default_factory=dict)
    asked: list[Place] = field(default_factory=list)
    """The records with the id that was asked for; none where a child was."""
    confidential: bool | None = None
    """Whether a child's location is, by any of these records or by the directory as it stands (H2)."""
    cut: bool = False
    """There was more than `MOST`."""
    read: int = 0
    """Records that were looked at."""
    lost: bool = False
    """Whether any log has lost its beginning, so that a cause may have been in it."""


async def index(
    log: Log, *, event_id: str | None = None, child: str | None = None, progress: Progress, keep: int = KEPT
) -> Index:
    """Read everything that may belong to it, headers only."""
    found = Index(log.catalogue, keep)
    wanted = event_id.encode() if event_id else None
    async for records in log.to_the_end(log.topics, child=child, progress=progress):
        found.add(records, wanted=wanted)
    return found


async def of_event(log: Log, event_id: str, progress: Progress, *, keep: int = KEPT) -> Chain:
    """The whole chain of every event with this id: of all children whom it is about."""
    found = await index(log, event_id=event_id, progress=progress, keep=keep)
    return await _Gathering(log, found).of_event(event_id)


async def of_child(log: Log, child: str, progress: Progress, *, keep: int = KEPT) -> Chain:
    """What was said about this child, what led to it and what followed; nothing under another child's key."""
    found = await index(log, child=child, progress=progress, keep=keep)
    return await _Gathering(log, found).of_child(child.encode())


class _Gathering:
    """Goes from record to record, in waves: each wave is fetched and decoded at once."""

    def __init__(self, log: Log, index: Index) -> None:
        self._log, self._index = log, index
        self._chain = Chain(read=index.records)
        self._child: bytes | None = None

    async def of_event(self, event_id: str) -> Chain:
        self._chain.asked = self._index.named(event_id)
        await self._gather(self._chain.asked)
        return await self._finished()

    async def of_child(self, child: bytes) -> Chain:
        self._child = child
        await self._gather(self._index.of_key(child))
        await self._gather(await self._meetings(child.decode()))
        return await self._finished()

    async def _gather(self, places: Iterable[Place]) -> None:
        wave = set(places)
        while wave := wave - self._chain.heard.keys():
            room = MOST - len(self._chain.heard)
            if len(wave) > room:
                self._chain.cut, wave = True, set(sorted(wave)[:room])
                if not wave:
                    return
            new = await self._fetched(wave)
            if not new:
                return
            wave = {place for heard in new for place in self._next_to(heard)}

    async def _fetched(self, wave: set[Place]) -> list[Heard]:
        """Those of the wave that may belong here, decoded."""
        records = [record for record in await self._index.fetched(self._log, wave) if self._may(record)]
        new = []
        for heard in await self._log.decoded(records):
            marks = Marks.of(heard.record)
            if marks is not None:
                place = _place(heard.record)
                self._chain.heard[place], self._chain.marks[place] = heard, marks
                new.append(heard)
        return new

    def _may(self, record: Record) -> bool:
        return self._child is None or record.topic not in self._index.child_keyed or record.key == self._child

    def _next_to(self, heard: Heard) -> Iterator[Place]:
        """What it names as its cause, what names it, where its chain began; and, for an event, all of that chain."""
        record, marks = heard.record, self._chain.marks[_place(heard.record)]
        if record.topic in directory.TOPICS:
            return
        yield from self._index.occurrences(marks.source, marks.id)
        yield from self._index.occurrences(marks.cause_source, marks.cause_id)
        yield from self._index.effects(marks)
        source, _, first = marks.correlation.partition(b" ")
        yield from self._index.occurrences(source, first)
        if self._child is None:
            yield from self._index.correlated(marks.correlation)

    async def _meetings(self, child: str) -> list[Place]:
        """Those that name the child; others are decoded, and left alone."""
        records = await self._index.fetched(self._log, self._index.of_meetings)
        return [
            _place(heard.record)
            for heard in await self._log.decoded(records)
            if child in getattr(heard.event, "child_ids", ())
        ]

    async def _finished(self) -> Chain:
        await self._joined()
        await self._places_hidden()
        self._chain.lost = any((await self._log.begins(self._index.topics)).values())
        return self._chain

    async def _joined(self) -> None:
        """What is about the same disclosures and deadlines, under the keys of the children found; and what is next to
        that in its turn."""
        if self._child is not None:
            return  # all under the child's key are here already
        looked: dict[Place, Heard] = {}
        while True:
            new = {place for key in self._keys() for place in self._index.of_key(key)} - looked.keys()
            for one in await self._log.decoded(await self._index.fetched(self._log, new)):
                looked[_place(one.record)] = one
            about, before = self._about(), len(self._chain.heard)
            await self._gather(place for place, one in looked.items() if about & _names(one))
            if len(self._chain.heard) == before:
                return

    def _keys(self) -> set[bytes]:
        keyed = self._index.child_keyed
        return {
            heard.record.key for place, heard in self._chain.heard.items() if place[0] in keyed and heard.record.key
        }

    def _about(self) -> set[str]:
        """Ids of the disclosures and deadlines that were found or are named by what was found."""
        return {name for heard in self._chain.heard.values() for name in _names(heard)}

    async def _places_hidden(self) -> None:
        """Whether anything found, or the directory as it stands now, says that a child's location is confidential."""
        keys = self._keys() | ({self._child} if self._child else set())
        places = [place for key in keys if (place := self._index.child(key)) is not None]
        now = await self._log.decoded(await self._index.fetched(self._log, places))
        events = [heard.event for heard in (*now, *self._chain.heard.values()) if heard.event]
        said = [hides(event.model_dump()) for event in events]
        self._chain.confidential = True if True in said else False if False in said else None


def subject_of(heard: Heard) -> str | None:
    """The disclosure that a receipt is about, or the deadline that is set or missed. One that is met has a cause, which
    may be the beginning of another chain."""
    event = heard.event
    if isinstance(event, DisclosureRead):
        return str(event.disclosure_id)
    if isinstance(event, DeadlineMissed | DeadlineSet):
        return str(event.deadline_id)
    return None


def _names(heard: Heard) -> set[str]:
    """Of which disclosure it is the event, and what it is about."""
    disclosure = getattr(heard.event, "disclosure", None)
    return {str(name) for name in (disclosure.id if disclosure else None, subject_of(heard)) if name}


def _place(record: Record) -> Place:
    return record.topic, record.partition, record.offset
