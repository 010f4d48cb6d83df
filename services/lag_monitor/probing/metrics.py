"""What Prometheus is told of the probes."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

TOOK = Histogram(
    "safebus_probe_seconds",
    "From a probe's sending until the answer of a service to it was read back",
    ["service"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
SUCCESS = Gauge(
    "safebus_probe_last_success_timestamp_seconds",
    "When a probe last came back through a service, or when probing began",
    ["service"],
)
SENT = Counter("safebus_probes_sent_total", "Probes that Kafka acknowledged")
FAILED = Counter("safebus_probes_failed_total", "Probes that could not be sent")
