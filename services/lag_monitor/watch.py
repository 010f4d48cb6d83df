"""Looks at every group again and again: what is known of lag now, and what was known for the last hour."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.bus.broker import Partition
from services.bus.catalogue import load
from services.bus.errors import Surroundings
from services.bus.secrets import password_of
from services.bus.settings import Settings
from services.lag_monitor.ages import Age, Ages, Wanted
from services.lag_monitor.asking import STABLE, Asking, Log, Sounding, Standing
from services.lag_monitor.judge import About, Pace, Sighting, judge
from services.lag_monitor.lag import GroupLag, PartitionLag, RecipientLag, Snapshot, Verdict
from services.lag_monitor.recipients import client, recipients

NAME = "lag-monitor"

WINDOW = timedelta(seconds=60)
"""A group is judged by what was seen of it within so long."""

HISTORY, EVERY = 360, timedelta(seconds=10)
"""So many snapshots are kept, so far apart: an hour's."""

RECIPIENTS_EVERY = timedelta(seconds=15)

Group = str
Marks = dict[Group, dict[Partition, "Mark"]]


@dataclass(frozen=True, slots=True)
class Mark:
    """The highest offset that a group was ever seen at, in one incarnation of a topic."""

    topic_id: str
    offset: int


class Watch:
    """One observer. `latest` and `history` are what others show; `look` brings them up to date."""

    def __init__(self, at: Settings, *, pace: Pace | None = None) -> None:
        """
        Raises:
            NotPermitted: no password is known for the principal that asks.
        """
        who = at.principal or NAME
        self._at, self._pace = at, pace or Pace()
        self._asking = Asking(at, who, password_of(who, at) if at.security_protocol.startswith("SASL") else "")
        self._catalogue = load(at.catalogue)
        self._topics = self._catalogue.logs.keys() - self._catalogue.internal.keys()
        self._expected = {
            name: frozenset(self._catalogue.topics_read_by(name)) & self._topics
            for name in self._catalogue.processes
            if self._catalogue.principals[name].kind != "monitor"
        }
        self._retention = {
            name: None if topic.retention_days is None else topic.retention_days * 86_400.0
            for name, topic in self._catalogue.logs.items()
        }
        self._subscribed: dict[Group, frozenset[str]] = {}
        """What each service's members were last seen to share among them. Until they are, what the catalogue lets it
        read counts, which may be more: a right that stands unused is no work undone."""
        self._ages = Ages()
        self._seen: dict[Group, deque[Sighting]] = {}
        self._recipients: tuple[tuple[RecipientLag, ...], str | None] = ((), None)
        self._recipients_at: datetime | None = None
        self._client = client()
        self.latest: Snapshot | None = None
        self.history: deque[Snapshot] = deque(maxlen=HISTORY)
        """At most an hour; a snapshot every ten seconds, of groups alone: all partitions of a busy bus for an hour are
        more than the rest of the process."""
        self.marks: Marks = {}
        """What a monitor remembers from before it was started (kept.py)."""
        self.since: dict[Group, tuple[Verdict, datetime]] = {}
        """Each group's verdict, and since when; likewise."""

    async def look(self) -> Snapshot:
        """How everything is now; also `latest` from then on.

        Raises:
            NotPermitted: the broker refuses the principal that asks.
        """
        (told, fault), groups = await asyncio.gather(self._ask_gateway(), self._ask_broker())
        if isinstance(groups, Surroundings):
            found = Snapshot(datetime.now(UTC), (), told, str(groups), fault)
        else:
            at, judged = groups
            found = Snapshot(at, judged, told, None, fault)
        self.latest = found
        if not self.history or found.at - self.history[-1].at >= EVERY:
            self.history.append(_of_groups(found))
        return found

    async def close(self) -> None:
        await self._client.aclose()
        await self._asking.close()

    # The gateway

    async def _ask_gateway(self) -> tuple[tuple[RecipientLag, ...], str | None]:
        now = datetime.now(UTC)
        if self._recipients_at is None or now - self._recipients_at >= RECIPIENTS_EVERY:
            self._recipients_at = now
            try:
                self._recipients = (await recipients(self._at, self._client), None)
            except Surroundings as error:
                self._recipients = ((), str(error))
        return self._recipients

    # The broker

    async def _ask_broker(self) -> tuple[datetime, tuple[GroupLag, ...]] | Surroundings:
        try:
            sounding = await self._asking.sound(self._expected.keys(), self._topics)
            self._learn_what_is_read(sounding)
            ages = await self._ages_of(sounding)
        except Surroundings as error:
            return error
        groups = (
            (name, standing) for name, standing in sorted(sounding.groups.items()) if self._counts(name, standing)
        )
        judged = tuple(self._judged(sounding, name, standing, ages) for name, standing in groups)
        self._forget_all_but({group.group for group in judged})
        return sounding.at, judged

    def _forget_all_but(self, groups: Set[Group]) -> None:
        """Others are gone: some readers take a new name each day, and each would be remembered for ever."""
        kept: tuple[dict[Group, Any], ...] = (self._seen, self.since, self.marks)
        for known in kept:
            for name in known.keys() - groups:
                del known[name]

    def _learn_what_is_read(self, sounding: Sounding) -> None:
        for name in self._expected:
            standing = sounding.groups[name]
            # While partitions are shared out anew, some of what is read is nobody's.
            if standing.state == STABLE and (shared := standing.assigned & self._topics):
                self._subscribed[name] = shared

    def _counts(self, name: Group, standing: Standing) -> bool:
        """A service's group always; another's once it has an offset in one of our topics, or somebody reads there."""
        return name in self._expected or any(place[0] in self._topics for place in standing.committed)

    def _places(self, sounding: Sounding, name: Group, standing: Standing) -> Iterable[tuple[Partition, Log]]:
        if name in self._expected:
            read = self._subscribed.get(name, self._expected[name])
            return sorted((place, log) for place, log in sounding.logs.items() if place[0] in read)
        return sorted((place, sounding.logs[place]) for place in standing.committed if place in sounding.logs)

    async def _ages_of(self, sounding: Sounding) -> Mapping[Wanted, Age | None]:
        wanted = {
            one
            for name, standing in sounding.groups.items()
            if self._counts(name, standing)
            for place, log in self._places(sounding, name, standing)
            if (one := self._wanted(place, log, standing.committed.get(place))) is not None
        }
        return await self._ages.of(wanted, self._asking.first_since, int(sounding.at.timestamp() * 1000))

    def _wanted(self, place: Partition, log: Log, committed: int | None) -> Wanted | None:
        """Where the first unread record would be; None if nothing is unread."""
        offset = max(log.begin, committed or 0)
        if log.fault is not None or offset >= log.end:
            return None
        return Wanted(place, log.topic_id, offset, self._retention.get(place[0]) is None)

    def _judged(
        self, sounding: Sounding, name: Group, standing: Standing, ages: Mapping[Wanted, Age | None]
    ) -> GroupLag:
        parts = tuple(
            self._part(sounding, name, place, log, standing, ages)
            for place, log in self._places(sounding, name, standing)
        )
        seen = self._seen.setdefault(name, deque())
        if seen and seen[-1].at >= sounding.at:
            seen.clear()  # the clock was set back
        seen.append(Sighting(sounding.at, standing.state, standing.members, parts))
        while sounding.at - seen[0].at > WINDOW:
            seen.popleft()
        marks = self._marks_of(sounding, name)
        verdict, why, passed_by_at = judge(
            seen,
            About(name in self._expected, self._retention, {p: mark.offset for p, mark in marks.items()}),
            self._pace,
        )
        for part in parts:
            self._mark(marks, sounding, part)
        before = self.since.get(name)
        since = before[1] if before is not None and before[0] is verdict else sounding.at
        self.since[name] = (verdict, since)
        measured = [part for part in parts if part.fault is None]
        return GroupLag(
            group=name,
            state=standing.state,
            members=standing.members,
            partitions=parts,
            behind=sum(part.behind for part in measured),
            seconds=max((part.seconds for part in measured), default=0.0),
            verdict=verdict,
            why=why,
            since=since,
            passed_by_at=passed_by_at,
        )

    def _part(
        self,
        sounding: Sounding,
        name: Group,
        place: Partition,
        log: Log,
        standing: Standing,
        ages: Mapping[Wanted, Age | None],
    ) -> PartitionLag:
        committed = standing.committed.get(place)
        found = PartitionLag(
            group=name,
            topic=place[0],
            partition=place[1],
            committed=committed,
            begin=log.begin,
            end=log.end,
            behind=0,
            seconds=0.0,
            how="nothing unread",
            lost=max(0, log.begin - committed) if committed is not None and log.fault is None else 0,
            fault=log.fault,
        )
        wanted = self._wanted(place, log, committed)
        if wanted is not None and wanted not in ages:
            found = replace(found, fault="the broker did not say since when it waits")
        elif wanted is not None and (age := ages[wanted]) is not None:
            seconds = max(0.0, sounding.at.timestamp() - age.time_ms / 1000)
            found = replace(found, behind=log.end - wanted.offset, seconds=seconds, how=age.how)
        # An idle partition is the same object in every sighting of a minute.
        seen = self._seen.get(name)
        before = seen[-1].measured.get(place) if seen else None
        return before if before is not None and before == found else found

    def _marks_of(self, sounding: Sounding, name: Group) -> dict[Partition, Mark]:
        """Of the topics as they are now: one that was made anew has other offsets."""
        marks = self.marks.setdefault(name, {})
        for place, mark in list(marks.items()):
            log = sounding.logs.get(place)
            if log is not None and log.topic_id != mark.topic_id:
                del marks[place]
        return marks

    def _mark(self, marks: dict[Partition, Mark], sounding: Sounding, part: PartitionLag) -> None:
        place = (part.topic, part.partition)
        if part.committed is None or part.fault is not None or part.committed > part.end:
            return
        before = marks.get(place)
        if before is None or before.offset < part.committed or before.offset > part.end:
            marks[place] = Mark(sounding.logs[place].topic_id, part.committed)


def _of_groups(found: Snapshot) -> Snapshot:
    """Without partitions and recipients."""
    return replace(found, groups=tuple(replace(group, partitions=()) for group in found.groups), recipients=())
