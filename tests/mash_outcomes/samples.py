"""A made-up county with one family, and what happens at its front door. Marks stand where nothing may leak from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from services.bus.directory import Directory, MemoryDirectory, Recorded
from services.bus.envelope import Event, Held, same_cause_same_id
from services.bus.events import (
    AdultLink,
    AdultOfConcern,
    Answer,
    AnswerState,
    Category,
    ChildIdentity,
    ChildRecorded,
    ContactReceived,
    DecisionMade,
    Disclosure,
    FamilyTold,
    Grading,
    InformationRequested,
    InformationReturned,
    LawfulBasis,
    LinkCapacity,
    MatchBasis,
    OpeningHours,
    OrganisationRecorded,
    Outcome,
    OutcomeShared,
    PoliceNotified,
    Presence,
    Purpose,
    RecipientClass,
    RecordStatus,
    Referrer,
    Registration,
    Role,
    ShareableReason,
    StrategyWish,
    Threshold,
    YesNoUnknown,
)
from services.mash_outcomes.view import Case
from services.mash_outcomes.wiring import SERVICE
from tests.rooms import FRIDAY_EVENING, decide, london, of, said

SCHOOL, NURSERY, PRACTICE, TEAM = "school:110001", "school:500001", "practice:K82001", "health:sn1"
SOCIAL_CARE, FORCE, CLINIC, CHARITY = "la:825-east", "police:tvp", "health:clinic", "other:charity"
AUTHORITY, MASH, CHILD, ENQUIRY = "la:825", "mash:825", "child-1", "enquiry-1"
MONDAY = london(2026, 11, 23, 9, 30)
SECRET, CONCERN, NARRATIVE, ADULT = "MARK-internal", "MARK-concern", "MARK-narrative", "MARK-adult"
NHS_NUMBER, UPN = "9990000018", "A825200015001"
REASONS = {
    RecipientClass.EDUCATION: "for education",
    RecipientClass.HEALTH: "for health",
    RecipientClass.SOCIAL_CARE: "for social care",
    RecipientClass.REFERRER_PROFESSIONAL: "for a professional referrer",
    RecipientClass.REFERRER_NOT_PROFESSIONAL: "for the family",
}
KINDS = {
    SCHOOL: Role.SCHOOL,
    NURSERY: Role.NURSERY,
    PRACTICE: Role.GP_PRACTICE,
    TEAM: Role.SCHOOL_NURSING,
    SOCIAL_CARE: Role.SOCIAL_CARE,
    FORCE: Role.POLICE,
    CLINIC: Role.GP_PRACTICE,
    CHARITY: Role.OTHER,
    AUTHORITY: Role.LOCAL_AUTHORITY,
    MASH: Role.MASH,
}


def organisation(organisation_id: str, **changed: Any) -> OrganisationRecorded:
    body = {
        "version": 1,
        "kind": KINDS[organisation_id],
        "name": organisation_id,
        "local_authority_code": "825",
        "status": RecordStatus.OPEN,
        "weekly_hours": [OpeningHours(weekday=day, opens="08:00", closes="16:00") for day in range(1, 6)],
        "closed_days": [],
        "terms": [],
        "escalates_to": MASH if organisation_id == AUTHORITY else None,
    }
    return OrganisationRecorded(organisation_id=organisation_id, **{**body, **changed})


def child(**changed: Any) -> ChildRecorded:
    """At a school and a nursery, with a practice, a school nursing team and an allocated social care team."""
    held = {SCHOOL: Role.SCHOOL, NURSERY: Role.NURSERY, PRACTICE: Role.GP_PRACTICE, TEAM: Role.SCHOOL_NURSING}
    body = {
        "version": 1,
        "status": RecordStatus.OPEN,
        "provisional": False,
        "identity": ChildIdentity(
            forenames="Maya", family_name="Example", date_of_birth=date(2018, 3, 14), nhs_number=NHS_NUMBER, upn=UPN
        ),
        "also_known_as": [],
        "registrations": [Registration(organisation_id=place, role=role) for place, role in held.items()],
        "home_educated": False,
        "location_confidential": False,
        "circumstances": [],
        "allocated_worker": SOCIAL_CARE,
    }
    return ChildRecorded(child_id=CHILD, **{**body, **changed})


def county(*rows: Recorded) -> MemoryDirectory:
    """Every organisation and the child; `rows` stand in place of those with the same id."""
    return MemoryDirectory([*map(organisation, KINDS), child(), *rows])


def adult(reference: str = ADULT, **links: YesNoUnknown) -> AdultOfConcern:
    """Connected with nobody, but for `links` by the last part of an organisation's id."""
    return AdultOfConcern(
        reference=reference,
        links=[
            AdultLink(
                organisation_id=one,
                link=links.get(one.rpartition(":")[2].replace("-", "_"), YesNoUnknown.NO),
                capacity=LinkCapacity.UNKNOWN,
            )
            for one in KINDS
        ],
    )


def contact(
    contact_id: str = "contact-1", of: str | None = CHARITY, role: Role = Role.OTHER, **changed: Any
) -> ContactReceived:
    """Received on Friday evening, unless `received_at` says otherwise; heard when it was received, or `at`."""
    received_at: datetime = changed.pop("received_at", FRIDAY_EVENING)
    at: datetime = changed.pop("at", received_at)
    body = {
        "enquiry_id": ENQUIRY,
        "child_id": CHILD,
        "received_at": received_at,
        "referrer": Referrer(organisation_id=of, role=role, professional=changed.pop("professional", True)),
        "grading": Grading.AMBER,
        "concern": CONCERN,
        "threshold": Threshold.LEVEL_3,
        "family_told": FamilyTold.TOLD,
        "location_confidential": False,
        "adults_of_concern": [adult()],
    }
    event = ContactReceived(contact_id=contact_id, **{**body, **changed})
    return said(event, by=SERVICE.name, at=at, id=contact_id)


