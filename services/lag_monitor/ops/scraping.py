"""Asks each process how it is and what it has counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.lag_monitor.ops.targets import Target

ANSWER_WITHIN = 6.0
"""Seconds; a process waits for its own database for five (services/bus/metrics.py)."""

WANTED = ("safebus_", "http_server_", "process_resident_memory_bytes", "process_start_time_seconds")
"""The rest is parsed by nobody: parsing is most of what a look costs."""

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """One process at one moment."""

    ticks: float
    """When, in seconds of a clock that never goes back."""
    ready: bool
    why: str
    """What it waits for; empty when it is ready."""
    samples: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)
    """By name and labels; empty if it did not answer."""

    def each(self, name: str) -> Iterable[tuple[dict[str, str], float]]:
        """Labels and value of every series of that name."""
        return ((dict(labels), value) for labels, value in self.samples.get(name, {}).items())

    def one(self, name: str, **labels: str) -> float | None:
        """The value of one series; None if the process does not tell it."""
        return self.samples.get(name, {}).get(frozenset(labels.items()))

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series of that name that have these labels."""
        wanted = labels.items()
        return sum(value for had, value in self.each(name) if wanted <= had.items())


def parse(text: str) -> dict[str, dict[Labels, float]]:
    """Samples of what is wanted, by name."""
    lines = [line for line in text.splitlines() if line.startswith(WANTED)]
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


class Scraper:
    """Asks several processes at once, within a block."""

    def __init__(self) -> None:
        # Whatever proxy the environment names, it is not between us and our own processes.
        self._client = httpx.AsyncClient(timeout=ANSWER_WITHIN, trust_env=False)

    async def __aenter__(self) -> Scraper:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, asked: Iterable[Target]) -> dict[str, Answer]:
        """What each says now, by name; one that does not answer says so by its `why`."""
        found = list(asked)
        answers = await asyncio.gather(*map(self._one, found))
        return {target.name: answer for target, answer in zip(found, answers, strict=True)}

    async def _one(self, target: Target) -> Answer:
        try:
            ready = await self._client.get(f"{target.address}/readyz")
            told = await self._client.get(f"{target.address}/metrics")
            told.raise_for_status()
            samples = await asyncio.to_thread(parse, told.text)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Answer(time.monotonic(), False, f"it does not answer ({type(error).__name__})")
        is_ready = ready.status_code == httpx.codes.OK
        return Answer(time.monotonic(), is_ready, "" if is_ready else _words(ready.text), samples)


def _words(said: str) -> str:
    """What it says that it waits for; one line of it."""
    return (said.strip().splitlines() or ["it is not ready"])[0][:200]
