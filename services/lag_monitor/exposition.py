"""Lag for Prometheus, by the names and labels of kafka_exporter; what it has no name for begins with `safebus_`.

Nothing is told that was not measured: while the broker is away there are no lags, only `safebus_lag_up 0`. Recipients
are sums, since an organisation as a label would be one more series for each partner, and nobody's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.lag_monitor.lag import PartitionLag, Snapshot, Verdict

PLACE = ["consumergroup", "topic", "partition"]


class Exposition(Collector):
    """Tells the latest snapshot whenever it is asked."""

    def __init__(self, latest: Callable[[], Snapshot | None]) -> None:
        self._latest = latest

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = self._latest()
        up = GaugeMetricFamily("safebus_lag_up", "1 when the broker answered the last look at how far groups have read")
        up.add_metric([], float(found is not None and found.fault is None))
        yield up
        if found is None:
            return
        at = GaugeMetricFamily("safebus_lag_measured_timestamp_seconds", "When that was, seconds since 1970")
        at.add_metric([], found.at.timestamp())
        yield at
        if found.fault is None:
            yield from _partitions(found)
            yield from _groups(found)
        yield from _recipients(found)


def _partitions(found: Snapshot) -> Iterator[GaugeMetricFamily]:
    lag = GaugeMetricFamily(
        "kafka_consumergroup_lag", "Events that the group has not read, as Kafka's own tool counts them", labels=PLACE
    )
    seconds = GaugeMetricFamily(
        "kafka_consumergroup_lag_seconds", "Age of the first unread event, 0 when nothing is unread", labels=PLACE
    )
    current = GaugeMetricFamily("kafka_consumergroup_current_offset", "The group's offset", labels=PLACE)
    summed = GaugeMetricFamily(
        "kafka_consumergroup_lag_sum", "Events that the group has not read of a topic", labels=PLACE[:2]
    )
    end = GaugeMetricFamily("kafka_topic_partition_current_offset", "Where the log ends", labels=PLACE[1:])
    begin = GaugeMetricFamily("kafka_topic_partition_oldest_offset", "Where the log begins", labels=PLACE[1:])
    lost = GaugeMetricFamily(
        "safebus_lag_lost_events", "Events that the broker removed before the group had read them", labels=PLACE[:2]
    )
    places: dict[tuple[str, int], PartitionLag] = {}
    unread: dict[tuple[str, str], int] = defaultdict(int)
    removed: dict[tuple[str, str], int] = defaultdict(int)
    for part in (part for group in found.groups for part in group.partitions if part.fault is None):
        labels = [part.group, part.topic, str(part.partition)]
        lag.add_metric(labels, part.behind + part.lost)
        seconds.add_metric(labels, part.seconds)
        if part.committed is not None:
            current.add_metric(labels, part.committed)
        places[part.topic, part.partition] = part
        unread[part.group, part.topic] += part.behind + part.lost
        removed[part.group, part.topic] += part.lost
    for (topic, number), part in places.items():
        end.add_metric([topic, str(number)], part.end)
        begin.add_metric([topic, str(number)], part.begin)
    for (group, topic), many in unread.items():
        summed.add_metric([group, topic], many)
        lost.add_metric([group, topic], removed[group, topic])
    yield from (lag, seconds, current, summed, end, begin, lost)


def _groups(found: Snapshot) -> Iterator[GaugeMetricFamily]:
    members = GaugeMetricFamily("kafka_consumergroup_members", "Connected members", labels=PLACE[:1])
    verdict = GaugeMetricFamily(
        "safebus_lag_verdict", "1 for the group's verdict, 0 for every other", labels=["consumergroup", "verdict"]
    )
    passed = GaugeMetricFamily(
        "safebus_lag_passed_by_timestamp_seconds",
        "When the broker may first remove something unread if it goes on like this, seconds since 1970",
        labels=PLACE[:1],
    )
    for group in found.groups:
        members.add_metric([group.group], group.members)
        for one in Verdict:
            verdict.add_metric([group.group, one.value], float(group.verdict is one))
        if group.passed_by_at is not None:
            passed.add_metric([group.group], group.passed_by_at.timestamp())
    yield from (members, verdict, passed)


def _recipients(found: Snapshot) -> Iterator[GaugeMetricFamily]:
    up = GaugeMetricFamily("safebus_recipients_up", "1 when the partner gateway said how its inboxes stand")
    up.add_metric([], float(found.recipients_fault is None))
    yield up
    if found.recipients_fault is not None:
        return
    for name, told, value in (
        ("safebus_recipients_unread", "Entries that nobody has read, in all inboxes", _unread(found)),
        (
            "safebus_recipients_oldest_unread_seconds",
            "How long the oldest of them waits, 0 without one",
            _oldest(found),
        ),
        ("safebus_recipients_webhook_failing", "Recipients whose webhook was not taken at last", _failing(found)),
    ):
        gauge = GaugeMetricFamily(name, told)
        gauge.add_metric([], value)
        yield gauge


def _unread(found: Snapshot) -> float:
    return sum(one.unread for one in found.recipients)


def _oldest(found: Snapshot) -> float:
    return max((one.oldest_unread_seconds for one in found.recipients), default=0.0)


def _failing(found: Snapshot) -> float:
    return sum(one.webhook_failing_since is not None for one in found.recipients)
