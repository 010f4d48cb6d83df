"""The process: sets the group back to what is held, lets Faust hear, answers for the figures, and notices every gap."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from starlette.routing import BaseRoute, Route

from services.bus.broker import Partition
from services.bus.clock import Clock
from services.bus.errors import SafebusError, Surroundings, UserMistake
from services.bus.health import Health
from services.bus.run import broker_for, codec_for
from services.bus.secrets import password_of
from services.bus.settings import Settings
from services.performance_data import answering
from services.performance_data.counting import count
from services.performance_data.facts import unpack
from services.performance_data.hearing import NAME, Heard, entry_of, record_of
from services.performance_data.measures import Figures
from services.performance_data.pages.door.serve import open_pages
from services.performance_data.positions import commit, committed, held_on_disk, partitions_of, starting
from services.performance_data.stream import app_for, databases, folder
from services.performance_data.suppression import for_outside

T = TypeVar("T")
log = structlog.get_logger()

LOOK = 0.5
"""Seconds between two looks at how far the log is read."""
COMPACTED = "directory.organisations.v1"
"""The one topic that is heard in which offsets may be missing."""


class Statistics:
    """One of them runs on a data folder, and one in a cluster: it hears every partition, so its figures are whole."""

    def __init__(self, at: Settings, health: Health) -> None:
        self._at, self._health = at, health
        self._clock, self._codec = Clock.of(at), codec_for(at)
        self._broker = broker_for(at, NAME)
        self._password = password_of(NAME, at) if at.security_protocol.startswith("SASL") else ""
        self._next: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._table: Any = None
        self._ended = asyncio.Event()
        self._fault: BaseException | None = None

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """What it answers `safebus report` with."""
        return [Route("/figures", answering.answer(self.figures, self._at))]

    def stop(self) -> None:
        """End soon, without a fault."""
        self._ended.set()

    @property
    def behind(self) -> int:
        """Events that have not been heard yet."""
        return sum(max(0, end - self._next.get(partition, 0)) for partition, end in self._ends.items())

    async def run(self) -> None:
        """Until stopped.

        Raises:
            UserMistake: another process uses the folder, or a topic is missing.
            Surroundings: Faust ended or left an event out; the next start goes on after what is held.
        """
        with alone(folder(self._at)):
            await self._run()
        if self._fault is not None:
            raise self._fault

    async def _run(self) -> None:
        # Two threads: one looks where the log ends, the other counts. More would each keep memory of their own.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        self._health.waiting("looking how far the log was read")
        partitions = await self._patiently(partial(partitions_of, self._broker))
        self._next = await self._patiently(partial(self._set_back, partitions))
        number = 1 + max(number for _, number in partitions)
        app, self._table = app_for(self._at, self._password, number, self._hear)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_stopped, app)
            self._health.waiting("filling the table from its changelog")
            starting_up = asyncio.create_task(app.start())
            await stack.enter_async_context(open_pages(self._at, self.figures))
            watching = asyncio.create_task(self._watch(app, partitions, starting_up))
            await self._ended.wait()
            for task in (watching, starting_up):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What is asked of a broker that may be away, or has only just begun."""
        while True:
            try:
                return await ask()
            except Surroundings as error:
                self._health.waiting(str(error))
                await asyncio.sleep(LOOK)

    async def _set_back(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Make the group begin where the facts that are held end; where that is."""
        begins = await self._broker.begins(partitions)
        wanted = starting(begins, await asyncio.to_thread(held_on_disk, databases(self._at)))
        said = await committed(self._broker)
        too_far = {one: offset for one, offset in wanted.items() if said.get(one, 0) > offset}
        if too_far:
            log.warning("set_back", partitions=len(too_far), events=sum(said[one] - wanted[one] for one in too_far))
            await commit(self._broker, too_far, patience=self._at.session_timeout + 10)
        return wanted

    async def _watch(self, app: Any, partitions: Sequence[Partition], starting_up: asyncio.Task[None]) -> None:
        """Say how it is, and end when Faust does."""
        caught_up = False
        while True:
            if app.crashed or (starting_up.done() and not starting_up.cancelled() and starting_up.exception()):
                return self._end(Surroundings(f"Faust ended ({type(app.crash_reason).__name__})"))
            try:
                self._ends = await self._broker.ends(partitions)
            except SafebusError as error:
                self._health.waiting(str(error))
            else:
                started = starting_up.done() and app.rebalancing is False
                caught_up = started and (caught_up or not self.behind)
                if caught_up:
                    self._health.ready()
                elif started:
                    self._health.waiting(f"reading the log: {self.behind} events to go")
                else:
                    self._health.beat()
            await asyncio.sleep(LOOK)

    async def _hear(self, message: Any) -> None:
        """Keep what is kept of one message. Whatever fails ends the process before Faust can acknowledge the event."""
        record = record_of(message)
        partition = record.topic, record.partition
        try:
            self._refuse_a_gap(record, self._next.get(partition, 0))
            stepped = self._at.clock_file is not None
            key, value = await entry_of(record, self._codec, self._table, self._health.waiting, stepped=stepped)
            self._table[key] = value
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._end(error)
            await asyncio.Event().wait()
            raise
        self._next[partition] = max(self._next.get(partition, 0), record.offset + 1)

    def _refuse_a_gap(self, record: Heard, expected: int) -> None:
        """Offsets follow one another, as nobody may write transactions; but not in a compacted topic."""
        if record.offset > expected and record.topic != COMPACTED:
            raise Surroundings(
                f"{record.topic}[{record.partition}] went on at {record.offset} instead of {expected}; the next start "
                "hears what was left out"
            )

    def _end(self, fault: BaseException) -> None:
        self._fault = self._fault or fault
        self._ended.set()

    async def figures(self, months: Sequence[date], *, outside: bool) -> Figures:
        """All measures of these months; small numbers are suppressed if `outside`.

        Raises:
            Surroundings: not every fact is there yet.
        """
        if not self._health.is_ready or self._table is None:
            raise Surroundings(f"the performance data are not complete yet: {self._health.reason}")
        behind, now = self.behind, self._clock.now()
        try:
            made = await asyncio.to_thread(self._count, months, now, behind)
        except RuntimeError as error:  # Faust opened or closed a partition's database meanwhile
            raise Surroundings("the performance data are being moved; try again") from error
        return for_outside(made) if outside else made

    def _count(self, months: Sequence[date], now: datetime, behind: int) -> Figures:
        return count(((key.hex(), unpack(value)) for key, value in self._table.items()), months, now, behind)


@contextmanager
def alone(where: Path) -> Iterator[None]:
    """Hold the folder, as the kernel frees it when the process ends, however it ends."""
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (where / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserMistake(f"another process has {where}, where the performance data are kept") from None
        yield


async def _stopped(app: Any) -> None:
    with suppress(Exception):  # it may have crashed; what it holds is on disk
        await asyncio.wait_for(app.stop(), 5)
