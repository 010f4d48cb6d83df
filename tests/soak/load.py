"""Plays the county: what arrives when, what follows from it hours later, and by which way each is sent."""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count

from services.bus.clock import Clock
from services.bus.events import ChildRecorded, Role
from services.bus.settings import Settings
from tests.soak import telling
from tests.soak.channels import Channel, Item, send_malformed
from tests.soak.county import FORCE, County, Kind, arrivals, place
from tests.soak.ledger import Ledger, invited


def _nothing() -> None:
    pass


UNKNOWN, MATCHED, MALFORMED, TO_STRATEGY, BY_PRACTICE, BY_GATEWAY = 0.06, 0.5, 0.05, 0.15, 0.3, 0.5
"""Shares: of incidents with a child whom nobody knows, of those whom a person then names, of incidents that come with a
malformed one, of decisions for a strategy discussion, of contacts made by a practice, of events through the gateway."""
BACKLOG = 26
"""Incidents of one day, which a force's system sends at once when it comes back."""


class Load:
    """`await load.play(seconds)`, then `await load.finish()`: everything that was to follow is sent at once."""

    def __init__(
        self,
        at: Settings,
        county: County,
        ledger: Ledger,
        channels: Mapping[str, Channel],
        *,
        start: datetime,
        rate: float,
    ) -> None:
        """
        Args:
            channels: by principal (`police`, `local-authority`, `agency`), and by organisation those at the gateway.
            start: the county's time at the beginning.
            rate: so many times as fast as the real one does its time pass.
        """
        self._at, self._county, self._ledger, self._channels = at, county, ledger, channels
        self._start, self._rate = start, rate
        self._clock = Clock.of(at)
        self._chance = random.Random(f"{county.seed} load")
        self._numbers = count(1)
        self._later: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._others: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._awaited: dict[tuple[str, str], ChildRecorded] = {}
        """Incident and child of which the front door has not heard yet."""
        self._began = time.monotonic()
        self._incidents_at: dict[str, float] = {}
        """When each was acknowledged, by the real clock."""

    async def play(self, seconds: float) -> None:
        """So many seconds of real time; in their middle a day's backlog comes at once."""
        self._began = began = time.monotonic()
        coming = self._all(arrivals(self._chance, self._start))
        backlog: float | None = seconds / 2
        while (passed := time.monotonic() - began) < seconds:
            now = self._now()
            if backlog is not None and passed > backlog:
                backlog = None
                for _ in range(BACKLOG):
                    self._incident(now)
            for kind in coming(now):
                self._incident(now) if kind is Kind.INCIDENT else self._contact(now)
            while self._later and self._later[0][0] <= now:
                heapq.heappop(self._later)[2](now)
            await asyncio.sleep(0.05)

    def notified(self, incident: str, child_id: str) -> None:
        """The front door has it in its inbox: from then on it can decide."""
        if incident in self._incidents_at:
            self._ledger.latencies.append(time.monotonic() - self._incidents_at[incident])
        if child := self._awaited.pop((incident, child_id), None):
            self._after(30, 90, lambda then: self._decide(incident, then, child, FORCE))

    async def finish(self, patience: float) -> None:
        """Until all is acknowledged and all that follows from it, so many seconds at most."""
        until = time.monotonic() + patience
        while (self._later or self._waiting or self._awaited) and time.monotonic() < until:
            while self._later:
                at, _, act = heapq.heappop(self._later)
                act(at)
            await asyncio.gather(*self._others, *(channel.empty() for channel in self._channels.values()))
            await asyncio.sleep(0.1)

    @staticmethod
    def _all(coming: Iterator[tuple[datetime, Kind]]) -> Callable[[datetime], Iterator[Kind]]:
        """What has come until a moment and was not told of yet."""
        following = [next(coming)]

        def until(now: datetime) -> Iterator[Kind]:
            while following[0][0] <= now:
                yield following[0][1]
                following[0] = next(coming)

        return until

    # What happens. Times that stand in an event are the services' own; the county's say when it is sent.

    def _incident(self, now: datetime) -> None:
        family = self._chance.sample(self._county.children, self._chance.choice((1, 1, 2, 2, 3)))
        known, unknown = family, self._chance.random() < UNKNOWN
        id = self._id("incident")  # noqa: A001
        said = telling.incident(id, self._clock.now(), known, unknown=unknown)
        self._ledger.incident(id, known)

        match = unknown and self._chance.random() < MATCHED

        def acknowledged() -> None:
            self._incidents_at[id] = time.monotonic()
            if match:
                self._after(10, 40, lambda then: self._match(id, then, known))

        self._awaited |= {(id, child.child_id): child for child in known}
        self._put(FORCE if self._chance.random() < BY_GATEWAY else "police", Item(id, said, acknowledged))
        if self._chance.random() < MALFORMED:
            malformed = self._id("malformed")
            self._ledger.malformed.add(malformed)
            task = asyncio.create_task(send_malformed(self._at, malformed))
            self._others.add(task)
            task.add_done_callback(self._others.discard)

    def _match(self, incident: str, now: datetime, known: list[ChildRecorded]) -> None:
        child = self._chance.choice([one for one in self._county.children if one not in known])
        self._ledger.incident(incident, [child])
        self._awaited[incident, child.child_id] = child
        self._put("local-authority", Item(self._id("match"), telling.matched(incident, child)))

    def _contact(self, now: datetime) -> None:
        child = self._chance.choice(self._county.children)
        school, practice = place(child, Role.SCHOOL), place(child, Role.GP_PRACTICE)
        assert practice
        health = school is None or self._chance.random() < BY_PRACTICE
        referrer, role = (practice, Role.GP_PRACTICE) if health else (str(school), Role.SCHOOL)
        id = self._id("contact")  # noqa: A001
        said = telling.contact(id, self._clock.now(), child, referrer, role)
        decide = lambda then: self._decide(id, then, child, None if health else referrer)  # noqa: E731
        way = referrer if self._chance.random() < BY_GATEWAY else "agency"
        self._put(way, Item(id, said, lambda: self._after(20, 120, decide)))

    def _decide(self, enquiry: str, now: datetime, child: ChildRecorded, referrer: str | None) -> None:
        id, closes = self._id("decision"), self._chance.random() > TO_STRATEGY  # noqa: A001
        said = telling.decision(id, self._clock.now(), enquiry, child, closes=closes)
        self._ledger.decision(id, child, referrer)
        self._ledger.decisions[child.child_id].append(id)
        meet = lambda: self._after(60, 120, lambda then: self._meet(enquiry, then, child))  # noqa: E731
        self._put("local-authority", Item(id, said, _nothing if closes else meet))

    def _meet(self, enquiry: str, now: datetime, child: ChildRecorded) -> None:
        meeting, minutes = self._id("meeting"), self._id("minutes")
        at = self._clock.now()
        self._put("local-authority", Item(meeting, telling.meeting(meeting, at, enquiry, child)))

        def approve(_now: datetime) -> None:
            self._ledger.minutes(minutes, meeting, invited(child))
            self._put("local-authority", Item(minutes, telling.minutes(minutes, at, meeting, child)))

        self._after(30, 60, approve)  # minutes may overtake their meeting: they wait for it

    def _put(self, way: str, item: Item) -> None:
        """Nothing follows from what is not acknowledged yet: nobody decides on what nobody knows."""
        self._waiting += 1

        def done() -> None:
            self._waiting -= 1
            item.done()

        self._channels[way].put(item._replace(done=done))

    def _after(self, least: float, most: float, act: Callable[[datetime], None]) -> None:
        """Minutes of the county's time from now."""
        then = self._now() + timedelta(minutes=self._chance.uniform(least, most))
        heapq.heappush(self._later, (then, next(self._numbers), act))

    def _now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._began) * self._rate)

    def _id(self, kind: str) -> str:
        return f"{self._county.run}-{kind}-{next(self._numbers)}"
