"""How a group is, from what was seen of it for a while: plain calls, no I/O, no clock.

No number is too many by itself: a backlog that shrinks is well, one event that nobody takes is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from services.bus.broker import Partition
from services.lag_monitor.lag import PartitionLag, Verdict
from services.lag_monitor.words import events, lasting, moment

REBALANCING = ("preparing_rebalancing", "completing_rebalancing")

EMPTY_TWICE = 2
"""Sightings in a row without a member, unless it was never seen with one: a single one may fall between a worker that
leaves and the next that comes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long is long, in seconds."""

    stall: float = 20.0
    """Nothing was committed for so long, though there was work: longer than it takes to share partitions out anew."""
    old: float = 20.0
    """And the first unread event had waited for at least so long."""
    starved: float = 60.0
    """One partition stands for so long while others move: it had its turn."""
    trend: float = 30.0
    """A group is seen for so long before it counts as slow."""
    late: float = 10.0
    """What is read within so long is not late."""
    patience: float = 3600.0
    """A backlog that would take longer than this to read is slow, even if it shrinks."""
    soon: float = 3 * 86_400.0
    """What the broker will remove within so long, or within a quarter of the time that it keeps it, is at risk."""


GLANCE = Pace(stall=3.0, old=20.0, starved=60.0, trend=3.0)
"""Of `safebus lag` without a monitor, which looks for a few seconds only."""


@dataclass(frozen=True)
class Sighting:
    """One group at one moment."""

    at: datetime
    state: str
    members: int
    partitions: tuple[PartitionLag, ...]

    @cached_property
    def measured(self) -> Mapping[Partition, PartitionLag]:
        """Those that could be measured, by topic and number."""
        return {(part.topic, part.partition): part for part in self.partitions if part.fault is None}

    @cached_property
    def behind(self) -> int:
        return sum(part.behind for part in self.measured.values())


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a group beforehand."""

    expected: bool
    """It is a service's: it has to be there, whether there is work or not."""
    retention: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds that each topic keeps an event; None where it is compacted, and nothing unread goes by its age."""
    marks: Mapping[Partition, int] = field(default_factory=dict)
    """The highest offset that the group has ever been seen at, in the topics as they are now."""


class Judgement(NamedTuple):
    verdict: Verdict
    why: str
    passed_by_at: datetime | None
    """When the broker may first remove something unread, if it goes on like this."""


def judge(seen: Sequence[Sighting], about: About, pace: Pace | None = None) -> Judgement:
    """The worst that is true of the group.

    Args:
        seen: at least one sighting, in the order of their moments; the last one is judged.
    """
    case = _Case(seen, about, pace or Pace())
    passed = case.passed_by()
    verdict, why = next(case.findings(passed))
    return Judgement(verdict, why, passed.at if passed and verdict is not Verdict.ok else None)


class _Passing(NamedTuple):
    at: datetime
    place: str
    soon: bool


@dataclass(frozen=True, slots=True)
class _Moved:
    """What became of one partition within the window."""

    now: PartitionLag
    stood: float
    """Seconds for which there was work and nothing was committed; 0 if the last look found no work."""
    ageing: float
    """Seconds by which the first unread event grew older, a second: 1 if nothing is read, 0 if it kept its distance."""


class _Case:
    def __init__(self, seen: Sequence[Sighting], about: About, pace: Pace) -> None:
        self._seen, self._about, self._pace = tuple(seen), about, pace
        self._now = seen[-1]
        self._parts = tuple(self._now.measured.values())
        self._behind = self._now.behind
        self._oldest = max((part.seconds for part in self._parts), default=0.0)
        self._moves = tuple(self._moved(part) for part in self._parts)
        self._commits = self._now.members > 0 and self._moves_on()

    def findings(self, passed: _Passing | None) -> Iterator[tuple[Verdict, str]]:
        """The worst first; the last one is always true."""
        if lost := [part for part in self._parts if part.lost]:
            many = events(sum(part.lost for part in lost))
            yield Verdict.at_risk, f"the broker removed {many} of {_places(lost)} before they were read: they are lost"
        yield from self._rewound()
        if passed and passed.soon:
            yield (
                Verdict.at_risk,
                f"the broker removes the first unread event of {passed.place} from {moment(passed.at)} on",
            )
        yield from self._stopped()
        yield from self._stalled()
        yield from self._slow()
        yield Verdict.ok, self._well()

    def passed_by(self) -> _Passing | None:
        """Where the broker's end of keeping catches up with the group first."""
        found = []
        for moved in self._moves:
            keeps, part = self._about.retention.get(moved.now.topic), moved.now
            ageing = moved.ageing if self._now.members else 1.0
            if keeps is None or not part.behind or part.seconds < self._pace.late or ageing <= 0:
                continue
            left = max(0.0, keeps - part.seconds) / ageing
            if left < 100 * 365 * 86_400:
                at = self._now.at + timedelta(seconds=left)
                found.append(_Passing(at, _place(part), left <= min(self._pace.soon, keeps / 4)))
        return min(found, default=None)

    # Each of the findings

    def _rewound(self) -> Iterator[tuple[Verdict, str]]:
        for part in self._parts:
            if part.committed is not None and part.committed > part.end:
                yield (
                    Verdict.rewound,
                    f"{_place(part)} ends at {part.end}, yet it has read to {part.committed}: the log was cut off",
                )
        back = [part for part in self._parts if self._mark(part) > (part.committed or 0)]
        if back:
            again = sum(self._mark(part) - max(part.committed or 0, part.begin) for part in back)
            stands = back[0].committed if back[0].committed is not None else "no offset"
            yield (
                Verdict.rewound,
                f"{_place(back[0])} stands at {stands}, and had been read to {self._mark(back[0])}; "
                f"{events(max(0, again))} are read again",
            )

    def _stopped(self) -> Iterator[tuple[Verdict, str]]:
        members = any(one.members for one in self._seen[-EMPTY_TWICE:])
        if not members and (self._about.expected or self._behind):
            yield Verdict.stopped, "no process of it is connected"

    def _stalled(self) -> Iterator[tuple[Verdict, str]]:
        if not self._now.members:
            return
        standing = [one for one in self._moves if one.stood >= self._pace.stall and one.now.seconds >= self._pace.old]
        if standing and not self._commits:
            shared = " while its partitions are shared out anew" if self._now.state in REBALANCING else ""
            for_so_long = lasting(max(one.stood for one in standing))
            yield (
                Verdict.stalled,
                f"it is connected, yet has committed nothing for {for_so_long}{shared}",
            )
        starved = [one.now for one in standing if one.stood >= self._pace.starved]
        if starved:
            yield Verdict.stalled, f"it does not get on with {_places(starved)}, though with others"

    def _slow(self) -> Iterator[tuple[Verdict, str]]:
        seconds = self._spans()
        if not self._commits or seconds < self._pace.trend or self._oldest < self._pace.late or not self._behind:
            return
        shrinks = self._shrinking()
        if shrinks is None:
            yield Verdict.slow, f"it reads, but does not catch up{self._growth(seconds)}"
        elif self._behind / shrinks > self._pace.patience:
            yield Verdict.slow, f"it will have caught up only in {lasting(self._behind / shrinks)}"

    def _well(self) -> str:
        if not self._behind:
            return "everything is read" if self._now.members else "nobody reads it now, and nothing is unread"
        shrinks = self._shrinking()
        if shrinks is not None and self._oldest >= self._pace.late:
            return f"catching up, {lasting(self._behind / shrinks)} left"
        return "it reads as events come"

    # What they ask

    def _growth(self, seconds: float) -> str:
        grown = self._behind - self._seen[0].behind
        return f", {grown / seconds:,.1f} more a second" if grown > 0 else ""

    def _spans(self) -> float:
        return (self._now.at - self._seen[0].at).total_seconds()

    def _shrinking(self) -> float | None:
        """Events by which the backlog shrinks a second, since it was largest; None if it does not.

        Since its peak: a burst that came within the window and is being read is no growth.
        """
        peak = max(range(len(self._seen)), key=lambda i: (self._seen[i].behind, i))
        seconds = (self._now.at - self._seen[peak].at).total_seconds()
        less = self._seen[peak].behind - self._behind
        return less / seconds if less > 0 and seconds > 0 else None

    def _mark(self, part: PartitionLag) -> int:
        """0 where the mark is beyond the log's end, as that log is another one by now."""
        mark = self._about.marks.get(_key(part), 0)
        return mark if mark <= part.end else 0

    def _moves_on(self) -> bool:
        since = self._now.at - timedelta(seconds=self._pace.stall)
        before = next(one for one in self._seen if one.at >= since)
        return any(
            (then := before.measured.get(_key(part))) is not None and then.committed != part.committed
            for part in self._parts
        )

    def _moved(self, part: PartitionLag) -> _Moved:
        stood_since = self._now.at if part.behind else None
        for one in reversed(self._seen[:-1]):
            then = one.measured.get(_key(part))
            if stood_since is None or then is None or not then.behind or then.committed != part.committed:
                break
            stood_since = one.at
        stood = (self._now.at - stood_since).total_seconds() if stood_since else 0.0
        return _Moved(part, stood, self._ageing(part))

    def _ageing(self, part: PartitionLag) -> float:
        first = next(
            ((one.at, then) for one in self._seen if (then := one.measured.get(_key(part))) and then.behind), None
        )
        if first is None or not part.behind:
            return 0.0
        at, then = first
        seconds = (self._now.at - at).total_seconds()
        return 0.0 if seconds <= 0 else min(1.0, (part.seconds - then.seconds) / seconds)


def _key(part: PartitionLag) -> Partition:
    return part.topic, part.partition


def _place(part: PartitionLag) -> str:
    return f"{part.topic}[{part.partition}]"


def _places(parts: Sequence[PartitionLag]) -> str:
    more = f" and {len(parts) - 1} more partitions" if len(parts) > 2 else ""
    return f"{_place(parts[0])}{more}" if more or len(parts) == 1 else f"{_place(parts[0])} and {_place(parts[1])}"
