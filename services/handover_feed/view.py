"""What is known of one matter: a fold of what was heard, the same in whatever order the topics came (DESIGN.md §1.6).

What refers to something else, such as a receipt to its disclosure, is remembered beside it and put together when the
card is written; what workers did is a fold of their acts alone (acts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar, cast

from pydantic import AwareDatetime, Field

from services.bus.disclosing import match_deadline_id
from services.bus.envelope import Alarm, Event, Model
from services.bus.events import (
    Answer,
    AnswerState,
    ChildMatched,
    ChildUnmatched,
    ContactReceived,
    DeadLetter,
    DeadlineMet,
    DeadlineMissed,
    DeadlineSet,
    DecisionMade,
    DisclosureRead,
    HandoverActed,
    HandoverEscalated,
    HandoverNoted,
    HealthUpdated,
    InformationRequested,
    InformationReturned,
    MatchCandidate,
    MatterChanged,
    MatterCued,
    MeetingRecorded,
    OperatorActed,
    OutcomeShared,
    PoliceNotified,
    ReceiptState,
    SchoolAlerted,
)
from services.bus.service import View
from services.handover_feed import following, meetings
from services.handover_feed.acts import Standing
from services.handover_feed.alarms import Paged
from services.handover_feed.card import content
from services.handover_feed.facts import Fact
from services.handover_feed.hearing import facts_of
from services.handover_feed.held import HELD_APART, end_of, matter_of, matter_of_act
from services.handover_feed.known import Known
from services.handover_feed.meetings import Arranged, Meeting, Meetings
from services.handover_feed.room import within_room
from services.handover_feed.shifts import DUTY, Duty
from services.handover_feed.state import state_of

V = TypeVar("V")

OF_A_CHILD = (
    PoliceNotified, SchoolAlerted, ContactReceived, InformationRequested, InformationReturned, DecisionMade,
    OutcomeShared, HealthUpdated, DisclosureRead, DeadlineSet, DeadlineMet, DeadlineMissed,
)  # fmt: skip
"""A child's own; of a deadline, an unmatched child's too."""

LONGEST_ANSWER = 1_000
MOST_CANDIDATES = 20
SAID = ("information", "withheld_reason")
"""What an answer says, besides its category and its state."""

UNMATCHED = "unmatched:"
MEETING = "meeting:"


class Receipt(Model):
    """When a disclosure was read, and whether by somebody who is named."""

    at: AwareDatetime
    named: bool


class Question(Model):
    """Who an unmatched child is, as the police's room asks (H12)."""

    incident_id: str
    child_reference: str
    candidates: tuple[MatchCandidate, ...] = ()


