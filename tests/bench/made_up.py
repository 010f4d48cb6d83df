"""Made-up children, schools and notifications by the thousand, for the bench."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from services.bus import events as e

SCHOOLS, CHILDREN = 200, 5_000
START = datetime(2026, 11, 13, 19, 40, tzinfo=UTC)


def nhs_number(n: int) -> str:
    """The n-th valid number of the test range 999."""
    body = f"999{n:06d}"
    check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(body)) % 11
    return body + str(check % 11) if check != 10 else nhs_number(n + 500_000)


def organisations() -> list[e.OrganisationRecorded]:
    """Schools, one authority, one front door, one duty team."""
    hours = [{"weekday": day, "opens": "08:45", "closes": "15:15"} for day in range(1, 6)]
    always = [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)]

    def organisation(key: str, kind: str, weekly: list[dict[str, Any]]) -> e.OrganisationRecorded:
        return e.OrganisationRecorded.model_validate(
            {
                "organisation_id": key, "version": 1, "kind": kind, "name": key, "local_authority_code": "825",
                "status": "OPEN", "weekly_hours": weekly, "closed_days": [], "terms": [], "escalates_to": "la:825",
            }
        )  # fmt: skip

    schools = [organisation(f"school:{990000 + n}", "SCHOOL", hours) for n in range(SCHOOLS)]
    others = {"la:825": "LOCAL_AUTHORITY", "mash:825": "MASH", "duty:825": "OUT_OF_HOURS",
              "practice:K82001": "GP_PRACTICE"}  # fmt: skip
    return schools + [organisation(key, kind, always) for key, kind in others.items()]


def child(n: int) -> e.ChildRecorded:
    return e.ChildRecorded.model_validate(
        {
            "child_id": f"child-{n}",
            "version": 1,
            "status": "OPEN",
            "identity": identity(n),
            "also_known_as": [],
            "registrations": [
                {"organisation_id": f"school:{990000 + n % SCHOOLS}", "role": "SCHOOL"},
                {"organisation_id": "practice:K82001", "role": "GP_PRACTICE"},
            ],
            "home_educated": False,
            "location_confidential": False,
            "circumstances": [],
        }
    )


def identity(n: int) -> dict[str, Any]:
    return {
        "forenames": f"Forename{n}",
        "family_name": f"Family{n}",
        "date_of_birth": date(2012, 1, 1) + timedelta(days=n % 1500),
        "nhs_number": nhs_number(n),
    }


def incident(number: int) -> e.IncidentReported:
    """One child each, so that one incident is one notification."""
    n = number % CHILDREN
    return e.IncidentReported.model_validate(
        {
            **_happened(number),
            "address": None,
            "location_confidential": False,
            "children": [
                {
                    "reference": "1", "identity": identity(n), "presence": "BOTH", "voice": "I was upstairs.",
                    "location_confidential": False, "circumstances": [],
                }
            ],
        }
    )  # fmt: skip


def notification(number: int) -> e.PoliceNotified:
    n = number % CHILDREN
    return e.PoliceNotified.model_validate(
        {
            **_happened(number),
            "disclosure": {
                "id": UUID(int=number), "recipient": "duty:825", "recipient_role": "OUT_OF_HOURS",
                "purpose": "POLICE_NOTIFICATION", "lawful_basis": "LAW_ENFORCEMENT_DPA_PART_3", "due_by": START,
                "declare_no_conflict": False,
            },
            "child_id": f"child-{n}",
            "child_reference": "1",
            "about": identity(n),
            "presence": "BOTH",
            "voice": "I was upstairs.",
            "location_confidential": False,
            "circumstances": [],
            "matched_by": "NHS_NUMBER",
        }
    )  # fmt: skip


def cue(number: int) -> e.HealthToBeTold:
    return e.HealthToBeTold.model_validate(
        {
            "cue_id": UUID(int=number),
            "child_id": f"child-{number % CHILDREN}",
            "role": "GP_PRACTICE",
            "what": "ENQUIRY_OUTCOME",
            "decision_id": f"decision-{number}",
            "outcome": "EARLY_HELP",
            "closes": True,
            "reason": "The family takes up early help; no further enquiry is needed now.",
            "what_happens_next": "A family support worker calls this week.",
            "decided_at": START,
            "location_confidential": False,
            "adults_of_concern": [],
        }
    )


def _happened(number: int) -> dict[str, Any]:
    return {
        "incident_id": f"incident-{number}",
        "force": "police:thames-valley",
        "occurred_at": START,
        "aware_at": START,
        "historic": False,
        "kinds": ["DOMESTIC_ABUSE"],
        "grading": "AMBER",
        "immediate_danger": "NO",
        "narrative": "Officers attended after a neighbour heard shouting. " * 4,
        "adults_of_concern": [],
        "strategy_discussion": {"wanted": "NO", "reason": "first incident"},
        "protective_instructions": [],
    }
