"""Events as the board hears them, and plain calls of its wired decisions. Everything is made up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from services.bus.directory import Directory
from services.bus.disclosing import deadline_id, match_deadline_id
from services.bus.envelope import NAMESPACE, Alarm, Envelope, Event
from services.bus.events import (
    Answer,
    AnswerState,
    Category,
    ChildIdentity,
    ChildMatched,
    ChildUnmatched,
    ContactReceived,
    DeadLetter,
    DeadlineKind,
    DeadlineMet,
    DeadlineMissed,
    DeadlineSet,
    DecisionMade,
    DisclosureRead,
    FamilyTold,
    Grading,
    HandoverAct,
    HandoverActed,
    HandoverEscalated,
    HandoverNoted,
    IncidentKind,
    InformationRequested,
    InformationReturned,
    MatchBasis,
    MatchCandidate,
    MatterChanged,
    NoteKind,
    Outcome,
    OutcomeShared,
    PoliceNotified,
    Presence,
    ReceiptState,
    Referrer,
    RiskCriterion,
    RiskReason,
    Role,
    SchoolAlerted,
    StrategyWish,
    Team,
    Threshold,
    UnmatchedReason,
    Worker,
    YesNoUnknown,
)
from services.handover_feed.shifts import Duty
from services.handover_feed.view import Matter
from services.handover_feed.wiring import service
from tests.police_notifications.samples import FORCE, county
from tests.rooms import FRIDAY_EVENING, decide, of, said

SERVICE = service(Duty())
CHILD = "child-maya"
MINUTE = timedelta(minutes=1)
INCIDENT, REFERENCE = "incident-1", "c1"
UNMATCHED = f"unmatched:{match_deadline_id(INCIDENT, REFERENCE)}"

NIA = Worker(person_id="p-nia", name="Nia Rhys", post="out-of-hours social worker", team=Team.NIGHT)
OLU = Worker(person_id="p-olu", name="Olu Adeyemi", post="out-of-hours social worker", team=Team.NIGHT)
DEE = Worker(person_id="p-dee", name="Dee Marsh", post="MASH social worker", team=Team.DAY)


def disclosure(
    name: str, recipient: str = "duty:825", role: Role = Role.OUT_OF_HOURS, **changed: Any
) -> dict[str, Any]:
    body = {
        "id": uuid5(NAMESPACE, name),
        "recipient": recipient,
        "recipient_role": role,
        "purpose": "POLICE_NOTIFICATION",
        "lawful_basis": "PUBLIC_TASK_6_1_E",
    }
    return body | changed


def hear(event: Event, id: str, at: datetime) -> Any:  # noqa: A002
    return said(event, by=SERVICE.name, id=id, at=at)


def identity(born: date | None = date(2016, 5, 4), forenames: str = "Maya Rose") -> ChildIdentity:
    return ChildIdentity(forenames=forenames, family_name="Hartley", date_of_birth=born)


def notified(id: str = "notified", at: datetime = FRIDAY_EVENING, **changed: Any) -> PoliceNotified:  # noqa: A002
    body: dict[str, Any] = {
        "disclosure": disclosure(id),
        "child_id": CHILD,
        "incident_id": f"incident of {id}",
        "child_reference": REFERENCE,
        "about": identity(forenames=id),
        "force": FORCE,
        "occurred_at": at - timedelta(hours=1),
        "aware_at": at,
        "historic": False,
        "kinds": [IncidentKind.DOMESTIC_ABUSE],
        "grading": Grading.AMBER,
        "immediate_danger": YesNoUnknown.NO,
        "narrative": "NARRATIVEMARK",
        "presence": Presence.BOTH,
        "voice": "I hid under the bed",
        "strategy_discussion": StrategyWish(wanted=YesNoUnknown.NO, reason="no sign of significant harm"),
        "adults_of_concern": [],
        "protective_instructions": [],
        "location_confidential": False,
        "circumstances": [],
        "matched_by": MatchBasis.NHS_NUMBER,
    }
    return hear(PoliceNotified(**body | changed), id, at)  # type: ignore[no-any-return]


def danger(id: str = "danger", at: datetime = FRIDAY_EVENING, **changed: Any) -> PoliceNotified:  # noqa: A002
    """A notification of immediate danger, graded red."""
    return notified(id, at, **{"immediate_danger": YesNoUnknown.YES, "grading": Grading.RED, **changed})


def unmatched(id: str = "asked", at: datetime = FRIDAY_EVENING, **changed: Any) -> ChildUnmatched:  # noqa: A002
    body: dict[str, Any] = {
        "unmatched_id": UNMATCHED.removeprefix("unmatched:"),
        "incident_id": INCIDENT,
        "child_reference": REFERENCE,
        "force": FORCE,
        "aware_at": at,
        "grading": Grading.AMBER,
        "immediate_danger": YesNoUnknown.NO,
        "identity": identity(),
        "candidates": [MatchCandidate(child_id="c-2", score=91, matched_on=["upn"], differs_on=["date_of_birth"])],
        "why": UnmatchedReason.NAME_OR_BIRTH_DIFFERS,
    }
    return hear(ChildUnmatched(**body | changed), id, at)  # type: ignore[no-any-return]


def matched(id: str = "matched", at: datetime = FRIDAY_EVENING + 20 * MINUTE) -> ChildMatched:  # noqa: A002
    event = ChildMatched(
        incident_id=INCIDENT, child_reference=REFERENCE, child_id=CHILD, decided_by="MASH support", reason="known"
    )
    return hear(event, id, at)  # type: ignore[no-any-return]


def accepted(id: str = "accepted", answer: str = "matched", at: datetime = FRIDAY_EVENING + 20 * MINUTE) -> DeadlineMet:  # noqa: A002
    """The police's room acts on that answer: it is who the unmatched child is."""
    own = UUID(UNMATCHED.removeprefix("unmatched:"))
    event = DeadlineMet(
        deadline_id=own, child_id=UNMATCHED, kind=DeadlineKind.MATCH_BY_PERSON, due_by=at, met_at=at, late=False
    )
    heard = hear(event, id, at)
    return heard.enveloped(heard.envelope.changed(cause_id=answer))  # type: ignore[no-any-return]


