"""What happened between two looks at a process, and over many: rates and quantiles, as Prometheus would have them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import inf

from services.lag_monitor.ops.scraping import Answer

KEPT_SECONDS = 3600.0

DIED = "dead:"
HELD = "held:"


@dataclass(frozen=True, slots=True)
class Flow:
    """One process between two looks."""

    at: datetime
    """The later look, UTC."""
    seconds: float
    """Between the two."""
    heard: float = 0.0
    said: float = 0.0
    letters: Mapping[str, float] = field(default_factory=dict)
    """Dead letters by reason: what died, and what a rule left to a person."""
    latency: Mapping[float, float] = field(default_factory=dict)
    """How many were answered within so many seconds and not within the next fewer; inf for all beyond."""
    answered: Mapping[str, float] = field(default_factory=dict)
    """Requests at its door, by the first digit of their status."""


def flow(before: Answer, now: Answer, at: datetime) -> Flow | None:
    """What the counters grew by; None if one of the two did not answer."""
    if not (before.samples and now.samples) or now.ticks <= before.ticks:
        return None
    letters: defaultdict[str, float] = defaultdict(float)
    heard = 0.0
    for labels, grown in _grown(before, now, "safebus_heard_total"):
        outcome = labels["outcome"]
        if outcome.startswith((DIED, HELD)):
            letters[outcome.partition(":")[2]] += grown
        if not outcome.startswith(HELD) and outcome != "rung":
            heard += grown
    answered: defaultdict[str, float] = defaultdict(float)
    for labels, grown in _grown(before, now, "http_server_request_duration_seconds_count"):
        answered[labels["http_response_status_code"][:1]] += grown
    return Flow(
        at,
        now.ticks - before.ticks,
        heard,
        sum(grown for _, grown in _grown(before, now, "safebus_said_total")),
        dict(letters),
        _buckets(before, now, "safebus_latency_seconds_bucket"),
        dict(answered),
    )


def _grown(before: Answer, now: Answer, name: str) -> Iterable[tuple[dict[str, str], float]]:
    """By how much each counter grew, where it did; one that fell began anew at 0."""
    was = before.samples.get(name, {})
    for labels, value in now.samples.get(name, {}).items():
        grown = value - was.get(labels, 0.0) if value >= was.get(labels, 0.0) else value
        if grown:
            yield dict(labels), grown


def _buckets(before: Answer, now: Answer, name: str) -> dict[float, float]:
    """Of all series together, not cumulated."""
    upto: defaultdict[float, float] = defaultdict(float)
    for labels, grown in _grown(before, now, name):
        upto[float(labels["le"])] += grown
    # A bucket that did not grow is not among them, and holds what the one below holds.
    bounds = sorted({float(dict(labels)["le"]) for labels in now.samples.get(name, {})})
    cumulated = [upto[bound] for bound in bounds]
    single = [cumulated[0], *(high - low for low, high in pairwise(cumulated))] if bounds else []
    return {bound: float(many) for bound, many in zip(bounds, single, strict=True) if many}


def quantile(q: float, buckets: Mapping[float, float], bounds: Sequence[float]) -> float | None:
    """As Prometheus's histogram_quantile: linear within the bucket, and the last bound for all beyond it.

    Args:
        q: above 0, up to 1.
        buckets: how many fell into each, not cumulated.
        bounds: of all buckets, in order, without inf.

    Returns:
        Seconds; None if nothing was counted.
    """
    whole = sum(buckets.values())
    if not whole:
        return None
    rank, below, low = q * whole, 0.0, 0.0
    for bound in (*bounds, inf):
        here = buckets.get(bound, 0.0)
        if here and below + here >= rank:
            return bounds[-1] if bound == inf else low + (bound - low) * (rank - below) / here
        below, low = below + here, bound
    return bounds[-1]


@dataclass
class History:
    """The flows of one process, for an hour."""

    flows: deque[Flow] = field(default_factory=deque)

    def add(self, one: Flow) -> None:
        self.flows.append(one)
        while (one.at - self.flows[0].at).total_seconds() > KEPT_SECONDS:
            self.flows.popleft()

    def last(self, seconds: float) -> list[Flow]:
        """Those of so many seconds before the latest."""
        return [one for one in self.flows if (self.flows[-1].at - one.at).total_seconds() < seconds]


def rate(flows: Sequence[Flow]) -> float:
    """Events heard a second."""
    seconds = sum(one.seconds for one in flows)
    return sum(one.heard for one in flows) / seconds if seconds else 0.0


def summed(maps: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for one in maps:
        for name, number in one.items():
            found[name] += number
    return dict(found)


def latency(flows: Sequence[Flow], q: float, bounds: Sequence[float]) -> float | None:
    """The quantile over all of them, in seconds; None if nothing was heard."""
    together: defaultdict[float, float] = defaultdict(float)
    for one in flows:
        for bound, many in one.latency.items():
            together[bound] += many
    return quantile(q, together, bounds)


def thinned(flows: Sequence[Flow], points: int, seconds: float) -> list[list[Flow]]:
    """The flows of so many seconds before the latest, in `points` equal steps of time; a step may be empty."""
    steps: list[list[Flow]] = [[] for _ in range(points)]
    if flows:
        end = flows[-1].at
        for one in flows:
            back = (end - one.at).total_seconds()
            if back < seconds:
                steps[points - 1 - int(back / seconds * points)].append(one)
    return steps