def notified(**changed: Any) -> PoliceNotified:
    """By the police on Friday evening, of the incident whose id is the enquiry's."""
    body = {
        "disclosure": disclosure(MASH, Role.MASH, Purpose.POLICE_NOTIFICATION, "notification"),
        "child_id": CHILD,
        "incident_id": ENQUIRY,
        "child_reference": "1",
        "about": child().identity,
        "force": FORCE,
        "occurred_at": FRIDAY_EVENING,
        "aware_at": FRIDAY_EVENING,
        "historic": False,
        "kinds": [],
        "grading": Grading.AMBER,
        "immediate_danger": YesNoUnknown.NO,
        "narrative": NARRATIVE,
        "presence": Presence.WAS_PRESENT,
        "strategy_discussion": StrategyWish(wanted=YesNoUnknown.NO, reason="-"),
        "adults_of_concern": [adult()],
        "protective_instructions": [],
        "location_confidential": False,
        "circumstances": [],
        "matched_by": MatchBasis.NHS_NUMBER,
    }
    return said(PoliceNotified(**{**body, **changed}), by=SERVICE.name, at=FRIDAY_EVENING, id="notified")


def disclosure(recipient: str, role: Role, purpose: Purpose, name: str) -> Disclosure:
    return Disclosure(
        id=same_cause_same_id("test", name),
        recipient=recipient,
        recipient_role=role,
        purpose=purpose,
        lawful_basis=LawfulBasis.PUBLIC_TASK_6_1_E,
    )


def reasons(*classes: RecipientClass, approved_by: str | None = "MASH manager") -> list[ShareableReason]:
    """The reasons for these classes; for all, if none is named."""
    return [
        ShareableReason(recipient_class=each, reason=text, approved_by=approved_by)
        for each, text in REASONS.items()
        if each in (classes or REASONS)
    ]


def decision(decision_id: str = "decision-1", *, at: datetime = MONDAY, **changed: Any) -> DecisionMade:
    """On Monday morning, closing the enquiry with every reason written."""
    body = {
        "enquiry_id": ENQUIRY,
        "child_id": CHILD,
        "decided_at": at,
        "decided_by": "MASH manager",
        "triage": True,
        "outcome": Outcome.EARLY_HELP,
        "closes": True,
        "rationale": SECRET,
        "shareable_reasons": reasons(),
        "what_happens_next": "a family worker calls",
        "threshold": Threshold.LEVEL_3,
        "family_told": FamilyTold.TOLD,
        "location_confidential": False,
        "adults_of_concern": [adult()],
    }
    event = DecisionMade(decision_id=decision_id, **{**body, **changed})
    return said(event, by=SERVICE.name, at=at, id=decision_id)


def requested(request_id: str = "request-1", *, at: datetime = FRIDAY_EVENING, **changed: Any) -> InformationRequested:
    """Of the school, for attendance and health, with the whole ground recorded."""
    body = {
        "disclosure": disclosure(SCHOOL, Role.SCHOOL, Purpose.MASH_INFORMATION_REQUEST, request_id),
        "enquiry_id": ENQUIRY,
        "child_id": CHILD,
        "about": child().identity,
        "categories": [Category.ATTENDANCE, Category.HEALTH],
        "priority": Grading.RED,
        "threshold": Threshold.SECTION_17,
        "family_told": FamilyTold.TOLD,
        "authorised_by": "MASH manager",
    }
    event = InformationRequested(request_id=request_id, **{**body, **changed})
    return said(event, by=SERVICE.name, at=at, id=f"asked {request_id}")


def returned(
    *answers: Answer, request_id: str = "request-1", at: datetime = FRIDAY_EVENING + timedelta(hours=1)
) -> InformationReturned:
    event = InformationReturned(
        response_id=f"{request_id} {len(answers)} {at}",
        request_id=request_id,
        enquiry_id=ENQUIRY,
        child_id=CHILD,
        answers=list(answers),
    )
    return said(event, by=SERVICE.name, at=at, id=event.response_id)


def answer(category: Category, state: AnswerState = AnswerState.NOTHING_KNOWN, **changed: Any) -> Answer:
    return Answer(category=category, state=state, **changed)


def play(*events: Event, directory: Directory | None = None) -> tuple[list[Event | Held], Case]:
    """What the room says to these events, one after the other; its memory is put away and taken out in between."""
    parts: list[Event | Held] = []
    case = Case()
    for event in events:
        said_now, after = decide(SERVICE, event, directory or county(), case)
        assert isinstance(after, Case)
        parts += said_now
        case = Case.model_validate_json(after.model_dump_json(exclude_defaults=True))
        assert case == after
        assert SECRET not in case.model_dump_json(), "the internal rationale is not kept"
    return parts, case


def told(parts: Iterable[Event | Held]) -> list[tuple[str, str | None]]:
    """Who learnt an outcome, and with which reason."""
    return [(shared.disclosure.recipient, shared.reason) for shared in of(OutcomeShared, parts)]
