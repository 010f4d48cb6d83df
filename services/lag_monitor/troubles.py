"""Which changes of a verdict are told to somebody: each trouble once, each change of it, and its end. Plain calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from services.lag_monitor.lag import Snapshot, Verdict
from services.lag_monitor.words import lasting, moment, waiting

BROKER = "kafka"
"""The subject of a trouble that is no group's: the broker cannot be asked."""
AWAY = "away"
OK = Verdict.ok.value
GONE = "gone"
"""The broker no longer knows a group that was in trouble: somebody deleted it, or it was silent for a week."""

ENDED_AFTER = timedelta(seconds=45)
"""A trouble is over once all was well for so long: a service that keeps ending is one trouble, and a monitor that has
just begun takes up to half a minute to see that a group is slow."""

UNPROVEN_AFTER = timedelta(seconds=60)
"""A group that was not seen at work since the monitor, or the broker, came up has so long to come up itself."""

SLOW_AFTER = timedelta(seconds=60)
REWOUND_AFTER = timedelta(seconds=30)
"""A room whose offsets go back at each start, as that of the performance data, is soon where it was."""
AWAY_AFTER = timedelta(seconds=15)

_IDS = uuid5(NAMESPACE_URL, "urn:safebus:lag-monitor")


class State(StrEnum):
    began = "began"
    changed = "changed"
    ended = "ended"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One that somebody was told of, and that has not ended."""

    verdict: str
    began: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody is told, once."""

    id: UUID
    """The same for the same change, however often it is sent."""
    state: State
    subject: str
    """A group's name, or `kafka`."""
    verdict: str
    """Now."""
    why: str
    began: datetime
    """UTC; when the trouble did."""
    at: datetime
    """UTC."""

    @property
    def headline(self) -> str:
        """One line, for a subject or a title."""
        is_now = self.verdict.replace("_", " ")
        if self.state is State.ended:
            return f"safebus: {self.subject} is {'no more' if self.verdict == GONE else 'well again'}"
        return f"safebus: {self.subject} is {'now ' if self.state is State.changed else ''}{is_now}"

    @property
    def text(self) -> str:
        """In full, without any content of an event."""
        if self.state is State.ended:
            took = lasting((self.at - self.began).total_seconds())
            return f"{self.headline}, after {took}: {self.why}."
        return f"{self.headline}, in trouble since {moment(self.began)}: {self.why}. `safebus lag` shows more."


class Standing(NamedTuple):
    """One subject as it is now."""

    verdict: str
    why: str
    since: datetime
    proven: bool
    """It was seen at work before."""


class Troubles:
    """Watches snapshots go by. `open` is what is told and not over; it outlives the process (kept.py)."""

    def __init__(self, after: float) -> None:
        """
        Args:
            after: seconds for which a trouble has to last before it is told.
        """
        self.open: dict[str, Trouble] = {}
        self._after = timedelta(seconds=after)
        self._at_work: set[str] = set()
        self._broker: tuple[str, datetime] | None = None
        self._gone: dict[str, datetime] = {}

    def changes(self, found: Snapshot) -> list[Change]:
        """What is to be told now. Give it to `told` once it is kept, or it comes again."""
        standing = dict(self._standing(found))
        return [change for subject, now in standing.items() if (change := self._change(subject, now, found.at))]

    def told(self, change: Change) -> None:
        """It is kept and will be told."""
        if change.state is State.ended:
            del self.open[change.subject]
        else:
            self.open[change.subject] = Trouble(change.verdict, change.began)

    def _standing(self, found: Snapshot) -> Iterator[tuple[str, Standing]]:
        broker = AWAY if found.fault else OK
        if self._broker is None or self._broker[0] != broker:
            self._broker = (broker, found.at)
        yield BROKER, Standing(broker, found.fault or "the broker answers", self._broker[1], proven=True)
        if found.fault:
            self._at_work.clear()  # whoever reads has to come back first, too
            return
        for group in found.groups:
            if group.members and group.verdict is Verdict.ok:
                self._at_work.add(group.group)
            why = "; ".join(filter(None, (group.why, waiting(group.behind, group.seconds))))
            yield group.group, Standing(group.verdict.value, why, group.since, group.group in self._at_work)
        yield from self._no_more(found)

    def _no_more(self, found: Snapshot) -> Iterator[tuple[str, Standing]]:
        """A trouble of a group that is gone ends too."""
        there = {group.group for group in found.groups}
        self._at_work &= there
        gone = self.open.keys() - there - {BROKER}
        self._gone = {subject: self._gone.get(subject, found.at) for subject in gone}
        for subject, since in self._gone.items():
            yield subject, Standing(GONE, "the broker knows no such group any more", since, proven=False)

    def _change(self, subject: str, now: Standing, at: datetime) -> Change | None:
        trouble, lasted = self.open.get(subject), at - now.since
        if now.verdict in (OK, GONE):
            ended = trouble is not None and lasted >= ENDED_AFTER
            return _change(State.ended, subject, now, trouble.began, at) if trouble and ended else None
        if trouble is not None and trouble.verdict == now.verdict:
            return None
        if lasted < self._patience(now):
            return None
        return _change(
            State.changed if trouble else State.began, subject, now, trouble.began if trouble else now.since, at
        )

    def _patience(self, now: Standing) -> timedelta:
        if now.verdict == AWAY:
            return max(self._after, AWAY_AFTER)
        if now.verdict == Verdict.slow:
            return max(self._after, SLOW_AFTER)
        if now.verdict == Verdict.rewound:
            return max(self._after, REWOUND_AFTER)
        if now.verdict in (Verdict.stopped, Verdict.stalled) and not now.proven:
            return max(self._after, UNPROVEN_AFTER)
        return self._after


def _change(state: State, subject: str, now: Standing, began: datetime, at: datetime) -> Change:
    own_id = uuid5(_IDS, f"{subject} {state} {now.verdict} {began.isoformat()} {now.since.isoformat()}")
    return Change(own_id, state, subject, now.verdict, now.why, began, at)
