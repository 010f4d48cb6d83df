"""Looks at every process again and again, and keeps an hour of what was seen, for the page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol, Self

import structlog

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.lag_monitor.lag import Snapshot
from services.lag_monitor.ops.flows import History, flow
from services.lag_monitor.ops.scraping import Answer, Scraper
from services.lag_monitor.ops.targets import targets
from services.lag_monitor.probing.kept import Probes
from services.supervisor.status import Status, running

EVERY = 5.0
"""Seconds between two looks."""

FORGET = 720
"""Looks without a process after which it is shown no more: an hour."""

log = structlog.get_logger()


class Lag(Protocol):
    """What is known of lag: services.lag_monitor.watch.Watch."""

    @property
    def latest(self) -> Snapshot | None: ...
    @property
    def history(self) -> Sequence[Snapshot]: ...


class Desk:
    """Looks while its block lasts."""

    def __init__(self, at: Settings, lag: Lag, probes: Probes | None = None) -> None:
        self.settings, self.lag, self.probes = at, lag, probes
        self.looked_at: datetime | None = None
        """UTC; None before the first look."""
        self.answers: dict[str, Answer] = {}
        """The latest of each process, by name; one that is gone says so."""
        self.histories: dict[str, History] = {}
        self.status: Status | None = None
        """What the supervisor says, if one runs on this machine."""
        self._gone: dict[str, int] = {}
        self._scraper = Scraper()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._scraper.__aenter__()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._scraper.__aexit__()

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except UserMistake as error:
                log.error("ops_targets", reason=str(error))  # noqa: TRY400
            except Exception as error:  # noqa: BLE001 - one bad look is not the end of looking
                log.error("ops_look_failed", error=type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Once."""
        found = await self._scraper.ask(targets(self.settings))
        self.status = await asyncio.to_thread(running, self.settings)
        self.take(found, datetime.now(UTC))

    def take(self, found: Mapping[str, Answer], at: datetime) -> None:
        """What each process said at one moment."""
        for name, answer in found.items():
            before = self.answers.get(name)
            grown = flow(before, answer, at) if before else None
            if grown:
                self.histories.setdefault(name, History()).add(grown)
            self._gone.pop(name, None)
        for name in set(self.answers) - set(found):
            self._gone[name] = self._gone.get(name, 0) + 1
            if self._gone[name] > FORGET:
                del self.answers[name], self._gone[name]
                self.histories.pop(name, None)
            else:
                self.answers[name] = Answer(self.answers[name].ticks, False, "it is gone")
        self.answers.update(found)
        self.looked_at = at
