"""Sends a probe every minute and times its way through every service and back.

The path is an event's: to Kafka, acknowledged by all replicas; through each service's loop, where it is decided,
stored, sent and acknowledged; and back out of Kafka. It signs in as `probe`, which may read the answers, no more.
Partners' way to Kafka, the gateway's door, is knocked at besides (knocking.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import httpx
import structlog

from services.bus.catalogue import load
from services.bus.errors import SafebusError
from services.bus.events import ProbeHeard, ProbeSent
from services.bus.publish import Publisher
from services.bus.settings import Settings
from services.lag_monitor.probing.kept import Answer, Probes
from services.lag_monitor.probing.knocking import DOOR, address, knock, knocker
from services.lag_monitor.probing.metrics import FAILED, SENT, SUCCESS, TOOK
from services.operating.reading import Log, Read

PRINCIPAL: Final = "probe"

OLD: Final = timedelta(hours=1)
"""An answer to an older probe, such as one that stood in a queue while a service was down, times nothing."""

AGAIN: Final = 5.0
"""Seconds before the answers are read again after reading failed."""

log = structlog.get_logger()


@asynccontextmanager
async def probing(at: Settings) -> AsyncIterator[Probes | None]:
    """Probe within the block; None where the settings want no probes.

    Nothing that goes wrong here ends anything: that no probe comes through is what it is there to tell.
    """
    if not at.probe_interval:
        yield None
        return
    # As itself, whoever this process is otherwise.
    own = at.model_copy(update={"principal": None, "password": None})
    prober = Prober(own, Probes(load(at.catalogue).services, at.probe_interval, datetime.now(UTC)))
    tasks = [asyncio.create_task(doing()) for doing in (prober.listen, prober.send, prober.knock)]
    try:
        yield prober.probes
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Prober:
    """Three tasks: `send`, `listen` and `knock`, each until it is cancelled."""

    def __init__(self, at: Settings, probes: Probes) -> None:
        self._at, self.probes = at, probes
        self._listening = asyncio.Event()
        for service in probes.services:
            # From now on its silence counts, also if it never answers.
            SUCCESS.labels(service).set(probes.began.timestamp())

    async def send(self) -> None:
        """One probe after the other, the first once answers are listened for. Connected anew only after a failure."""
        await self._listening.wait()
        while True:
            try:
                async with Publisher(PRINCIPAL, self._at) as bus:
                    while True:
                        began = asyncio.get_running_loop().time()
                        await self._send_one(bus)
                        await self._rest(began)
            except SafebusError as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the next probe is tried
                self._failed(f"a fault of safebus itself, {type(error).__name__}")
            await asyncio.sleep(self._at.probe_interval)

    async def _send_one(self, bus: Publisher) -> None:
        probe = ProbeSent(probe_id=str(uuid4()), sent_at=datetime.now(UTC))
        await bus.publish([probe])
        SENT.inc()
        self.probes.sent_at, self.probes.fault = probe.sent_at, None

    async def _rest(self, began: float) -> None:
        await asyncio.sleep(max(0.0, began + self._at.probe_interval - asyncio.get_running_loop().time()))

    def _failed(self, why: str) -> None:
        FAILED.inc()
        if why != self.probes.fault:
            log.warning("no_probe", reason=why)
        self.probes.fault = why

    async def knock(self) -> None:
        """At the gateway's door, from when somebody first says where it is; from then on its silence counts."""
        async with knocker() as by:
            while True:
                began = asyncio.get_running_loop().time()
                if (door := address(self._at)) is not None:
                    await self._knock_once(by, door)
                await self._rest(began)

    async def _knock_once(self, by: httpx.AsyncClient, door: str) -> None:
        sent_at = datetime.now(UTC)
        if DOOR not in self.probes.services:
            self.probes.join(DOOR, sent_at)
            SUCCESS.labels(DOOR).set(sent_at.timestamp())
        wrong = await knock(by, door)
        if wrong is None:
            self._came(DOOR, sent_at, datetime.now(UTC))
        elif wrong != self.probes.why.get(DOOR):
            self.probes.why[DOOR] = wrong
            log.warning("door_silent", why=wrong)

    async def listen(self) -> None:
        """Take answers as they come, again whenever reading fails."""
        while True:
            try:
                async with Log(self._at, PRINCIPAL) as found:
                    self._listening.set()
                    async for records in found.follow([ProbeHeard.topic], since=datetime.now(UTC)):
                        await self._take(found, records)
            except SafebusError as error:
                log.warning("no_answers", reason=str(error))
            except Exception as error:  # noqa: BLE001 - as above
                log.error("no_answers", reason=type(error).__name__)  # noqa: TRY400
            self._listening.set()  # what is wrong is told by the probes that are not answered
            await asyncio.sleep(AGAIN)

    async def _take(self, found: Log, records: list[Read]) -> None:
        now = datetime.now(UTC)
        for heard in await found.decoded(records):
            if isinstance(heard.event, ProbeHeard):
                self.answered(heard.event, now)

    def answered(self, heard: ProbeHeard, now: datetime) -> None:
        """One service's answer, read at that moment."""
        if heard.service not in self.probes.services or now - heard.sent_at > OLD:
            return
        self._came(heard.service, heard.sent_at, now)

    def _came(self, service: str, sent_at: datetime, now: datetime) -> None:
        seconds = max(0.0, (now - sent_at).total_seconds())
        TOOK.labels(service).observe(seconds)
        SUCCESS.labels(service).set(now.timestamp())
        self.probes.answered(service, Answer(now, seconds))
