"""Lag, verdicts and the supervisor's processes for Prometheus, by the names that other exporters of Kafka have.

What is not known now is absent rather than stale: a fault of the broker takes the lag away, and a rule sees that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.lag_monitor.lag import Snapshot, Verdict
from services.lag_monitor.ops.desk import Desk

PLACE = ("consumergroup", "topic", "partition")
GROUP = ("consumergroup",)


class Exporter(Collector):
    """Read when /metrics is asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def describe(self) -> Iterator[Metric]:
        """Nothing: what stands here depends on what is known."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        latest = self._desk.lag.latest
        if latest is not None:
            yield _gauge("safebus_lag_known", "1 while the broker answers what lag is asked of", latest.fault is None)
            yield _gauge("safebus_lag_measured_timestamp_seconds", "When lag was measured", latest.at.timestamp())
            yield from _partitions(latest)
            yield from _groups(latest)
            if latest.recipients_fault is None:
                yield from _recipients(latest)
        yield from self._processes()

    def _processes(self) -> Iterator[Metric]:
        """What the supervisor knows, which shows nothing itself: it needs no door of its own."""
        status = self._desk.status
        if status is None:
            return
        up = GaugeMetricFamily("safebus_process_ready", "1 when the supervisor finds it ready", labels=["process"])
        again = CounterMetricFamily(
            "safebus_process_restarts", "How often the supervisor started it again", labels=["process"]
        )
        for one in status.processes:
            up.add_metric([one.name], float(one.state == "ready"))
            again.add_metric([one.name], float(one.restarts))
        yield from (up, again)


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(name, said, value=float(value))


def _partitions(latest: Snapshot) -> Iterator[Metric]:
    lag = GaugeMetricFamily("kafka_consumergroup_lag", "Events that a group has not read of a partition", labels=PLACE)
    seconds = GaugeMetricFamily(
        "kafka_consumergroup_lag_seconds", "Age of the first event it has not read, 0 without one", labels=PLACE
    )
    for group in latest.groups:
        for one in group.partitions:
            if one.fault is None:
                place = [group.group, one.topic, str(one.partition)]
                lag.add_metric(place, one.behind)
                seconds.add_metric(place, one.seconds)
    yield from (lag, seconds)


def _groups(latest: Snapshot) -> Iterator[Metric]:
    members = GaugeMetricFamily("kafka_consumergroup_members", "Members of a group", labels=GROUP)
    lost = GaugeMetricFamily(
        "safebus_group_lost_events", "Events that the broker removed before a group had read them", labels=GROUP
    )
    verdicts = GaugeMetricFamily(
        "safebus_group_verdict", "1 for the verdict that holds of a group, 0 for the others", labels=[*GROUP, "verdict"]
    )
    passed = GaugeMetricFamily(
        "safebus_group_passed_by_seconds", "Until retention may remove an event that a group has not read", labels=GROUP
    )
    now = datetime.now(UTC)
    for group in latest.groups:
        members.add_metric([group.group], group.members)
        lost.add_metric([group.group], group.lost)
        for verdict in Verdict:
            verdicts.add_metric([group.group, verdict.value], float(group.verdict is verdict))
        if group.passed_by_at is not None:
            passed.add_metric([group.group], max(0.0, (group.passed_by_at - now).total_seconds()))
    yield from (members, lost, verdicts, passed)


def _recipients(latest: Snapshot) -> Iterator[Metric]:
    """Of all together: there are thousands, and `safebus lag` and the page name those that matter."""
    unread = [one for one in latest.recipients if one.unread]
    failing = sum(one.webhook_failing_since is not None for one in latest.recipients)
    oldest = max((one.oldest_unread_seconds for one in unread), default=0.0)
    yield _gauge("safebus_recipients_unread", "Organisations whose inbox has something unread", len(unread))
    yield _gauge("safebus_recipients_oldest_unread_seconds", "Age of the oldest entry that nobody has read", oldest)
    yield _gauge("safebus_recipients_webhook_failing", "Organisations whose webhook fails", failing)


@contextmanager
def exported(desk: Desk, registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
    """Tell it within the block."""
    exporter = Exporter(desk)
    registry.register(exporter)
    try:
        yield
    finally:
        registry.unregister(exporter)
