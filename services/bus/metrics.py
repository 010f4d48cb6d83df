"""What a service counts, per service and event type. Labels are names of types and rules, never ids or content."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

HEARD = Counter("safebus_heard_total", "Events heard, by what became of them", ["service", "type", "outcome"])
SAID = Counter("safebus_said_total", "Events emitted and acknowledged", ["service", "type"])
LATENCY = Histogram(
    "safebus_latency_seconds",
    "From the broker's taking an event in to the acknowledgement of all that follows from it",
    ["service", "type"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
BATCH = Histogram(
    "safebus_batch_events", "Events in one transaction", ["service"], buckets=(1, 5, 20, 50, 100, 250, 500)
)
UNSENT = Gauge("safebus_unsent_outputs", "Outputs committed and not acknowledged yet", ["service"])
REDONE = Counter("safebus_redone_total", "Batches undone because another worker went on", ["service"])
READY = Gauge("safebus_ready", "1 when the service is ready", ["service"])
