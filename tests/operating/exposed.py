"""The written allow-list of metrics: each name, its kind, its labels, and what values a label may have.

A new metric is added here, with whoever adds it saying what bounds its labels. Nothing personal fits any of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from services.bus.catalogue import load
from services.bus.codec import event_types
from services.bus.settings import ROOT
from services.lag_monitor.probing.knocking import DOOR

Kind = Literal["counter", "gauge", "histogram"]
CATALOGUE = load(ROOT / "topics.yaml")
PRINCIPALS = {*CATALOGUE.services, *CATALOGUE.principals}

LABELS: dict[str, str] = {
    "service": "|".join(map(re.escape, sorted({*PRINCIPALS, DOOR}))),
    "type": "|".join(map(re.escape, sorted(event_types()))),
    "topic": "|".join(map(re.escape, sorted({*event_types(), *(inbox.name for inbox in CATALOGUE.inboxes.values())}))),
    "partition": "[0-9]{1,3}",
    "outcome": "done|repeated|rung|alarm_failed|taken|failed|sent|(dead|held):[A-Za-z_0-9]{1,40}|[a-z_]{1,20}",
    "state": "[a-z_]{1,30}",
    "consumergroup": "[A-Za-z0-9._-]{1,200}",  # as many as the broker has groups that read topics of ours
    "verdict": "ok|slow|stalled|stopped|rewound|at_risk",
    "process": "kafka|registry|" + "|".join(map(re.escape, sorted(PRINCIPALS))),
    "channel": "[a-z]{1,20}",
    "http_request_method": "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|_OTHER",
    "http_route": r"none|/|(/([a-z0-9._-]+|\{[a-z_0-9:]+\}))+",
    "http_response_status_code": "[1-5][0-9][0-9]",
    "version": "unknown|[0-9][0-9a-z.+-]*",
    "le": r"[0-9.e+-]+|\+Inf",
}
"""By label, a regular expression of all that its values may be."""


@dataclass(frozen=True)
class Metric:
    """One family, as Prometheus sees it."""

    kind: Kind
    labels: frozenset[str] = field(default_factory=frozenset)
    where: str = "each"
    """`each` process, or the one service that alone tells it."""


def _of(kind: Kind, *labels: str, where: str = "each") -> Metric:
    return Metric(kind, frozenset(labels), where)


PLACE = ("consumergroup", "topic", "partition")
OF_A_PLACE = ("lag", "lag_seconds", "current_offset")

EXPOSED: dict[str, Metric] = {
    # Every process
    "safebus_build_info": _of("gauge", "version"),
    "safebus_data_disk_free_bytes": _of("gauge"),
    "safebus_data_disk_size_bytes": _of("gauge"),
    "safebus_ready": _of("gauge", "service"),
    # Every service's loop and database
    "safebus_heard_total": _of("counter", "service", "type", "outcome"),
    "safebus_said_total": _of("counter", "service", "type"),
    "safebus_latency_seconds": _of("histogram", "service", "type"),
    "safebus_batch_events": _of("histogram", "service"),
    "safebus_unsent_outputs": _of("gauge", "service"),
    "safebus_redone_total": _of("counter", "service"),
    "safebus_store_up": _of("gauge", "service"),
    "safebus_outbox_events": _of("gauge", "service"),
    "safebus_outbox_oldest_seconds": _of("gauge", "service"),
    "safebus_dead_letters_open": _of("gauge", "service"),
    "safebus_alarms_open": _of("gauge", "service"),
    "safebus_alarms_overdue": _of("gauge", "service"),
    "safebus_alarms_overdue_seconds": _of("gauge", "service"),
    # Doors
    "http_server_request_duration_seconds": _of(
        "histogram", "http_request_method", "http_route", "http_response_status_code", where="door"
    ),
    "safebus_streams_open": _of("gauge", where="door"),
    # The partner gateway
    "safebus_webhook_attempts_total": _of("counter", "outcome", where="partner-gateway"),
    "safebus_webhook_given_up_total": _of("counter", where="partner-gateway"),
    "safebus_webhooks": _of("gauge", "state", where="partner-gateway"),
    "safebus_webhook_notices_waiting": _of("gauge", where="partner-gateway"),
    "safebus_webhook_notices_oldest_seconds": _of("gauge", where="partner-gateway"),
    "safebus_notices_total": _of("counter", "outcome", where="partner-gateway"),
    "safebus_mail_failing": _of("gauge", where="partner-gateway"),
    # The handover board
    "safebus_board_pages_total": _of("counter", "outcome", where="handover-feed"),
    "safebus_board_seen_lost_total": _of("counter", where="handover-feed"),
    "safebus_board_matters_open": _of("gauge", where="handover-feed"),
    "safebus_board_danger_untaken": _of("gauge", where="handover-feed"),
    "safebus_board_escalations_unreached": _of("gauge", where="handover-feed"),
    # The lag monitor
    **{f"kafka_consumergroup_{name}": _of("gauge", *PLACE, where="lag-monitor") for name in OF_A_PLACE},
    "kafka_consumergroup_lag_sum": _of("gauge", "consumergroup", "topic", where="lag-monitor"),
    "kafka_consumergroup_members": _of("gauge", "consumergroup", where="lag-monitor"),
    "kafka_topic_partition_current_offset": _of("gauge", "topic", "partition", where="lag-monitor"),
    "kafka_topic_partition_oldest_offset": _of("gauge", "topic", "partition", where="lag-monitor"),
    "safebus_lag_up": _of("gauge", where="lag-monitor"),
    "safebus_lag_measured_timestamp_seconds": _of("gauge", where="lag-monitor"),
    "safebus_lag_verdict": _of("gauge", "consumergroup", "verdict", where="lag-monitor"),
    "safebus_lag_lost_events": _of("gauge", "consumergroup", "topic", where="lag-monitor"),
    "safebus_lag_passed_by_timestamp_seconds": _of("gauge", "consumergroup", where="lag-monitor"),
    "safebus_lag_alerts_total": _of("counter", "channel", "outcome", where="lag-monitor"),
    "safebus_recipients_up": _of("gauge", where="lag-monitor"),
    "safebus_recipients_unread": _of("gauge", where="lag-monitor"),
    "safebus_recipients_oldest_unread_seconds": _of("gauge", where="lag-monitor"),
    "safebus_recipients_webhook_failing": _of("gauge", where="lag-monitor"),
    "safebus_probe_seconds": _of("histogram", "service", where="lag-monitor"),
    "safebus_probe_last_success_timestamp_seconds": _of("gauge", "service", where="lag-monitor"),
    "safebus_probes_sent_total": _of("counter", where="lag-monitor"),
    "safebus_probes_failed_total": _of("counter", where="lag-monitor"),
    "safebus_process_ready": _of("gauge", "process", where="lag-monitor"),
    "safebus_process_restarts_total": _of("counter", "process", where="lag-monitor"),
}

MADE_WHEN_ASKED = {
    name for name in EXPOSED if name.startswith(("kafka_", "safebus_recipients_", "safebus_process_", "safebus_lag_"))
} - {"safebus_lag_alerts_total"}
"""What the lag monitor makes of what it knows, when it is asked (exposition.py, ops/exporter.py)."""

OTHERS = ("python_", "process_")
"""Prefixes of what the client library tells of itself: memory, CPU, open files, garbage collection."""
