"""What the page computes from what processes count: as Prometheus would, through restarts and silences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from services.bus.metrics import LATENCY_BOUNDS
from services.lag_monitor.ops.flows import Flow, History, flow, latency, quantile, rate, thinned
from services.lag_monitor.ops.scraping import Answer, parse

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def told(registry: CollectorRegistry, ticks: float) -> Answer:
    return Answer(ticks, True, "", parse(generate_latest(registry).decode()))


def test_counters_become_rates_and_quantiles() -> None:
    """From two looks at a real registry: events a second, dead letters by reason, the time most took."""
    registry = CollectorRegistry()
    heard = Counter("safebus_heard_total", "x", ["service", "type", "outcome"], registry=registry)
    time = Histogram("safebus_latency_seconds", "x", ["service", "type"], registry=registry, buckets=LATENCY_BOUNDS)
    heard.labels("s", "a.v1", "done").inc(1000)
    before = told(registry, 10.0)
    heard.labels("s", "a.v1", "done").inc(50)
    heard.labels("s", "b.v1", "repeated").inc(8)
    heard.labels("s", "a.v1", "dead:invalid").inc(2)
    heard.labels("s", "a.v1", "held:H3").inc()
    for seconds in [0.03] * 90 + [2.0] * 10:
        time.labels("s", "a.v1").observe(seconds)
    found = flow(before, told(registry, 20.0), NOW)
    assert found is not None
    assert found.heard == 60
    assert rate([found]) == 6
    assert found.letters == {"invalid": 2, "H3": 1}
    assert found.latency == {0.05: 90, 2.5: 10}
    assert latency([found], 0.5, LATENCY_BOUNDS) == pytest.approx(0.025 + 0.025 * 50 / 90)
    assert latency([found], 0.95, LATENCY_BOUNDS) == pytest.approx(1 + 1.5 * 5 / 10)


def test_a_process_that_was_started_again_counts_from_nothing() -> None:
    """Its counters fell, and what they show now is what it has heard since; no rate is ever negative."""
    line = 'safebus_heard_total{{service="s",type="a.v1",outcome="done"}} {}\n'
    before, now = Answer(0, True, "", parse(line.format(900))), Answer(5, True, "", parse(line.format(20)))
    found = flow(before, now, NOW)
    assert found is not None
    assert found.heard == 20


def test_a_process_that_does_not_answer_has_no_rate() -> None:
    """Which is not a rate of 0: a chart has a gap there."""
    silent, heard = Answer(0, False, "away"), Answer(5, True, "", parse("safebus_ready 1\n"))
    assert flow(silent, heard, NOW) is None
    assert flow(heard, silent, NOW) is None


@given(st.lists(st.floats(0.0001, 3000), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_within_the_bucket_of_the_true_one(observed: list[float], q: float) -> None:
    """So that what the page says of the slowest is never off by more than a bucket."""
    buckets: dict[float, float] = {}
    for value in observed:
        bound = next(bound for bound in LATENCY_BOUNDS if value <= bound)
        buckets[bound] = buckets.get(bound, 0) + 1
    found = quantile(q, buckets, LATENCY_BOUNDS)
    assert found is not None
    rank = max(1, -int(-q * len(observed) // 1))
    true = sorted(observed)[min(rank, len(observed)) - 1]
    bound = next(bound for bound in LATENCY_BOUNDS if true <= bound)
    below = max((b for b in (0.0, *LATENCY_BOUNDS) if b < bound), default=0.0)
    assert below <= found <= bound + 1e-9


def test_beyond_the_last_bucket_is_the_last_bound() -> None:
    """As Prometheus has it; and of nothing there is no quantile."""
    assert quantile(0.5, {float("inf"): 3}, LATENCY_BOUNDS) == LATENCY_BOUNDS[-1]
    assert quantile(0.5, {}, LATENCY_BOUNDS) is None


def test_an_hour_is_kept_and_no_more() -> None:
    """However long the process runs, its memory stays."""
    kept = History()
    for minute in range(200):
        kept.add(Flow(NOW + timedelta(minutes=minute), 60.0, heard=minute))
    assert len(kept.flows) == 61
    assert [one.heard for one in kept.last(120)] == [198, 199]


def test_steps_of_a_chart_are_of_equal_time() -> None:
    """What happened while nobody could look leaves an empty step, not a shorter chart."""
    flows = [Flow(NOW - timedelta(seconds=back), 5.0, heard=1) for back in (3599, 1830, 90, 10, 0)]
    steps = thinned(flows, 60, 3600)
    assert [n for n, step in enumerate(steps) if step] == [0, 29, 58, 59]
    assert len(steps[59]) == 2
