"""What a process counts. Labels are names of services, types, rules, routes and states: never ids, never content.

Names follow Prometheus: a counter ends in `_total`, a time is in seconds, a size in bytes. What stands in a database is
read when /metrics is asked for: `LOOKS` holds what does so in this process (stored.py, and the doors' own).
"""

from __future__ import annotations

import asyncio
import shutil
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from pathlib import Path

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge beside each counter, that no rule asks for

LATENCY_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
"""Seconds."""

HEARD = Counter("safebus_heard_total", "Events heard, by what became of them", ["service", "type", "outcome"])
SAID = Counter("safebus_said_total", "Events emitted and acknowledged", ["service", "type"])


class Latencies(Collector):
    """A histogram to which equal ones are added at once. One by one, each event cost 1 µs more: measured."""

    # Named as in prometheus_client's own.
    _type, _labelnames = "histogram", ("service", "type")

    def __init__(self, name: str, documentation: str) -> None:
        self._name, self._documentation = name, documentation
        self._counts: dict[tuple[str, str], list[int]] = {}
        """By service and type: how many up to each bound and above the one before, and above all."""
        self._sums: dict[tuple[str, str], float] = {}

    def add(self, service: str, kind: str, seconds: float, count: int) -> None:
        """So many events that took so long."""
        whose = (service, kind)
        counts = self._counts.setdefault(whose, [0] * (len(LATENCY_BOUNDS) + 1))
        counts[bisect_left(LATENCY_BOUNDS, seconds)] += count
        self._sums[whose] = self._sums.get(whose, 0.0) + seconds * count

    def collect(self) -> Iterator[Metric]:
        found = HistogramMetricFamily(self._name, self._documentation, labels=self._labelnames)
        bounds = [*map(floatToGoString, LATENCY_BOUNDS), "+Inf"]
        for whose, counts in list(self._counts.items()):
            found.add_metric(whose, list(zip(bounds, accumulate(counts), strict=True)), self._sums.get(whose, 0.0))
        yield found


LATENCY = Latencies(
    "safebus_latency_seconds", "From the broker's taking an event in to the acknowledgement of all that follows from it"
)
REGISTRY.register(LATENCY)
BATCH = Histogram(
    "safebus_batch_events", "Events in one transaction", ["service"], buckets=(1, 5, 20, 50, 100, 250, 500)
)
UNSENT = Gauge("safebus_unsent_outputs", "Outputs committed and not acknowledged yet", ["service"])
REDONE = Counter("safebus_redone_total", "Batches undone because another worker went on", ["service"])
READY = Gauge("safebus_ready", "1 when the service is ready", ["service"])

BUILD = Gauge("safebus_build_info", "1; which version of safebus this process is", ["version"])
DISK_FREE = Gauge("safebus_data_disk_free_bytes", "Free on the disk that holds the data directory")
DISK_SIZE = Gauge("safebus_data_disk_size_bytes", "Size of the disk that holds the data directory")

Look = Callable[[], Awaitable[None]]

LOOKS: list[Look] = []
"""Each brings some gauges up to date. One that fails says so by a gauge of its own, and raises nothing."""

LOOK_WITHIN = 5.0
"""Seconds for all looks together: a database that does not answer may not keep a scraper waiting."""


@contextmanager
def looking(look: Look) -> Iterator[None]:
    """`look` is called before each answer to /metrics, within the block."""
    LOOKS.append(look)
    try:
        yield
    finally:
        LOOKS.remove(look)


def describe_process(data_dir: Path) -> None:
    """Version and disk, as every process tells them."""
    try:
        BUILD.labels(version("safebus")).set(1)
    except PackageNotFoundError:  # run from a folder that was never installed
        BUILD.labels("unknown").set(1)
    DISK_FREE.set_function(lambda: _disk(data_dir)[0])
    DISK_SIZE.set_function(lambda: _disk(data_dir)[1])


def _disk(data_dir: Path) -> tuple[float, float]:
    """Free and whole, bytes; of the nearest folder above that is there."""
    there = next(folder for folder in (data_dir, *data_dir.absolute().parents) if folder.exists())
    found = shutil.disk_usage(there)
    return float(found.free), float(found.total)


async def exposition(registry: CollectorRegistry = REGISTRY) -> bytes:
    """Everything that this process tells, in Prometheus's text format, as it is now."""
    looks = [asyncio.ensure_future(look()) for look in LOOKS]
    if looks:
        _, late = await asyncio.wait(looks, timeout=LOOK_WITHIN)
        for look in late:
            look.cancel()
    return await asyncio.to_thread(generate_latest, registry)
