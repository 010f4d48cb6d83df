"""What stands in a service's database, as numbers for /metrics: outputs not sent, events that died, alarms awaited.

Every worker of a service on PostgreSQL tells the same numbers: take the highest, not the sum.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import sqlalchemy as sa
from prometheus_client import Gauge

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.errors import Surroundings
from services.bus.metrics import looking
from services.bus.settings import Settings
from services.bus.tables import dead, outbox, state

STORE_UP = Gauge("safebus_store_up", "1 when the service's database answers", ["service"])
OUTBOX = Gauge("safebus_outbox_events", "Outputs stored and not known to be sent", ["service"])
OUTBOX_OLDEST = Gauge(
    "safebus_outbox_oldest_seconds", "How long the oldest of them has been seen there, 0 without one", ["service"]
)
DEAD = Gauge(
    "safebus_dead_letters_open",
    "Events that died and were not retried with success since, without those that reused an id",
    ["service"],
)
ALARMS = Gauge(
    "safebus_alarms_open", "Moments awaited; in deadlines, what is owed and neither met nor missed", ["service"]
)
OVERDUE = Gauge("safebus_alarms_overdue", "Moments that have come and were not acted upon yet", ["service"])
OVERDUE_OLDEST = Gauge("safebus_alarms_overdue_seconds", "How long the oldest of them has, 0 without one", ["service"])

OF_THE_STORE = (OUTBOX, OUTBOX_OLDEST, DEAD, ALARMS, OVERDUE, OVERDUE_OLDEST)

Oldest = Mapping[tuple[str, int], int]
"""By input partition, the offset whose outputs have stood longest."""


class Stored:
    """Reads one service's database, on a connection of its own."""

    def __init__(self, access: Access, service: str, clock: Clock, ticks: Callable[[], float] = time.monotonic) -> None:
        self._access, self._service, self._clock, self._ticks = access, service, clock, ticks
        self._first_seen: dict[tuple[str, int, int], float] = {}

    async def look(self) -> None:
        """Bring the gauges up to date; without the database they are absent rather than stale."""
        try:
            found = await self._access.read(self._read)
        except Surroundings:
            STORE_UP.labels(self._service).set(0)
            for gauge in OF_THE_STORE:
                gauge.remove_by_labels({"service": self._service})
            return
        STORE_UP.labels(self._service).set(1)
        unsent, oldest, died, awaited, overdue, first_us = found
        now = self._clock.now()
        late = (now - datetime.fromtimestamp(first_us / 1_000_000, UTC)).total_seconds() if first_us else 0.0
        numbers = (unsent, self._standing(oldest), died, awaited, overdue, max(0.0, late))
        for gauge, number in zip(OF_THE_STORE, numbers, strict=True):
            gauge.labels(self._service).set(number)

    def _read(self, connection: sa.Connection) -> tuple[int, Oldest, int, int, int, int | None]:
        run, count = connection.execute, sa.func.count()
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        each = (outbox.c.topic, outbox.c.partition)
        oldest = {(r[0], r[1]): r[2] for r in run(sa.select(*each, sa.func.min(outbox.c.offset)).group_by(*each))}
        alarm = state.c.alarm_us
        overdue, first = run(sa.select(count, sa.func.min(alarm)).where(alarm <= now_us)).one()
        return (
            run(sa.select(sa.func.coalesce(sa.func.sum(outbox.c.outputs), 0))).scalar_one(),
            oldest,
            run(sa.select(count).select_from(dead)).scalar_one(),
            run(sa.select(count).where(alarm.is_not(None))).scalar_one(),
            overdue,
            first,
        )

    def _standing(self, oldest: Oldest) -> float:
        """Seconds since the same output was first seen waiting: rows do not say when they were written."""
        now = self._ticks()
        here = {(topic, partition, offset) for (topic, partition), offset in oldest.items()}
        self._first_seen = {place: self._first_seen.get(place, now) for place in here}
        return max((now - since for since in self._first_seen.values()), default=0.0)


@contextmanager
def stored(at: Settings, service: str) -> Iterator[None]:
    """Tell that service's numbers within the block."""
    access = Access(at, service)
    try:
        with looking(Stored(access, service, Clock.of(at)).look):
            yield
    finally:
        access.close()
