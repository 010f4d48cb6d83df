"""Starts one process again whenever it ends, ever more slowly while it keeps ending."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from services.bus.errors import EXIT_MISTAKE, EXIT_MUST_STOP, SafebusError
from services.supervisor.status import ProcessStatus, State, holder_of

LOOK = 0.25
"""Seconds between two looks at whether a recovery has the service."""


class Part(Protocol):
    """What is kept: services.supervisor.process.ServiceProcess, or an embedded server."""

    @property
    def pid(self) -> int | None:
        """Of the process that was started last; None before the first."""
        ...

    @property
    def log(self) -> Path:
        """The file that it writes to."""
        ...

    async def start(self) -> None:
        """Begin a process. Raises UserMistake or Surroundings if that cannot be."""
        ...

    async def wait(self) -> int:
        """Until it has ended: its exit code, below 0 if it was killed by that signal."""
        ...

    async def stop(self) -> None:
        """End it in good order, by force once its time is up; harmless if none runs."""
        ...


@dataclass
class Backoff:
    """How long to wait before the next start, in seconds."""

    first: float = 1.0
    most: float = 30.0
    slow: float = 30.0
    """After an end that a person has to do something about: it will end the same way until then."""
    healthy: float = 60.0
    """Ready for so long, it counts as new."""
    _failures: int = field(default=0, init=False)

    def after(self, code: int, ready_for: float) -> float:
        """The pause after an end with `code` of a process that had been ready for so long."""
        if ready_for >= self.healthy:
            self._failures = 0
        if needs_a_person(code):
            return self.slow
        pause = min(self.first * 2.0**self._failures, self.most)
        self._failures += 1
        return pause


def needs_a_person(code: int) -> bool:
    """Started again, a process that ended so ends so again."""
    return code in (EXIT_MISTAKE, EXIT_MUST_STOP)


class Keeper:
    """One process, kept. `status()` is what it says of it."""

    def __init__(
        self,
        name: str,
        part: Part,
        *,
        explain: Callable[[int], str],
        news: Callable[[str], object],
        backoff: Backoff | None = None,
        hold: Path | None = None,
        ready_when_started: bool = False,
        address: str | None = None,
    ) -> None:
        """
        Args:
            explain: why it ended, by its exit code.
            news: told in a sentence that it ended and is started again.
            hold: while another process holds this lock, it is left stopped.
            ready_when_started: its start waits until it answers; others are `found` ready later.
            address: where it listens, if that is known beforehand.
        """
        self.name, self.part = name, part
        self._explain, self._news, self._backoff, self._hold = explain, news, backoff or Backoff(), hold
        self._ready_when_started = ready_when_started
        self._started, self._wake = asyncio.Event(), asyncio.Event()
        self._asked = ""
        self._turning = asyncio.Lock()
        self._ready_at: float | None = None
        self._status = ProcessStatus(name=name, state="starting", address=address, log=part.log)

    def status(self) -> ProcessStatus:
        """How it is at this moment."""
        return self._status

    @property
    def is_started(self) -> bool:
        """A process runs."""
        return self._started.is_set()

    async def start(self) -> None:
        """Start it once.

        Raises:
            SafebusError: it could not be started.
        """
        self._say("starting")
        async with self._turning:
            await self.part.start()
        self._status = self._status.model_copy(update={"pid": self.part.pid, "since": datetime.now(UTC)})
        self._started.set()
        if self._ready_when_started:
            self.found("ready")

    async def keep(self) -> None:
        """Start it if it does not run, and again whenever it ends, until cancelled."""
        while True:
            code, reason = await self._until_it_ends()
            self._started.clear()
            ready_for = 0.0 if self._ready_at is None else time.monotonic() - self._ready_at
            self._ready_at = None
            await self._rest(code, reason, ready_for)

    async def restart(self, why: str = "it was to be started again") -> None:
        """End it and wait until it has been started again, at once."""
        self._asked = why
        self._wake.set()
        async with self._turning:  # it is not started again before it has been ended to the last
            self._started.clear()
            await self.part.stop()
        await self._started.wait()

    def found(self, state: State, why: str = "", address: str | None = None) -> None:
        """How it answers, now that it runs."""
        if not self.is_started:
            return
        self._say(state, why, address=address or self._status.address)
        self._ready_at = (self._ready_at or time.monotonic()) if state == "ready" else None

    async def _until_it_ends(self) -> tuple[int, str]:
        await self._until_it_may_run()
        try:
            if not self.is_started or self._asked:
                self._asked = ""
                await self.start()
            code = await self.part.wait()
        except SafebusError as error:
            return error.exit_code, str(error)
        except Exception as error:  # noqa: BLE001 - whatever keeps it from starting, it is tried again
            return 1, f"it could not be started ({type(error).__name__})"
        return code, self._explain(code)

    async def _rest(self, code: int, reason: str, ready_for: float) -> None:
        """Say that it ended, and wait as long as is due; a recovery that ends, or a wish to restart, ends that."""
        if self._asked:
            reason, pause = self._asked, 0.0
        else:
            pause = self._backoff.after(code, ready_for)
        now = datetime.now(UTC)
        self._say(
            "stopped" if needs_a_person(code) and pause else "restarting",
            reason,
            pid=None,
            since=None,
            address=self._status.address if self._ready_when_started else None,
            again_at=now + timedelta(seconds=pause),
            restarts=self._status.restarts + 1,
            last_exit=code,
            last_exit_at=now,
            last_reason=reason,
        )
        if not self._asked:
            self._news(f"{self.name} ended, {reason}; it starts again in {pause:g} s")
        until = time.monotonic() + pause
        self._wake.clear()
        while time.monotonic() < until and not self._asked:
            if await self._until_it_may_run():
                return
            try:
                await asyncio.wait_for(self._wake.wait(), min(LOOK, max(0.0, until - time.monotonic())))
            except TimeoutError:
                continue

    async def _until_it_may_run(self) -> bool:
        """True if a recovery had it meanwhile."""
        held = False
        while self._hold is not None and (holder := holder_of(self._hold)):
            held = True
            self._say("waiting", f"it is being recovered by process {holder}")
            await asyncio.sleep(LOOK)
        return held

    def _say(self, state: State, why: str = "", **more: object) -> None:
        self._status = self._status.model_copy(update={"state": state, "why": why, "again_at": None, **more})