class Matter(View):
    """One matter. Everything has a default: what is not said is not known."""

    duty: ClassVar[Duty] = DUTY

    matter_id: str = ""
    child_id: str | None = None
    version: int = 0
    """Of its card; 0 while there is nothing to show."""
    facts: dict[str, Fact] = Field(default_factory=dict)
    left_out: int = 0
    """Facts that wait for somebody and that there was no room for."""
    known: Known = Known()
    standing: Standing = Standing()
    ended: dict[str, AwareDatetime] = Field(default_factory=dict)
    """Deadlines that were met or missed, and what else ends a fact by itself, with when."""
    dues: dict[str, AwareDatetime] = Field(default_factory=dict)
    """By deadline: until when."""
    receipts: dict[str, Receipt] = Field(default_factory=dict)
    """By disclosure."""
    answers: dict[str, dict[str, Answer]] = Field(default_factory=dict)
    """By request and category."""
    decided: dict[str, AwareDatetime] = Field(default_factory=dict)
    """By enquiry: the latest decision."""
    paged: Paged = Paged()
    question: Question | None = None
    answered: dict[str, str] = Field(default_factory=dict)
    """Who an unmatched child is, by the answer's event; the police's room may refuse one."""
    accepted: str | None = None
    """What ended the wait for an answer: the answer's event, unless it was certain without one."""
    written: tuple[HandoverNoted, ...] = ()
    """Of an unmatched child: the notes, and what workers did, to follow it."""
    acted: tuple[HandoverActed, ...] = ()
    recorded: int = 0
    """The version of the directory's record that the card is to be written with."""
    meetings: dict[str, Arranged] = Field(default_factory=dict)
    meeting: Meeting | None = None
    """Of a meeting under its own key, which has no card."""

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        """The matter: the child's own id, or until it is known who it is, that of the question."""
        match event:
            case ChildUnmatched():
                return f"{UNMATCHED}{event.unmatched_id}"
            case ChildMatched():
                return f"{UNMATCHED}{match_deadline_id(event.incident_id, event.child_reference)}"
            case DeadLetter():
                return matter_of(event)
            case HandoverNoted() | HandoverActed() | HandoverEscalated() | MatterChanged() | MatterCued():
                return event.matter_id
            case OperatorActed():
                return matter_of_act(event)
            case MeetingRecorded():
                return f"{MEETING}{event.meeting_id}"
        return event.child_id if isinstance(event, OF_A_CHILD) else None

    # What is heard

    def evolve(self, event: Event) -> Self:
        if isinstance(event, MatterChanged):
            # A recovery may count fewer changes than there were, and what it says next must still be the latest.
            return self._identified(event)._with(version=max(self.version, event.version))
        return cast(Self, _evolved.once(self, event))

    def rung(self, alarm: Alarm) -> Self:
        """The manager is to be paged, for the first time or again; or a meeting comes near, or is over."""
        now = self._arranged(meetings.at(self.meetings, alarm.at))
        since = state_of(now).danger_since
        if since and (due_at := now.paged.next(since, now.duty.take_within)) and due_at <= alarm.at:
            due = now.paged.due(since, alarm.at, now.matter_id, now.child_id)
            now = now._with(paged=now.paged.heard(due))
        return now._counted(self)

    def _heard(self, event: Event) -> Self:
        if type(event) is not DeadLetter:
            self = self._with(known=self.known.heard(event))
        facts = {fact.fact_id: fact for fact in facts_of(event)}
        now = self._with(facts={**self.facts, **facts}) if facts else self
        match event:
            case ChildUnmatched():
                asked = Question(
                    incident_id=event.incident_id,
                    child_reference=event.child_reference,
                    candidates=tuple(event.candidates[:MOST_CANDIDATES]),
                )
                return now._with(question=asked)
            case ChildMatched():
                return now._with(answered=now.answered | {event.envelope.id: event.child_id})
            case MeetingRecorded():
                known = now.meeting
                return now if known and known.version >= event.version else now._with(meeting=Meeting.of(event))
            case OperatorActed():
                letter_id = now.matter_id.removeprefix(HELD_APART)
                return now._ended(end_of(letter_id), event.acted_at) if letter_id else now
            case MatterCued():
                return now._cued(event)
            case DeadlineSet():
                return now._with(dues=_and(now.dues, str(event.deadline_id), event.due_by))
            case DeadlineMet():
                if now.matter_id == f"{UNMATCHED}{event.deadline_id}":
                    now = now._with(accepted=now.accepted or event.envelope.cause_id)
                return now._ended(str(event.deadline_id), event.met_at)
            case DeadlineMissed():
                return now._ended(f"missed {event.deadline_id}", event.due_by)
            case DisclosureRead() if event.state is not ReceiptState.UNKNOWN:
                return now._read(event)
            case InformationReturned():
                return now._answered(event)
            case DecisionMade():
                latest = max(event.decided_at, now.decided.get(event.enquiry_id, event.decided_at))
                return now._with(decided=_and(now.decided, event.enquiry_id, latest))
            case HandoverActed():
                return now._did(event)
            case HandoverNoted():
                return now._with(standing=now.standing.noted(event), written=now._follows(now.written, event))
            case HandoverEscalated():
                return now._with(paged=now.paged.heard(event))
        return now

    def _identified(self, event: Event) -> Self:
        """A known child's matter bears the child's own id. Who writes of another child there is not believed."""
        matter_id = self.key_of(event) or ""
        said = matter_id if isinstance(event, DeadLetter) else getattr(event, "child_id", None)
        known = said == matter_id and not matter_id.startswith((UNMATCHED, HELD_APART))
        return self._with(matter_id=matter_id, child_id=matter_id if known else self.child_id)

    def _did(self, acted: HandoverActed) -> Self:
        """What a worker did, if it took effect; who may not see to it has the manager asked (H3)."""
        if acted.act_id in self.standing.ids:
            return self
        standing = self.standing.after(acted, self.duty)
        now = self._with(standing=standing)
        if standing.acts[-1].refused is None:
            now = now._with(acted=self._follows(self.acted, acted))
        if standing.asked and standing.asked != self.standing.asked:
            due = self.paged.passed_on(acted.act_id, acted.acted_at, self.matter_id, self.child_id)
            now = now._with(paged=self.paged.heard(due))
        return now

    def _follows(self, before: tuple[V, ...], new: V) -> tuple[V, ...]:
        """Only an unmatched child's follows to another matter."""
        return (*before, new)[-following.MOST :] if self.matter_id.startswith(UNMATCHED) else before

    def _cued(self, cue: MatterCued) -> Self:
        """What came under another key."""
        now = self._with(recorded=max(self.recorded, cue.recorded or 0))
        if cue.meeting:
            now = now._arranged(meetings.arranged(now.meetings, cue.meeting, cue.envelope.id, cue.at))
        for note in following.notes_of(cue):
            if note.note_id not in now.standing.ids:
                now = now._heard(note)
        return now._with(standing=now.standing.told(cue.followed.acts)) if cue.followed else now

    def _arranged(self, now: Meetings) -> Self:
        """With the facts of these meetings, and without those that stood in their place."""
        if now == self.meetings:
            return self
        arranged = {fact.fact_id: fact for fact in meetings.facts(now, self.duty)}
        former = {fact.fact_id: fact for fact in map(meetings.withdrawn, self.facts.values()) if fact}
        gone = {own_id: fact for own_id, fact in former.items() if own_id not in arranged}
        ended = {end: fact.heard_at for fact in gone.values() for end in fact.ends} | meetings.ends(now)
        return self._with(meetings=dict(now), facts={**self.facts, **gone, **arranged}, ended={**ended, **self.ended})

    def _ended(self, what: str, at: datetime) -> Self:
        return self._with(ended=_and(self.ended, what, min(at, self.ended.get(what, at))))

    def _read(self, read: DisclosureRead) -> Self:
        """Read once it was read first, by somebody who is named if anybody is."""
        receipt = Receipt(at=min(read.happened_at, read.at), named=bool((read.practitioner or "").strip()))
        before = self.receipts.get(str(read.disclosure_id), receipt)
        first = min(before, receipt, key=lambda one: (not one.named, one.at))
        return self._with(receipts=_and(self.receipts, str(read.disclosure_id), first))

    def _answered(self, returned: InformationReturned) -> Self:
        """What came back, category by category, in however many parts."""
        answers = dict(self.answers.get(returned.request_id, {}))
        for answer in returned.answers:
            if answer.state is not AnswerState.UNKNOWN:
                said = {name: (getattr(answer, name) or "")[:LONGEST_ANSWER] or None for name in SAID}
                answers[answer.category.value] = answer.model_copy(update=said)
        return self._with(answers=_and(self.answers, returned.request_id, answers))

    def _counted(self, before: Matter) -> Self:
        """The next version, if the card says something else than before."""
        now = within_room(self)
        return now.model_copy(update={"version": before.version + (content(now) != content(before))})  # type: ignore[return-value]

    # What it comes to

    @property
    def alarm(self) -> datetime | None:
        """When immediate danger will have waited too long to be taken: then, and after each such time again (H7). Or
        when a meeting comes near, or is over."""
        since = state_of(self).danger_since
        danger = self.paged.next(since, self.duty.take_within) if since else None
        return min(filter(None, (danger, meetings.next_of(self.meetings))), default=None)

    @property
    def matched_to(self) -> str | None:
        """Who an unmatched child is, once an answer has been accepted: a refused one would tell of another child."""
        return self.answered.get(self.accepted or "")

    def read_at(self, disclosure_id: str) -> datetime | None:
        """When somebody read it first; of a confidential place a receipt may name nobody (H2)."""
        receipt = self.receipts.get(disclosure_id)
        return receipt.at if receipt and (receipt.named or self.known.location_confidential) else None

    def _with(self, **changed: Any) -> Self:
        return self.model_copy(update=changed)


class _Once:
    """The decision asks what will be known, and the loop asks the same right after: it is worked out once."""

    def __init__(self) -> None:
        self._last: tuple[Matter, Event, Matter] | None = None

    def once(self, matter: Matter, event: Event) -> Matter:
        last = self._last
        if last and last[0] is matter and last[1] is event:
            return last[2]
        now = matter._identified(event)._heard(event)._counted(matter)
        self._last = (matter, event, now)
        return now


_evolved = _Once()


def on_duty(duty: Duty) -> type[Matter]:
    """Matters of an installation with these hours."""
    return Matter if duty == Matter.duty else type("Matter", (Matter,), {"duty": duty, "__doc__": Matter.__doc__})


def _and(before: Mapping[str, V], key: str, value: V) -> dict[str, V]:
    """With this too, as what was heard last."""
    return {**{other: known for other, known in before.items() if other != key}, key: value}
