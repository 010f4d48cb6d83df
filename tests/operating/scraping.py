"""Checks one process's /metrics against the written allow-list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from tests.operating.exposed import EXPOSED, LABELS, OTHERS

DOORS = ("partner-gateway", "handover-feed", "lag-monitor")


def families(text: str) -> dict[str, Family]:
    """By the name that a query asks for."""
    found = text_string_to_metric_families(text)
    return {f"{f.name}_total" if f.type == "counter" else f.name: f for f in found if not f.name.startswith(OTHERS)}


def faults(text: str, process: str) -> Iterator[str]:
    """What is not as it was written down, one sentence each."""
    told = families(text)
    for name, metric in EXPOSED.items():
        if _tells(process, metric.where) and name not in told:
            yield f"{process} does not tell {name}"
    for name, family in told.items():
        known = EXPOSED.get(name)
        if known is None or known.kind != family.type:
            yield f"{name} is not in the allow-list as {family.type}"
            continue
        for sample in family.samples:
            labels = set(sample.labels) - {"le"}
            if labels != known.labels:
                yield f"{sample.name} has the labels {sorted(labels)}"
            yield from (
                f"{sample.name} has {label}={value}"
                for label, value in sample.labels.items()
                if label in LABELS and not re.fullmatch(LABELS[label], value)
            )


def _tells(process: str, where: str) -> bool:
    return where in ("each", process) or (where == "door" and process in DOORS)
