"""What is kept of an event: ids, codes and times, enough to count and no more.

No name, NHS number, date of birth, narrative or reason is ever in a fact. A child is the opaque child_id, which joins
its facts and is never shown. Times are UTC microseconds. A fact is a tuple, kept as a JSON array with its letter first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from services.bus.envelope import Event
from services.bus.events import (
    AnswerState,
    ContactReceived,
    DeadlineSet,
    DecisionMade,
    DisclosureRead,
    HealthToBeTold,
    HealthUpdated,
    InformationRequested,
    InformationReturned,
    MatterChanged,
    MatterState,
    MeetingRecorded,
    MinutesDistributed,
    OrganisationRecorded,
    OutcomeShared,
    PoliceNotified,
    ReceiptState,
    SchoolAlerted,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Organisation(NamedTuple):
    """One version of an organisation's entry: what it is called, and the authority it lies in."""

    organisation: str
    version: int
    name: str
    area: str | None


class Notified(NamedTuple):
    child: str
    incident: str
    disclosure: str
    force: str
    door: str
    kinds: list[str]
    wanted: str
    hidden: bool
    """Here and below: the event says that the child's place must stay unknown (H2)."""
    at: int
    """Here and below: when it was said, by its ce_time."""
    told: int
    """Here and below: when Kafka had it, so from when on it could be read."""


class Contacted(NamedTuple):
    child: str
    enquiry: str
    contact: str
    role: str
    organisation: str | None
    grading: str
    hidden: bool
    at: int


class Alerted(NamedTuple):
    child: str
    disclosure: str
    role: str
    cause: str
    """Identity of the notification that it follows from."""
    due: int | None
    hidden: bool
    at: int
    told: int


class Read(NamedTuple):
    disclosure: str
    at: int


class Decided(NamedTuple):
    child: str
    enquiry: str
    decision: str
    closes: bool
    triage: bool
    reasoned: bool
    """It has a rationale, and a reason that may be shared."""
    hidden: bool
    at: int


class Shared(NamedTuple):
    child: str
    enquiry: str
    hidden: bool
    told: int


class Cued(NamedTuple):
    decision: str


class HealthTold(NamedTuple):
    child: str
    role: str
    cause: str
    hidden: bool
    told: int


class Asked(NamedTuple):
    child: str
    request: str
    disclosure: str
    agency: str
    categories: list[str]
    due: int | None
    hidden: bool
    at: int


class Answered(NamedTuple):
    request: str
    categories: list[str]
    """Those that have an answer: silence is none (N4)."""
    at: int


class Due(NamedTuple):
    child: str
    disclosure: str | None
    due: int
    hidden: bool


class Met(NamedTuple):
    meeting: str
    version: int
    enquiry: str
    children: list[str]
    hidden: bool
    held: int


class Handed(NamedTuple):
    meeting: str
    recipient: str
    role: str
    absent: bool
    held: int
    told: int


class Matter(NamedTuple):
    """One version of a matter on the handover board."""

    matter: str
    version: int
    state: str
    team: str
    taken_by: str | None
    """The side of the worker who has it."""
    taken: int | None
    waiting: int | None
    handed: int | None


class Unreadable(NamedTuple):
    """An event that could not be decoded: it is missing from some figure, and is counted for that."""

    topic: str


class Passed(NamedTuple):
    """Nothing is kept of an event that was heard before, or that no figure needs: only that the log was read so far."""


Fact = (
    Organisation
    | Notified
    | Contacted
    | Alerted
    | Read
    | Decided
    | Shared
    | Cued
    | HealthTold
    | Asked
    | Answered
    | Due
    | Met
    | Handed
    | Matter
    | Unreadable
    | Passed
)

LETTERS: Mapping[str, type[Fact]] = {
    "o": Organisation, "n": Notified, "c": Contacted, "a": Alerted, "r": Read, "d": Decided, "s": Shared, "q": Cued,
    "h": HealthTold, "i": Asked, "j": Answered, "u": Due, "m": Met, "p": Handed, "b": Matter, "x": Unreadable,
    "z": Passed,
}  # fmt: skip
_LETTER = {kind: letter for letter, kind in LETTERS.items()}


class Kept(NamedTuple):
    """A fact as it stands in the table: what it is, and where in the log its event was."""

    fact: Fact
    topic: str
    partition: int
    offset: int


def pack(kept: Kept) -> bytes:
    """Its bytes in the table."""
    fact = kept.fact
    return json.dumps(
        [_LETTER[type(fact)], kept.topic, kept.partition, kept.offset, *fact], separators=(",", ":")
    ).encode()


def unpack(raw: bytes) -> Kept:
    """The fact that `pack` made these bytes of."""
    letter, topic, partition, offset, *fields = json.loads(raw)
    return Kept(LETTERS[letter](*fields), topic, partition, offset)


def micros(at: datetime) -> int:
    """UTC microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The other way round."""
    return _EPOCH + at * _MICROSECOND


def fact_of(event: Event, told: int, identify: Callable[[str, str], str]) -> Fact | None:
    """What is kept of this event; None of one that no figure needs.

    Args:
        told: when Kafka had it.
        identify: an event's identity by its source and id.
    """
    make = _MAKERS.get(type(event))
    return make(event, told, identify) if make else None