def alerted(id: str = "alert", at: datetime = FRIDAY_EVENING, **changed: Any) -> SchoolAlerted:  # noqa: A002
    told = disclosure(id, "school:110001", Role.SCHOOL, due_by=at + timedelta(hours=60), **changed)
    event = SchoolAlerted(
        disclosure=told, child_id=CHILD, about=identity(), incident_at=at, aware_at=at, presence=Presence.BOTH,
        historic=False, what_to_do="listen",
    )  # fmt: skip
    return hear(event, id, at)  # type: ignore[no-any-return]


def contact(id: str = "contact", at: datetime = FRIDAY_EVENING, **changed: Any) -> ContactReceived:  # noqa: A002
    body: dict[str, Any] = {
        "contact_id": id,
        "enquiry_id": "enquiry-1",
        "child_id": CHILD,
        "received_at": at,
        "referrer": Referrer(organisation_id="school:110001", role=Role.SCHOOL, professional=True),
        "grading": Grading.GREEN,
        "concern": "CONCERNMARK",
        "threshold": Threshold.LEVEL_3,
        "family_told": FamilyTold.NOT_YET,
        "location_confidential": False,
        "adults_of_concern": [],
    }
    return hear(ContactReceived(**body | changed), id, at)  # type: ignore[no-any-return]


def requested(id: str = "request", at: datetime = FRIDAY_EVENING, **changed: Any) -> InformationRequested:  # noqa: A002
    body: dict[str, Any] = {
        "disclosure": disclosure(id, "practice:K82007", Role.GP_PRACTICE, due_by=at + timedelta(hours=4)),
        "request_id": id,
        "enquiry_id": "enquiry-1",
        "child_id": CHILD,
        "about": identity(forenames=id),
        "categories": [Category.HEALTH, Category.FAMILY],
        "priority": Grading.RED,
        "threshold": Threshold.SECTION_47,
        "family_told": FamilyTold.TOLD,
    }
    return hear(InformationRequested(**body | changed), id, at)  # type: ignore[no-any-return]


