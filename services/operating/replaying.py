"""`safebus replay SERVICE`: rebuild its state from the log, beside the one that it has, and compare them.

It differs from `safebus recover`, which rebuilds a database that was lost, in its place, while the service is stopped.
A replay writes into a database of its own that is thrown away; the service runs on, nothing is sent, nothing is
committed, and what it keeps is read as of one moment. So it can be run on any day, to prove that what a service keeps
is what the log says (DESIGN.md §1, rule 2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from services.bus.access import Access
from services.bus.batch import Batch, Round
from services.bus.broker import Partition, Reader
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.errors import UserMistake
from services.bus.events import DeadLetter
from services.bus.heard import Heard
from services.bus.loop import Loop
from services.bus.metrics import HEARD
from services.bus.recovery import Recovery
from services.bus.run import broker_for, codec_for
from services.bus.service import Service
from services.bus.settings import Settings
from services.bus.store import Store
from services.bus.tables import guard, metadata
from services.bus.work import Work
from services.operating.comparing import OURS, REPLAYED, Compared, Scratch, gaps
from services.operating.silent import SilentBroker


@dataclass(slots=True)
class Replayed:
    """What a replay found."""

    service: str
    compared: Compared
    events: int
    """How many were read and decided again."""
    dropped: int
    """How many outputs they led to, none of which was sent."""
    begins_later: list[Partition] = field(default_factory=list)
    """Logs that have lost their beginning to retention: what only stood there cannot be rebuilt."""
    gaps: list[str] = field(default_factory=list)
    """Organisations whose inbox numbers have a gap. There should never be one."""

    @property
    def same(self) -> bool:
        return not (self.compared.differences or self.gaps)


class _Silent(Recovery):
    """A recovery that keeps no output, wherever it may stand."""

    def reader(self, reader: Reader) -> Reader:
        return reader  # a SilentBroker's has that order already

    def _was_done(self, h: Heard, place: str) -> bool:
        return True  # nothing is read that the service had not decided, and whatever died was found

    def keep_unsent(self, done: Round) -> None:
        self.replayed += len(done.outputs)
        done.outputs.clear()


class _Then(Clock):
    """The time that it was: each moment that a view waits for, as it comes in the log; at last when the database was
    read."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


class _Beside(Loop):
    """The loop, but for the clock: what was due before an event was taken in rings before it is decided, as it did; but
    what then said nothing, and would say something, rings at the end, as its service was down when it was due."""

    def __init__(self, service: Service, silent: SilentBroker, store: Store, codec: Codec, then: _Then, **more: Any):
        super().__init__(service, silent, store, codec, clock=then, **more)
        self._silent, self._then, self._last = silent, then, then.moment
        # A demo's clock is not the broker's, so there moments ring at the end, all at once.
        self._by_the_log = more["settings"].clock_file is None
        self._at_the_end = False

    def _batch(self, work: Work) -> Batch:
        batch = super()._batch(work)
        batch.unheard_until = None if self._at_the_end else self._last
        return batch

    async def _ring(self) -> None:
        if self.service.on_alarm is None or not self.partitions.known:
            return
        upcoming = await self._silent.upcoming()
        if upcoming is not None and not self._by_the_log:
            return
        self._at_the_end = upcoming is None
        until = self._last if upcoming is None else min(upcoming, self._last)
        while (first := await self._in_thread(self._with_work, Work.next_alarm)) is not None:
            if first > until.timestamp() * 1_000_000 or (not self._at_the_end and until == self._last):
                break
            self._then.moment = datetime.fromtimestamp(first / 1_000_000, UTC) if self._by_the_log else self._last
            await self._in_thread(self._transact_alarms, first)
        self._then.moment = until


async def replay(service: Service, at: Settings) -> Replayed:
    """Do it.

    Raises:
        UserMistake: the service has no database here, or one that needs `safebus recover`.
        Surroundings: broker, registry or database is away.
    """
    _refuse_absent(service, at)
    with TemporaryDirectory(prefix="safebus-replay-") as folder:
        scratch = Scratch(Path(folder) / "rows.db")
        try:
            return await _replayed(service, at, Path(folder), scratch)
        finally:
            scratch.close()


async def _replayed(service: Service, at: Settings, folder: Path, scratch: Scratch) -> Replayed:
    tables = _tables(service)
    broker = broker_for(at, at.principal or service.name)
    topics = sorted({*service.hears, *service.directory_topics})
    ids = await broker.topic_ids(topics)
    access = Access(at, service.name)
    try:
        moment = Clock.of(at).now()
        until, holes = await access.read(lambda connection: _taken(service, connection, scratch, tables, ids))
    finally:
        access.close()
    store = Store(f"sqlite:///{folder}/replayed.db", service.name, projection=service.projection)
    silent = SilentBroker(broker, until)
    recovery = _Silent(service.name, silent, [*service.says, DeadLetter.topic])
    before = _events(service.name)
    await _Beside(service, silent, store, codec_for(at), _Then(moment), settings=at, recovery=recovery).run()
    await asyncio.to_thread(_take_replayed, f"sqlite:///{folder}/replayed.db", scratch, tables)
    return Replayed(
        service.name, scratch.compare(), _events(service.name) - before, recovery.replayed, silent.begin_later, holes
    )


def _refuse_absent(service: Service, at: Settings) -> None:
    url = sa.make_url(at.store_for(service.name))
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise UserMistake(
            f"{service.name} has no database at {url.database}; is SAFEBUS_DATA_DIR the one it runs with?"
        )


def _tables(service: Service) -> Sequence[sa.Table]:
    kept = [*metadata.sorted_tables]
    return [*kept, *(service.projection.tables.sorted_tables if service.projection else [])]


def _taken(
    service: Service, connection: sa.Connection, scratch: Scratch, tables: Sequence[sa.Table], ids: Mapping[str, str]
) -> tuple[dict[Partition, int], list[str]]:
    """Note what the service keeps, and how far it had come when it was read."""
    there = set(sa.inspect(connection).get_table_names())
    if not {table.name for table in tables} <= there:
        raise UserMistake(f"the database of {service.name} was made by another safebus; see `safebus recover`")
    until = {}
    for row in connection.execute(sa.select(guard)):
        if row.topic in ids and ids[row.topic] != row.topic_id:
            raise UserMistake(f"{row.topic} was made anew since; `safebus recover {service.name}` is due")
        until[row.topic, row.partition] = row.next_offset
    scratch.take(OURS, connection, tables)
    named = {table.name: table for table in tables}
    holes = gaps(connection, named["inbox_counter"], named["inbox_entry"]) if "inbox_entry" in named else []
    return until, holes


def _take_replayed(url: str, scratch: Scratch, tables: Sequence[sa.Table]) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        scratch.take(REPLAYED, connection, tables)


def _events(service: str) -> int:
    samples = (sample for metric in HEARD.collect() for sample in metric.samples)
    return round(sum(s.value for s in samples if s.name.endswith("_total") and s.labels["service"] == service))
