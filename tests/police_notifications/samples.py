"""One made-up Friday evening: a family, its county, and an incident. NHS numbers are in the test range."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from services.bus.directory import MemoryDirectory, Recorded
from services.bus.events import (
    AdultLink,
    AdultOfConcern,
    ChildIdentity,
    ChildMatched,
    ChildRecorded,
    Grading,
    IncidentChild,
    IncidentKind,
    IncidentReported,
    LinkCapacity,
    OrganisationRecorded,
    Presence,
    RecordStatus,
    Registration,
    Role,
    StrategyWish,
    YesNoUnknown,
)
from services.police_notifications.wiring import SERVICE
from tests.rooms import FRIDAY_EVENING, said

FORCE, MASH, DUTY, AUTHORITY, SCHOOL = "police:43", "mash:825", "duty:825", "la:825", "school:110001"
MAYAS_NUMBER, LEOS_NUMBER = "9990000018", "9990000026"
BORN = date(2016, 5, 4)
ADDRESS, NARRATIVE, INSTRUCTION = "1 ADDRESSMARK Lane", "NARRATIVEMARK was said", "INSTRUCTIONMARK must not collect"


def organisation(organisation_id: str, kind: Role, **changed: Any) -> OrganisationRecorded:
    body = {
        "version": 1,
        "name": organisation_id,
        "local_authority_code": "825",
        "status": RecordStatus.OPEN,
        "weekly_hours": [],
        "closed_days": [],
        "terms": [],
    }
    return OrganisationRecorded(organisation_id=organisation_id, kind=kind, **{**body, **changed})


def identity(
    forenames: str = "Maya Rose",
    family_name: str = "Hartley",
    born: date | None = BORN,
    nhs_number: str | None = MAYAS_NUMBER,
    upn: str | None = None,
) -> ChildIdentity:
    return ChildIdentity(
        forenames=forenames, family_name=family_name, date_of_birth=born, nhs_number=nhs_number, upn=upn
    )


def record(child_id: str = "child-maya", about: ChildIdentity | None = None, **changed: Any) -> ChildRecorded:
    body = {
        "version": 1,
        "status": RecordStatus.OPEN,
        "also_known_as": [],
        "registrations": [Registration(organisation_id=SCHOOL, role=Role.SCHOOL)],
        "home_educated": False,
        "location_confidential": False,
        "circumstances": [],
    }
    return ChildRecorded(child_id=child_id, identity=about or identity(), **{**body, **changed})


def child(reference: str = "c1", about: ChildIdentity | None = None, **changed: Any) -> IncidentChild:
    body = {
        "presence": Presence.WAS_PRESENT,
        "voice": "I hid",
        "location_confidential": False,
        "circumstances": [],
    }
    return IncidentChild(reference=reference, identity=about or identity(), **{**body, **changed})


def incident(
    *children: IncidentChild,
    id: str = "1",  # noqa: A002
    source: str = "urn:test:police",
    at: Any = FRIDAY_EVENING,
    **changed: Any,
) -> IncidentReported:
    body = {
        "incident_id": "incident-1",
        "force": FORCE,
        "occurred_at": at - timedelta(minutes=40),
        "aware_at": at,
        "historic": False,
        "kinds": [IncidentKind.DOMESTIC_ABUSE],
        "grading": Grading.AMBER,
        "immediate_danger": YesNoUnknown.NO,
        "narrative": NARRATIVE,
        "address": ADDRESS,
        "location_confidential": False,
        "adults_of_concern": [],
        "strategy_discussion": StrategyWish(wanted=YesNoUnknown.NO, reason="nothing suggests significant harm"),
        "protective_instructions": [],
        "children": list(children) or [child()],
    }
    return said(IncidentReported(**{**body, **changed}), by=SERVICE.name, id=id, source=source, at=at)


def answer(child_id: str = "child-maya", reference: str = "c1", id: str = "answer", **changed: Any) -> ChildMatched:  # noqa: A002
    body = {"incident_id": "incident-1", "decided_by": "MASH business support", "reason": "known to the school"}
    matched = ChildMatched(child_reference=reference, child_id=child_id, **{**body, **changed})
    return said(matched, by=SERVICE.name, id=id, source="urn:test:la", at=FRIDAY_EVENING + timedelta(minutes=20))


def adult(**links: YesNoUnknown) -> AdultOfConcern:
    """An adult with these links, `mash_825=YesNoUnknown.NO` for the organisation mash:825."""
    return AdultOfConcern(
        reference="adult-1",
        links=[
            AdultLink(organisation_id=name.replace("_", ":"), link=link, capacity=LinkCapacity.WORKS_THERE)
            for name, link in links.items()
        ],
    )


PLACES: tuple[Recorded, ...] = (
    organisation(FORCE, Role.POLICE, local_authority_code=None),
    organisation(MASH, Role.MASH),
    organisation(DUTY, Role.OUT_OF_HOURS),
    organisation(AUTHORITY, Role.LOCAL_AUTHORITY),
    organisation(SCHOOL, Role.SCHOOL),
)


def county(*rows: Recorded) -> MemoryDirectory:
    """The county's organisations, and Maya unless other children are given; a later row of an id stands."""
    return MemoryDirectory([*PLACES, *(rows or [record()])])