def returned(id: str = "answer", request: str = "request", at: datetime = FRIDAY_EVENING) -> InformationReturned:  # noqa: A002
    answers = [Answer(category=Category.HEALTH, state=AnswerState.INFORMATION, information="ANSWERMARK")]
    event = InformationReturned(
        response_id=id, request_id=request, enquiry_id="enquiry-1", child_id=CHILD, answers=answers
    )
    return hear(event, id, at)  # type: ignore[no-any-return]


def decided(id: str = "decision", at: datetime = FRIDAY_EVENING, **changed: Any) -> DecisionMade:  # noqa: A002
    body: dict[str, Any] = {
        "decision_id": id,
        "enquiry_id": "enquiry-1",
        "child_id": CHILD,
        "decided_at": at,
        "decided_by": "out-of-hours social worker",
        "triage": False,
        "outcome": Outcome.SECTION_17_ASSESSMENT,
        "closes": False,
        "rationale": "RATIONALEMARK",
        "shareable_reasons": [],
        "what_happens_next": "a visit tomorrow",
        "threshold": Threshold.SECTION_17,
        "family_told": FamilyTold.TOLD,
        "location_confidential": False,
        "adults_of_concern": [],
    }
    return hear(DecisionMade(**body | changed), id, at)  # type: ignore[no-any-return]


def shared(id: str = "outcome", at: datetime = FRIDAY_EVENING) -> OutcomeShared:  # noqa: A002
    event = OutcomeShared(
        disclosure=disclosure(id, "school:110001", Role.SCHOOL), decision_id="decision", enquiry_id="enquiry-1",
        child_id=CHILD, about=identity(), outcome=Outcome.SECTION_17_ASSESSMENT, closes=False, what_happens_next="…",
        decided_at=at,
    )  # fmt: skip
    return hear(event, id, at)  # type: ignore[no-any-return]


def read(of_event: str, id: str = "receipt", at: datetime = FRIDAY_EVENING + MINUTE, **changed: Any) -> DisclosureRead:  # noqa: A002
    body: dict[str, Any] = {
        "receipt_id": id,
        "disclosure_id": uuid5(NAMESPACE, of_event),
        "child_id": CHILD,
        "role": Role.SCHOOL,
        "state": ReceiptState.READ,
        "happened_at": at,
        "at": at,
        "practitioner": "A. Lead",
    }
    body = {name: value for name, value in body.items() if name in DisclosureRead.model_fields}
    return hear(DisclosureRead(**body | changed), id, at)  # type: ignore[no-any-return]


def decision_deadline(of_event: str = "notified") -> UUID:
    """Of the front door's decision about a notification."""
    return deadline_id(DeadlineKind.FRONT_DOOR_DECISION, str(uuid5(NAMESPACE, of_event)))


def expected(
    own: UUID, kind: DeadlineKind, id: str = "set", at: datetime = FRIDAY_EVENING, **changed: Any  # noqa: A002
) -> DeadlineSet:  # fmt: skip
    body: dict[str, Any] = {
        "deadline_id": own,
        "child_id": CHILD,
        "kind": kind,
        "owed_role": Role.MASH,
        "owed_by": "mash:825",
        "due_by": at + timedelta(hours=24),
        "escalate_to": "la:825",
        "needs_hidden_confirmation": False,
        "location_confidential": False,
    }
    return hear(DeadlineSet(**body | changed), id, at)  # type: ignore[no-any-return]


def met(own: UUID, kind: DeadlineKind, id: str = "met", at: datetime = FRIDAY_EVENING + 5 * MINUTE) -> DeadlineMet:  # noqa: A002
    event = DeadlineMet(deadline_id=own, child_id=CHILD, kind=kind, due_by=at, met_at=at, late=False)
    return hear(event, id, at)  # type: ignore[no-any-return]


