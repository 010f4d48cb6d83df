"""The supervisor's processes for Prometheus: it shows nothing itself, and needs no door of its own for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.lag_monitor.ops.desk import Desk


class Exporter(Collector):
    """Read when /metrics is asked for; tells nothing where no supervisor runs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def describe(self) -> Iterator[Metric]:
        """Nothing: what stands here depends on what is known."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        status = self._desk.status
        if status is None:
            return
        ready = GaugeMetricFamily("safebus_process_ready", "1 when the supervisor finds it ready", labels=["process"])
        again = CounterMetricFamily(
            "safebus_process_restarts", "How often the supervisor started it again", labels=["process"]
        )
        for one in status.processes:
            ready.add_metric([one.name], float(one.state == "ready"))
            again.add_metric([one.name], float(one.restarts))
        yield from (ready, again)


@contextmanager
def exported(desk: Desk, registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
    """Tell it within the block."""
    exporter = Exporter(desk)
    registry.register(exporter)
    try:
        yield
    finally:
        registry.unregister(exporter)
