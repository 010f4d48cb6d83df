"""A child at school in a made-up county, and what the front door was told of the child on a Friday evening."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from services.bus.directory import MemoryDirectory, Recorded
from services.bus.envelope import same_cause_same_id
from services.bus.events import (
    AdultLink,
    AdultOfConcern,
    ChildIdentity,
    ChildRecorded,
    Disclosure,
    Grading,
    IncidentKind,
    LawfulBasis,
    LinkCapacity,
    MatchBasis,
    OpeningHours,
    OrganisationRecorded,
    PoliceNotified,
    Presence,
    ProtectiveInstruction,
    Purpose,
    RecordStatus,
    Registration,
    Role,
    StrategyWish,
    Term,
    YesNoUnknown,
)
from services.encompass_alerts.wiring import SERVICE
from tests.rooms import FRIDAY_EVENING, said

SCHOOL, OTHER_SCHOOL, NURSERY, TEAM = "school:110001", "school:110002", "nursery:500001", "health:hv1"
AUTHORITY, MASH, CHILD = "la:825", "mash:825", "child-maya"
NHS_NUMBER, UPN = "9990000018", "A825200015001"
TERMS = [
    Term(first=date(2026, 9, 2), last=date(2026, 10, 23)),
    Term(first=date(2026, 11, 2), last=date(2026, 12, 18)),
    Term(first=date(2027, 1, 4), last=date(2027, 7, 21)),
    Term(first=date(2027, 9, 1), last=date(2027, 12, 17)),
]


def organisation(organisation_id: str, kind: Role = Role.SCHOOL, **changed: Any) -> OrganisationRecorded:
    body = {
        "version": 1,
        "name": organisation_id,
        "local_authority_code": "825",
        "status": RecordStatus.OPEN,
        "weekly_hours": [OpeningHours(weekday=day, opens="08:40", closes="15:20") for day in range(1, 6)],
        "closed_days": [],
        "terms": TERMS if kind is Role.SCHOOL else [],
    }
    return OrganisationRecorded(organisation_id=organisation_id, kind=kind, **{**body, **changed})


def at_school(organisation_id: str = SCHOOL, role: Role = Role.SCHOOL, **changed: Any) -> Registration:
    return Registration(organisation_id=organisation_id, role=role, **changed)


def maya(*registrations: Registration, born: date | None = date(2016, 5, 4), **changed: Any) -> ChildRecorded:
    body = {
        "version": 1,
        "status": RecordStatus.OPEN,
        "identity": ChildIdentity(
            forenames="Maya", family_name="Hartley", date_of_birth=born, nhs_number=NHS_NUMBER, upn=UPN
        ),
        "also_known_as": [],
        "registrations": list(registrations),
        "home_educated": False,
        "location_confidential": False,
        "circumstances": [],
    }
    return ChildRecorded(child_id=CHILD, **{**body, **changed})


def notified(at: datetime = FRIDAY_EVENING, id: str = "1", **changed: Any) -> PoliceNotified:  # noqa: A002
    body = {
        "disclosure": Disclosure(
            id=same_cause_same_id("the front door's"),
            recipient=MASH,
            recipient_role=Role.MASH,
            purpose=Purpose.POLICE_NOTIFICATION,
            lawful_basis=LawfulBasis.LAW_ENFORCEMENT_DPA_PART_3,
        ),
        "child_id": CHILD,
        "incident_id": "incident-1",
        "child_reference": "c1",
        "about": maya().identity,
        "force": "police:43",
        "occurred_at": at - timedelta(hours=1),
        "aware_at": at,
        "historic": False,
        "kinds": [IncidentKind.DOMESTIC_ABUSE],
        "grading": Grading.AMBER,
        "immediate_danger": YesNoUnknown.NO,
        "narrative": "NARRATIVEMARK at 1 ADDRESSMARK Lane",
        "presence": Presence.BOTH,
        "voice": "VOICEMARK",
        "strategy_discussion": StrategyWish(wanted=YesNoUnknown.NO, reason="WISHMARK"),
        "adults_of_concern": [],
        "protective_instructions": [ProtectiveInstruction(instruction="INSTRUCTIONMARK")],
        "location_confidential": False,
        "circumstances": [],
        "matched_by": MatchBasis.NHS_NUMBER,
    }
    return said(PoliceNotified(**{**body, **changed}), by=SERVICE.name, id=id, at=at)


def adult(**links: YesNoUnknown) -> AdultOfConcern:
    """An adult with these links, `la_825=YesNoUnknown.NO` for the organisation la:825."""
    return AdultOfConcern(
        reference="ADULTMARK",
        links=[
            AdultLink(organisation_id=name.replace("_", ":"), link=link, capacity=LinkCapacity.GOVERNS)
            for name, link in links.items()
        ],
    )


def county(*rows: Recorded) -> MemoryDirectory:
    """The county's organisations, and Maya at her school unless she is given; a later row of an id stands."""
    return MemoryDirectory(
        [
            maya(at_school()),
            organisation(SCHOOL),
            organisation(OTHER_SCHOOL),
            organisation(NURSERY, Role.NURSERY),
            organisation(TEAM, Role.HEALTH_VISITING),
            organisation(AUTHORITY, Role.LOCAL_AUTHORITY, escalates_to=MASH),
            organisation(MASH, Role.MASH),
            *rows,
        ]
    )