def missed(own: UUID, kind: DeadlineKind, id: str = "missed", at: datetime = FRIDAY_EVENING) -> DeadlineMissed:  # noqa: A002
    event = DeadlineMissed(
        disclosure=disclosure(id, "la:825", Role.LOCAL_AUTHORITY), deadline_id=own, child_id=CHILD, kind=kind,
        due_by=at, owed_role=Role.SCHOOL, owed_by="school:110001",
    )  # fmt: skip
    return hear(event, id, at)  # type: ignore[no-any-return]


def letter(id: str = "letter", at: datetime = FRIDAY_EVENING, **changed: Any) -> DeadLetter:  # noqa: A002
    """Something from a force that could not be read."""
    body: dict[str, Any] = {
        "dead_letter_id": uuid5(NAMESPACE, id),
        "service": "police-notifications",
        "reason_code": "invalid",
        "explanation": "EXPLANATIONMARK",
        "origin_topic": "police.incidents.v1",
        "origin_partition": 0,
        "origin_offset": 7,
        "event_id": "incident-event-1",
        "event_source": "urn:test:police",
        "key": b"KEYMARK",
        "body": b"BODYMARK",
        "headers": [],
        "happened_at": at,
    }
    return hear(DeadLetter(**body | changed), id, at)  # type: ignore[no-any-return]


def note(
    text: str = "NOTEMARK",
    id: str = "note",  # noqa: A002
    at: datetime = FRIDAY_EVENING + 30 * MINUTE,
    by: Worker = DEE,
    to: Team = Team.NIGHT,
    kind: NoteKind = NoteKind.NOTE,
    matter: str = CHILD,
    due_by: datetime | None = None,
) -> HandoverNoted:
    event = HandoverNoted(
        note_id=id, matter_id=matter, child_id=matter if matter == CHILD else None, by=by, to=to, written_at=at,
        kind=kind, due_by=due_by, text=text,
    )  # fmt: skip
    return hear(event, id, at)  # type: ignore[no-any-return]


def act(
    what: HandoverAct,
    *addresses: str,
    by: Worker = NIA,
    at: datetime = FRIDAY_EVENING + 2 * MINUTE,
    id: str = "",  # noqa: A002
    reason: str | None = "because",
    no_longer: Iterable[RiskCriterion] = (),
    matter: str = CHILD,
    to: Team | None = None,
) -> HandoverActed:
    own = id or f"{what.value} {by.person_id} {at.isoformat()}"
    event = HandoverActed(
        act_id=own, matter_id=matter, child_id=matter if matter == CHILD else None, act=what, by=by, acted_at=at,
        reason=reason, addresses=list(addresses), no_longer=list(no_longer), to=to,
    )  # fmt: skip
    return hear(event, own, at)  # type: ignore[no-any-return]


def tell(*heard: Event, directory: Directory | None = None, before: Matter | None = None) -> Matter:
    """What the board knows once it has heard these, in this order."""
    matter = before or Matter()
    for event in heard:
        _, after = decide(SERVICE, event, directory, matter)
        assert isinstance(after, Matter)
        matter = after
    return matter


def card(*heard: Event, directory: Directory | None = None, before: Matter | None = None) -> MatterChanged:
    """The last card that the board said when it heard these, in this order."""
    matter = before or Matter()
    cards: list[MatterChanged] = []
    for event in heard:
        parts, after = decide(SERVICE, event, directory or county(), matter)
        assert isinstance(after, Matter)
        matter, cards = after, cards + of(MatterChanged, parts)
    assert cards, "the board has said nothing"
    assert cards[-1].version == matter.version
    return cards[-1]


def ring(matter: Matter, at: datetime) -> tuple[Matter, list[HandoverEscalated], list[MatterChanged]]:
    """What is said when the view's moment comes at that time, and what is known then."""
    moment = int(matter.alarm.timestamp() * 1_000_000) if matter.alarm else 0
    alarm = Alarm(Envelope(f"alarm {moment}", "urn:safebus:handover-feed", "alarm", at, heard_by=SERVICE.name))
    parts = SERVICE.decide(alarm, matter, county())
    return matter.rung(alarm), of(HandoverEscalated, parts), of(MatterChanged, parts)


def reason(shown: MatterChanged, criterion: RiskCriterion) -> RiskReason:
    return next(one for one in shown.risk if one.criterion is criterion)
