"""How much memory each process has over time, and whether that grows."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, linear_regression

import psutil

from services.supervisor.status import Status

EVERY = 2.0
WARM = 90.0
"""Seconds after its start in which a process still loads what it needs; not counted."""
LEAST = 300.0
"""Seconds of samples from which a slope says something."""
GROWS_MIB, GROWS_SHARE = 16.0, 0.12
"""More than both of these from one third of a run to the next is growth: what an allocator keeps comes and goes."""


JAVA, JAVA_MIB = ("kafka", "registry"), 640.0
"""A Java's heap grows until it is as large as it was told, 384 MiB at most; beyond it and all around it is growth."""


@dataclass(frozen=True)
class Trend:
    """One process's resident memory, over all its lives."""

    name: str
    mean_mib: float
    most_mib: float
    slope: float | None
    """MiB an hour; None where there is too little to say."""
    grew_mib: float | None
    """From the second third of the time that was watched to the last, in the mean."""

    @property
    def grows(self) -> bool:
        if self.name.startswith(JAVA):
            return self.most_mib > JAVA_MIB
        return self.grew_mib is not None and self.grew_mib > max(GROWS_MIB, GROWS_SHARE * self.mean_mib)


@dataclass
class Memory:
    """`await memory.watch(told)` until cancelled; `memory.trends()`."""

    samples: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    """By process: seconds, MiB."""
    most: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    async def watch(self, told: Callable[[], Status | None]) -> None:
        began = time.monotonic()
        while True:
            said = told()
            for process in said.processes if said else ():
                if process.pid is not None:
                    self._take(process.name, process.pid, time.monotonic() - began)
            await asyncio.sleep(EVERY)

    def _take(self, name: str, pid: int, at: float) -> None:
        try:
            process = psutil.Process(pid)
            mib, age = process.memory_info().rss / 2**20, time.time() - process.create_time()
        except psutil.Error:
            return
        self.most[name] = max(self.most[name], mib)
        if age > WARM:
            self.samples[name].append((at, mib))

    def trends(self) -> list[Trend]:
        return [trend(name, self.samples.get(name, []), most) for name, most in self.most.items()]


def trend(name: str, samples: Sequence[tuple[float, float]], most: float) -> Trend:
    """What the samples, seconds and MiB, say once their first third is left out, in which caches fill."""
    watched = samples[-1][0] - samples[0][0] if samples else 0.0
    mean = fmean(mib for _, mib in samples) if samples else most
    if watched < LEAST or len(samples) < 10:
        return Trend(name, mean, most, None, None)
    third = len(samples) // 3
    later = samples[third:]
    slope = linear_regression(*zip(*later, strict=True)).slope
    grew = fmean(mib for _, mib in samples[-third:]) - fmean(mib for _, mib in samples[third : 2 * third])
    return Trend(name, mean, most, slope * 3600, grew)
