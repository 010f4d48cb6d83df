"""What processes tell at /metrics: the ecosystem's way of naming, bounded labels, nothing about anybody."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from services.bus.metrics import Latencies
from services.bus.settings import HERE
from services.lag_monitor.exposition import Exposition
from services.lag_monitor.lag import Snapshot
from services.lag_monitor.ops.desk import Desk
from services.lag_monitor.ops.exporter import exported
from tests.operating import desks
from tests.operating.exposed import CATALOGUE, EXPOSED, LABELS, MADE_WHEN_ASKED, OTHERS
from tests.operating.scraping import families, faults

UNITS = ("_seconds", "_bytes", "_timestamp_seconds")
NOT_UNITS = re.compile(r"_(ms|millis|milliseconds|micros|us|minutes|hours|days|kb|mb|mib|kib|percent)(_|$)")
PERSONAL = re.compile(r"name|child|person|practitioner|nhs|birth|address|email|url|id$|path$", re.IGNORECASE)


@pytest.fixture(scope="module", autouse=True)
def _every_room_is_loaded() -> None:
    """Every module of every room that a process of the bus would have loaded."""
    for file in sorted(HERE.glob("*/**/*.py")):
        room = file.relative_to(HERE).parts[0]
        if "prometheus_client" in file.read_text("utf-8") and room not in ("cli", "embedded"):
            import_module(".".join(("services", *file.relative_to(HERE).with_suffix("").parts)))


def ours() -> dict[str, MetricWrapperBase | Latencies]:
    """By the name that Prometheus will show."""
    found = {c for c in REGISTRY._collector_to_names if isinstance(c, MetricWrapperBase | Latencies)}
    metrics = {f"{c._name}_total" if c._type == "counter" else c._name: c for c in found}
    return {name: c for name, c in metrics.items() if not name.startswith(OTHERS)}


def test_every_metric_is_written_down_with_its_labels() -> None:
    """Whoever adds one says so in the allow-list, where what bounds its labels is decided."""
    told = {name: (c._type, frozenset(c._labelnames)) for name, c in ours().items()}
    assert told == {name: (m.kind, m.labels) for name, m in EXPOSED.items() if name in told}
    assert set(EXPOSED) - MADE_WHEN_ASKED - set(told) == set(), "listed, and nothing has it"


def test_what_is_told_of_lag_is_written_down_too(tmp_path: Path) -> None:
    """What is made only when it is asked for: all of it, with its labels and their values, and nothing else."""
    desk, registry = desks.ill(tmp_path), CollectorRegistry()
    desk.lag = desks.Seen([snapshot_at_risk(desk)])
    registry.register(Exposition(lambda: desk.lag.latest))
    with exported(desk, registry):
        text = generate_latest(registry).decode()
    assert set(families(text)) == MADE_WHEN_ASKED
    assert not [fault for fault in faults(text, "lag-monitor") if "does not tell" not in fault]
    assert 'safebus_lag_verdict{consumergroup="mash-outcomes",verdict="stalled"} 1.0' in text
    assert 'safebus_lag_verdict{consumergroup="mash-outcomes",verdict="ok"} 0.0' in text
    assert 'kafka_consumergroup_lag{consumergroup="mash-outcomes",partition="3",topic="mash.decisions.v1"}' in text
    assert "110312" not in text
    assert "safebus_process" not in generate_latest(registry).decode(), "nothing stale"


def snapshot_at_risk(desk: Desk) -> Snapshot:
    """As the desk has it, with a group that retention will pass by."""
    latest = desk.lag.latest
    assert latest is not None
    risky = replace(latest.groups[0], passed_by_at=latest.at + timedelta(hours=3))
    return replace(latest, groups=(risky, *latest.groups[1:]))


def test_counters_end_in_total_and_nothing_else_does() -> None:
    """As Prometheus wants it, so that rate() is asked of what may be asked for it."""
    for name, metric in EXPOSED.items():
        assert (metric.kind == "counter") == name.endswith("_total"), name


def test_units_are_seconds_and_bytes() -> None:
    """No milliseconds, minutes, kibibytes or percentages, which every reader would have to convert."""
    for name in EXPOSED:
        assert not NOT_UNITS.search(name), name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)


def test_each_has_a_help_text_of_its_own() -> None:
    """A person who meets a number at 3 a.m. reads there what it is."""
    told = [c._documentation for c in ours().values()]
    assert all(told)
    assert len(set(told)) == len(told)


def test_no_label_can_name_anybody() -> None:
    """Labels are services, types, routes, states: none is an id, a name, an address or a path that was asked for."""
    for name, metric in EXPOSED.items():
        assert metric.labels <= set(LABELS), name
    assert not [label for label in LABELS if PERSONAL.search(label)]


def test_where_a_metric_is_told_is_a_process_of_the_bus() -> None:
    """`where` of the allow-list names services of the catalogue."""
    assert {m.where for m in EXPOSED.values()} <= {"each", "door", "lag-monitor", *CATALOGUE.services}
