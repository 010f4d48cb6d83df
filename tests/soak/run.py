"""One run on an installation that is up: the county plays, faults strike, and then it is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from services.bus.clock import Clock
from services.bus.publish import Publisher
from services.bus.settings import Settings
from services.cli.demo.quiet import Quiet
from services.supervisor.status import Status
from tests.soak.channels import Channel, Straight, ThroughTheGateway, new_run
from tests.soak.collect import collect
from tests.soak.county import FORCE, County
from tests.soak.faults import Faults
from tests.soak.ledger import Ledger
from tests.soak.load import Load
from tests.soak.memory import Memory
from tests.soak.readers import Readers
from tests.soak.reconcile import Seen

START = datetime(2026, 11, 16, 7, 0, tzinfo=UTC)
"""The county's time at the beginning: a Monday morning in term."""
LATER = timedelta(days=6)
"""After so long every deadline that a run sets has passed."""
PRINCIPALS = ("police", "local-authority", "agency")


@dataclass(frozen=True)
class Plan:
    """What a run is to be."""

    seconds: float = 600.0
    """Of load and faults; what follows is waited for besides."""
    rate: float = 100.0
    """So many times as fast as the county's own time."""
    every: float = 4.0
    """Seconds between two faults, on average; 0: none."""
    pauses: tuple[float, float] = (0.5, 12.0)
    """How long a process stands still, seconds; beyond ten a service's partitions are taken from it."""
    patience: float = 300.0
    """Seconds for everything to be settled afterwards."""
    seed: int = 1
    schools: int = 24
    practices: int = 50


@dataclass
class Result:
    """What came of it."""

    plan: Plan
    ledger: Ledger
    faults: Faults
    memory: Memory
    seen: Seen
    settled: bool
    """All was read and answered within the plan's patience."""
    late: list[str]
    """Processes that were not ready when it had ended, each with what it waited for."""
    took: float
    """Seconds, all in all."""
    drained: float
    """Seconds from the last event to all being settled."""


class Soak:
    """`await Soak(at, told, plan).run()`."""

    def __init__(
        self,
        at: Settings,
        told: Callable[[], Status | None],
        plan: Plan,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        """
        Args:
            at: with a `clock_file` the services' time passes as fast as the county's, and deadlines end.
            told: how the processes are now.
        """
        self._at, self._told, self._plan, self._say = at, told, plan, say
        self.ledger, self.faults, self.memory = Ledger(), Faults(told, plan.seed), Memory()
        self.county = County(new_run(), plan.seed, schools=plan.schools, practices=plan.practices)
        self._clock = Clock.of(at)
        self._late: list[str] = []

    async def run(self) -> Result:
        """Play, strike, settle, and count."""
        began, plan = time.monotonic(), self._plan
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(_beside(self.memory.watch(self._told)))
            if self._at.clock_file:
                self._clock.step(START)
            self._say(f"{len(self.county.children)} children, {len(self.county.organisations)} organisations")
            await self._import()
            await self._settle(60)
            everybody = [one.organisation_id for one in self.county.organisations]
            readers = await stack.enter_async_context(Readers(self._at, everybody, self.ledger, plan.seed))
            channels = self._channels(readers)
            for channel in channels.values():
                await stack.enter_async_context(channel)
            load = Load(self._at, self.county, self.ledger, channels, start=self._clock.now(), rate=plan.rate)
            readers.notified = load.notified
            self._say(f"the county plays for {plan.seconds:g} s at {plan.rate:g} times its rate")
            async with AsyncExitStack() as hard:
                if self._at.clock_file:
                    await hard.enter_async_context(_beside(self._time_passes()))
                if plan.every:
                    await hard.enter_async_context(_beside(self.faults.strike(plan.every, plan.pauses)))
                await load.play(plan.seconds)
            self._say("no more faults; waiting for everything to be settled")
            stopped = time.monotonic()
            await load.finish(plan.patience)
            settled = await self._settle(plan.patience)
            await readers.finish()
            if self._at.clock_file:
                self._clock.step(self._clock.now() + LATER)
                settled &= await self._until_all_have_ended(readers)
            settled &= await self._settle(plan.patience)
            await readers.finish()
            settled &= await self._settle(plan.patience)
            drained = time.monotonic() - stopped
            self._say("counting")
            seen = await self._counted(readers)
        took = time.monotonic() - began
        return Result(plan, self.ledger, self.faults, self.memory, seen, settled, self._late, took, drained)

    async def _import(self) -> None:
        async with Publisher("importer", self._at) as bus:
            await bus.publish(self.county.organisations)
            children = iter(self.county.children)
            while some := list(islice(children, 500)):
                await bus.publish(some)

    def _channels(self, readers: Readers) -> Mapping[str, Channel]:
        straight = {name: Straight(self.ledger, self._at, name) for name in PRINCIPALS}
        referrers = [one for one in readers.clients if one.startswith(("school:", "practice:"))]
        there = {
            name: ThroughTheGateway(self.ledger, readers.clients[name], name, self._clock)
            for name in (FORCE, *referrers)
        }
        return straight | there

    async def _time_passes(self) -> None:
        """The services' clock goes as fast as the county's."""
        began, start = time.monotonic(), self._clock.now()
        while True:
            await asyncio.sleep(0.1)
            self._clock.step(start + timedelta(seconds=(time.monotonic() - began) * self._plan.rate))

    async def _settle(self, patience: float) -> bool:
        """Until every process is ready and all is read and answered; whether all is."""
        until = time.monotonic() + patience
        while not ((told := self._told()) and told.ready):
            late = [f"{one.name} ({one.why})" for one in told.late] if told else []
            if time.monotonic() > until or set(late) & set(self._late):  # it was waited for once: that is enough
                self._late += [one for one in late if one not in self._late]
                break
            await asyncio.sleep(0.2)
        return await Quiet(self._at).wait(max(1.0, until - time.monotonic()))

    async def _until_all_have_ended(self, readers: Readers) -> bool:
        """The services' time has gone by every deadline: until each is met or missed."""
        until = time.monotonic() + self._plan.patience
        while time.monotonic() < until:
            await self._settle(self._plan.patience)
            seen = await collect(self._at, self.county.run, self.ledger, readers)
            if not seen.deadlines.keys() - set(seen.met) - set(seen.missed):
                return True
            await asyncio.sleep(1.0)
        return False

    async def _counted(self, readers: Readers) -> Seen:
        """A stream may come a moment after its inbox: what it lacks is waited for, a little."""
        for _ in range(20):
            seen = await collect(self._at, self.county.run, self.ledger, readers)
            last = {name: entries[-1].number if entries else 0 for name, entries in seen.inboxes.items()}
            if all(
                last[name] == (given[-1][1] if given else readers.began_at[name]) for name, given in self._given(seen)
            ):
                break
            await asyncio.sleep(0.5)
        seen.all_due = self._at.clock_file is not None
        return seen

    @staticmethod
    def _given(seen: Seen) -> list[tuple[str, list[tuple[str, int, str]]]]:
        return [(name, seen.streamed.get(name, [])) for name in seen.inboxes]


@asynccontextmanager
async def _beside(doing: Awaitable[None]) -> AsyncIterator[None]:
    """Beside the block, and ended with it. What it raised, the block raises."""
    task = asyncio.ensure_future(doing)
    try:
        yield
    finally:
        if task.done():
            task.result()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
