"""What is known of the probes that were sent: which service answered when, and which one owes an answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

KEPT = 240
"""Answers of each service that are kept for the page."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One probe's way through one service."""

    at: datetime
    """When the answer was read, UTC."""
    seconds: float
    """From the probe's sending to that."""


@dataclass
class Probes:
    """Kept in memory by the process that probes: a restart forgets, and the next probe knows again."""

    services: Sequence[str]
    """Those that are to answer."""
    interval: float
    """Seconds between two probes."""
    began: datetime
    sent_at: datetime | None = None
    """The last probe's, UTC."""
    fault: str | None = None
    """Why none can be sent now."""
    answers: dict[str, deque[Answer]] = field(default_factory=dict)
    joined: dict[str, datetime] = field(default_factory=dict)
    """Of those that are to answer only since then, UTC."""
    why: dict[str, str] = field(default_factory=dict)
    """What is wrong with those of which it is known."""

    def join(self, service: str, now: datetime) -> None:
        """It is to answer too, from now on."""
        if service not in self.services:
            self.services, self.joined[service] = (*self.services, service), now

    def answered(self, service: str, answer: Answer) -> None:
        self.answers.setdefault(service, deque(maxlen=KEPT)).append(answer)
        self.why.pop(service, None)

    def last(self, service: str) -> Answer | None:
        """The latest answer of that service."""
        known = self.answers.get(service)
        return known[-1] if known else None

    def late(self, now: datetime) -> Iterable[tuple[str, datetime]]:
        """Services that have not answered for three probes' time, and since when each has been silent."""
        for service in self.services:
            last = self.last(service)
            since = last.at if last else self.joined.get(service, self.began)
            if now - since > timedelta(seconds=3 * self.interval):
                yield service, since
