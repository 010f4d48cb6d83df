"""Strategy discussions that are arranged for a child: on its card from the day before, until they have been held.

What is further away is remembered, and the matter's alarm brings it up: nobody needs to look for what is tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta

from pydantic import AwareDatetime

from services.bus.calendar import LONDON
from services.bus.envelope import Model
from services.bus.events import FactKind, MeetingCued, MeetingRecorded
from services.handover_feed.facts import Fact
from services.handover_feed.sentences import moment
from services.handover_feed.shifts import Duty, team_on_duty

LASTS = timedelta(hours=1)
"""So long after its beginning nobody is called to it any more."""
MOST = 50
LONGEST = 200
WITHDRAWN = "What was arranged is not so any more."


class Meeting(Model):
    """A meeting under its own key: whom it is about."""

    version: int
    children: tuple[str, ...]

    @classmethod
    def of(cls, recorded: MeetingRecorded) -> Meeting:
        """An allegation against a professional is kept apart (H4): on this board it is about nobody."""
        return cls(version=recorded.version, children=() if recorded.lado else tuple(sorted({*recorded.child_ids})))


class Arranged(Model):
    """A meeting about one child."""

    fact_id: str
    version: int
    enquiry_id: str
    held_at: AwareDatetime | None
    """None: it is not about this child any more."""
    chair: str
    heard_at: AwareDatetime
    near: bool = False
    """It is today or tomorrow."""
    over: bool = False

    @property
    def near_at(self) -> datetime | None:
        """From the beginning of the day before it, as London's clocks show it."""
        if self.held_at is None or not 2 < self.held_at.year < 9999:
            return None
        before = self.held_at.astimezone(LONDON).date() - timedelta(days=1)
        return datetime.combine(before, time(), LONDON)

    @property
    def next(self) -> datetime | None:
        """When something about it changes by itself; None if nothing will."""
        if self.near_at is None or self.held_at is None or self.over:
            return None
        return self.held_at + LASTS if self.near else self.near_at

    def at(self, now: datetime) -> Arranged:
        """As it stands at that moment."""
        if self.near_at is None or self.held_at is None:
            return self
        over = self.over or now >= self.held_at + LASTS
        return self.model_copy(update={"near": self.near or (now >= self.near_at and not over), "over": over})

    def fact(self, meeting_id: str, duty: Duty) -> Fact | None:
        """What the card says of it, for the side that is on duty then; None while it is far away, or if it was."""
        if not self.near or self.held_at is None:
            return None
        return Fact(
            fact_id=self.fact_id,
            kind=FactKind.STRATEGY_DISCUSSION,
            happened_at=self.heard_at,
            heard_at=max(self.heard_at, self.near_at or self.heard_at),
            text=f"Arranged for {moment(self.held_at)}, chaired by {self.chair}.",
            said_by=self.chair,
            enquiry_id=self.enquiry_id,
            due_by=self.held_at,
            ends=(f"over {self.fact_id}",),
            to=team_on_duty(self.held_at, duty),
            meeting_id=meeting_id,
        )


Meetings = Mapping[str, Arranged]


def arranged(before: Meetings, said: MeetingCued, event_id: str, at: datetime) -> Meetings:
    """With this one, unless a later version is known. The same hour again is the same fact, whatever else changed."""
    known = before.get(said.meeting_id)
    if known and known.version >= said.version:
        return before
    new = Arranged(
        fact_id=event_id, version=said.version, enquiry_id=said.enquiry_id, held_at=said.held_at,
        chair=said.chair[:LONGEST], heard_at=at,
    )  # fmt: skip
    if known and known.held_at == new.held_at:
        same = ("fact_id", "heard_at", "near", "over")
        new = new.model_copy(update={name: getattr(known, name) for name in same})
    rest = {other: one for other, one in before.items() if other != said.meeting_id}
    return dict([*rest.items(), (said.meeting_id, new.at(at))][-MOST:])


def at(before: Meetings, now: datetime) -> Meetings:
    """As they stand at that moment."""
    return {meeting_id: one.at(now) for meeting_id, one in before.items()}


def next_of(meetings: Meetings) -> datetime | None:
    """When something about one of them changes by itself."""
    return min((one.next for one in meetings.values() if one.next), default=None)


def facts(meetings: Meetings, duty: Duty) -> Iterator[Fact]:
    for meeting_id, one in meetings.items():
        if found := one.fact(meeting_id, duty):
            yield found


def withdrawn(fact: Fact) -> Fact | None:
    """What stands on the card in place of a meeting's fact once the meeting is at another hour, or is not about this
    child any more; None if it is no meeting's."""
    return fact.model_copy(update={"text": WITHDRAWN, "due_by": None}) if fact.meeting_id else None


def ends(meetings: Meetings) -> dict[str, datetime]:
    """By what ends the fact of each that has been held: when."""
    return {f"over {one.fact_id}": one.held_at + LASTS for one in meetings.values() if one.over and one.held_at}
