"""What is kept of each event: from its body to a fact, and which topics are heard for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
from services.performance_data.facts import (
    Alerted,
    Answered,
    Asked,
    Contacted,
    Cued,
    Decided,
    Due,
    Fact,
    Handed,
    HealthTold,
    Matter,
    Met,
    Notified,
    Organisation,
    Read,
    Shared,
    micros,
)


def fact_of(event: Event, told: int, identify: Callable[[str, str], str]) -> Fact | None:
    """What is kept of this event; None of one that no figure needs.

    Args:
        told: from when on it could be read.
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
