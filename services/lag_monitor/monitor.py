"""The monitor as a process: looks, shows what it sees, and has it told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog
from prometheus_client import REGISTRY
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from services.bus.errors import Surroundings
from services.bus.health import Health
from services.bus.settings import Settings
from services.lag_monitor.exposition import Exposition
from services.lag_monitor.kept import Kept
from services.lag_monitor.lag import Snapshot, Verdict
from services.lag_monitor.ops.serve import open_ops
from services.lag_monitor.probing.prober import probing
from services.lag_monitor.telling import Teller
from services.lag_monitor.troubles import State, Troubles
from services.lag_monitor.watch import Watch

PATH = "/lag"

REMEMBER_EVERY = 10.0
"""Seconds between two writings of how far groups were seen, unless a verdict changed: a rewinding within so long before
a crash goes unseen."""

SNAPSHOT = TypeAdapter(Snapshot)

log = structlog.get_logger()


class Monitor:
    """`run` until `stop`."""

    def __init__(self, at: Settings, health: Health) -> None:
        """
        Raises:
            NotPermitted: no password is known for the principal that asks.
        """
        self._at, self._health = at, health
        self.watch = Watch(at)
        self._kept, self._troubles = Kept(at), Troubles(at.lag_alert_after)
        self._stopping = asyncio.Event()
        self._remembered, self._remembered_since = 0.0, dict(self.watch.since)
        self._opened = False

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """`/lag`: the latest snapshot as JSON, for `safebus lag`."""

        async def lag(_request: Request) -> Response:
            found = self.watch.latest
            if found is None:
                return PlainTextResponse("nothing was looked at yet\n", 503)
            return Response(SNAPSHOT.dump_json(found), media_type="application/json")

        return [Route(PATH, lag)]

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """
        Raises:
            NotPermitted: the broker refuses the principal that asks.
            UserMistake: a setting by which somebody is to be told can never do.
        """
        shown = Exposition(lambda: self.watch.latest)
        REGISTRY.register(shown)
        try:
            async with (
                probing(self._at) as probes,
                open_ops(self._at, self.watch, probes),
                Teller(self._at, self._kept) as teller,
            ):
                while not self._stopping.is_set():
                    began = time.monotonic()
                    await self._look(teller)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(max(0.0, began + self._at.lag_interval - time.monotonic())):
                            await self._stopping.wait()
            await self._remember(now=True)
        finally:
            REGISTRY.unregister(shown)
            await self.watch.close()
            self._kept.close()

    async def _look(self, teller: Teller) -> None:
        remembers = await self._recall()
        found = await self.watch.look()
        if found.fault:
            self._health.waiting(found.fault)
        elif not remembers:
            self._health.waiting("the monitor's database is away: nobody is told of anything")
        else:
            self._health.ready()
        # Since when it is so must outlive whoever is told of it.
        if remembers and await self._remember():
            await self._tell(found, teller)

    async def _recall(self) -> bool:
        """What was known before this process began; whether it is known."""
        if not self._opened:
            try:
                await self._kept.open()
                marks, verdicts, troubles = (
                    await self._kept.marks(),
                    await self._kept.verdicts(),
                    await self._kept.troubles(),
                )
            except Surroundings as error:
                log.warning("waiting", reason=str(error))
                return False
            # What is well has to be seen for a while before a trouble is over, so that counts from now on.
            self.watch.since = {group: told for group, told in verdicts.items() if told[0] is not Verdict.ok}
            self.watch.marks, self._troubles.open = marks, troubles
            self._opened = True
        return True

    async def _tell(self, found: Snapshot, teller: Teller) -> None:
        for change in self._troubles.changes(found):
            try:
                await self._kept.note(change, teller.channels)
            except Surroundings as error:
                log.warning("alerts_wait", reason=str(error))
                return
            self._troubles.told(change)
            say = log.info if change.state is State.ended else log.error
            say("trouble", subject=change.subject, state=change.state.value, verdict=change.verdict, why=change.why)
            teller.ring()

    async def _remember(self, *, now: bool = False) -> bool:
        """Whether what would be shown after a restart is what is shown now."""
        since = dict(self.watch.since)
        due = now or since != self._remembered_since or time.monotonic() - self._remembered >= REMEMBER_EVERY
        if not (self._opened and due):
            return True
        self._remembered = time.monotonic()
        try:
            await self._kept.remember(self.watch.marks, since)
        except Surroundings as error:
            log.warning("alerts_wait", reason=str(error))
            return False
        self._remembered_since = since
        return True
