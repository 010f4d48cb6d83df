"""What goes wrong all the while: services killed and paused, the broker and the registry bounced."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from services.supervisor.status import ProcessStatus, Status


class Faults:
    """`await faults.strike(every, pauses)` until cancelled; `faults.done` counts what was done to whom."""

    def __init__(self, told: Callable[[], Status | None], seed: int) -> None:
        self._told, self._chance = told, random.Random(f"{seed} faults")
        self._pausing: set[asyncio.Task[None]] = set()
        self.done: Counter[tuple[str, str]] = Counter()
        """By what was done (`killed`, `paused`) and the process's name."""

    async def strike(self, every: float, pauses: tuple[float, float]) -> None:
        """One process after another, in a shuffled order, so that each has its turn.

        Args:
            every: seconds between two, on average.
            pauses: the shortest and the longest, seconds.
        """
        try:
            await self._strike(every, pauses)
        finally:
            for task in self._pausing:
                task.cancel()
            await asyncio.gather(*self._pausing, return_exceptions=True)

    async def _strike(self, every: float, pauses: tuple[float, float]) -> None:
        while True:
            for name, act in self._chance.sample(turns := self._turns(), len(turns)):
                await asyncio.sleep(self._chance.uniform(0.5, 1.5) * every)
                process = self._ready(name)
                if process is None or process.pid is None:
                    continue
                self.done[act, name] += 1
                if act == "killed":
                    self._signal(process.pid, signal.SIGKILL)
                else:
                    task = asyncio.create_task(self._pause(process.pid, self._chance.uniform(*pauses)))
                    self._pausing.add(task)
                    task.add_done_callback(self._pausing.discard)

    async def _pause(self, pid: int, seconds: float) -> None:
        self._signal(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._signal(pid, signal.SIGCONT)

    def _turns(self) -> list[tuple[str, str]]:
        told = self._told()
        names = [process.name for process in told.processes] if told else []
        return [(name, act) for name in names for act in ("killed", "paused")]

    def _ready(self, name: str) -> ProcessStatus | None:
        """One that is still starting is let be, or it would never be ready."""
        told = self._told()
        return (
            next((one for one in told.processes if one.name == name and one.state == "ready"), None) if told else None
        )

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