def _organisation(event: OrganisationRecorded, *_: Any) -> Fact:
    return Organisation(event.organisation_id, event.version, event.name, event.local_authority_code)


def _notified(event: PoliceNotified, told: int, _: Any) -> Fact:
    return Notified(
        event.child_id,
        event.incident_id,
        str(event.disclosure.id),
        event.force,
        event.disclosure.recipient,
        sorted({kind.value for kind in event.kinds}),
        event.strategy_discussion.wanted.value,
        event.location_confidential or event.disclosure.location_confidential,
        micros(event.at),
        told,
    )


def _contacted(event: ContactReceived, *_: Any) -> Fact:
    return Contacted(
        event.child_id,
        event.enquiry_id,
        event.contact_id,
        event.referrer.role.value,
        event.referrer.organisation_id,
        event.grading.value,
        event.location_confidential,
        micros(min(event.received_at, event.at)),
    )


def _alerted(event: SchoolAlerted, told: int, identify: Callable[[str, str], str]) -> Fact:
    disclosure = event.disclosure
    return Alerted(
        event.child_id,
        str(disclosure.id),
        disclosure.recipient_role.value,
        _cause(event, identify),
        None if disclosure.due_by is None else micros(disclosure.due_by),
        disclosure.location_confidential,
        micros(event.at),
        told,
    )


def _read(event: DisclosureRead, *_: Any) -> Fact | None:
    if event.state is ReceiptState.UNKNOWN:
        return None
    return Read(str(event.disclosure_id), micros(event.happened_at))


def _decided(event: DecisionMade, *_: Any) -> Fact:
    shareable = any(reason.reason.strip() for reason in event.shareable_reasons)
    return Decided(
        event.child_id,
        event.enquiry_id,
        event.decision_id,
        event.closes,
        event.triage,
        bool((event.rationale or "").strip()) and shareable,
        event.location_confidential,
        micros(min(event.decided_at, event.at)),
    )


def _shared(event: OutcomeShared, told: int, _: Any) -> Fact:
    return Shared(event.child_id, event.enquiry_id, event.disclosure.location_confidential, told)


def _cued(event: HealthToBeTold, *_: Any) -> Fact:
    return Cued(event.decision_id)


def _health_told(event: HealthUpdated, told: int, identify: Callable[[str, str], str]) -> Fact:
    disclosure = event.disclosure
    return HealthTold(
        event.child_id,
        disclosure.recipient_role.value,
        _cause(event, identify),
        disclosure.location_confidential,
        told,
    )


def _asked(event: InformationRequested, *_: Any) -> Fact:
    disclosure = event.disclosure
    return Asked(
        event.child_id,
        event.request_id,
        str(disclosure.id),
        disclosure.recipient,
        sorted({category.value for category in event.categories}),
        None if disclosure.due_by is None else micros(disclosure.due_by),
        disclosure.location_confidential,
        micros(event.at),
    )


def _answered(event: InformationReturned, *_: Any) -> Fact:
    said = {answer.category.value for answer in event.answers if answer.state is not AnswerState.UNKNOWN}
    return Answered(event.request_id, sorted(said), micros(event.at))


def _due(event: DeadlineSet, *_: Any) -> Fact:
    disclosure = event.disclosure_id or event.deadline_id
    return Due(event.child_id, str(disclosure), micros(event.due_by), event.location_confidential)


def _met(event: MeetingRecorded, *_: Any) -> Fact:
    return Met(
        event.meeting_id,
        event.version,
        event.enquiry_id,
        sorted(set(event.child_ids)),
        event.location_confidential,
        micros(event.held_at),
    )


def _handed(event: MinutesDistributed, told: int, _: Any) -> Fact:
    disclosure = event.disclosure
    return Handed(
        event.meeting_id,
        disclosure.recipient,
        disclosure.recipient_role.value,
        event.was_absent,
        micros(event.held_at),
        told,
    )


def _matter(event: MatterChanged, *_: Any) -> Fact:
    taken = event.state is MatterState.TAKEN and event.taken_at is not None
    return Matter(
        event.matter_id,
        event.version,
        event.state.value,
        event.team.value,
        event.taken_by.team.value if taken and event.taken_by else None,
        micros(event.taken_at) if taken and event.taken_at else None,
        None if event.waiting_since is None else micros(event.waiting_since),
        None if event.handed_on_at is None else micros(event.handed_on_at),
    )


def _cause(event: Event, identify: Callable[[str, str], str]) -> str:
    said = event.envelope
    return identify(said.cause_source or "", said.cause_id or "")


_MAKERS: Mapping[type[Event], Callable[..., Fact | None]] = {
    OrganisationRecorded: _organisation,
    PoliceNotified: _notified,
    ContactReceived: _contacted,
    SchoolAlerted: _alerted,
    DisclosureRead: _read,
    DecisionMade: _decided,
    OutcomeShared: _shared,
    HealthToBeTold: _cued,
    HealthUpdated: _health_told,
    InformationRequested: _asked,
    InformationReturned: _answered,
    DeadlineSet: _due,
    MeetingRecorded: _met,
    MinutesDistributed: _handed,
    MatterChanged: _matter,
}

TOPICS = tuple(sorted(kind.topic for kind in _MAKERS))
"""What is heard. Not what the police report: what is counted of it stands in the notifications, without a narrative."""
