"""Sightings of a made-up group, for what judges them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.lag_monitor.judge import About, Judgement, Pace, Sighting, judge
from services.lag_monitor.lag import PartitionLag

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = 86_400.0


class Part(NamedTuple):
    """One partition at one moment; `waits` is the age of its first unread event, seconds."""

    read_to: int | None
    end: int
    waits: float = 0.0
    begin: int = 0
    number: int = 0
    topic: str = "a.b.v1"
    fault: str | None = None


def lag(part: Part, group: str = "teller") -> PartitionLag:
    first = max(part.begin, part.read_to or 0)
    behind = max(0, part.end - first)
    return PartitionLag(
        group=group,
        topic=part.topic,
        partition=part.number,
        committed=part.read_to,
        begin=part.begin,
        end=part.end,
        behind=behind,
        seconds=part.waits if behind else 0.0,
        how="record" if behind else "nothing unread",
        lost=max(0, part.begin - part.read_to) if part.read_to is not None else 0,
        fault=part.fault,
    )


def sighting(second: float, parts: Iterable[Part], members: int = 1, state: str = "stable") -> Sighting:
    return Sighting(AT + timedelta(seconds=second), state, members, tuple(lag(part) for part in parts))


def judged(*seen: Sighting, expected: bool = True, keeps: float | None = 365 * DAY, **about: object) -> Judgement:
    return judge(seen, About(expected, {"a.b.v1": keeps}, **about), Pace())  # type: ignore[arg-type]
