"""What comes in one made-up night, as the bus says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from services.bus import events as e
from services.bus.envelope import Event

NOW = datetime(2026, 11, 24, 3, 5, tzinfo=UTC)
"""A Tuesday, 3:05am in London."""

DUTY = "duty:825"


def disclosure(to: str, role: str, purpose: str, due_in: timedelta | None, **more: Any) -> dict[str, Any]:
    return {
        "id": uuid4(), "recipient": to, "recipient_role": role, "purpose": purpose,
        "lawful_basis": "PUBLIC_TASK_6_1_E", "due_by": NOW + due_in if due_in is not None else None, **more,
    }  # fmt: skip


def child(name: str, born: str | None = "2023-02-11") -> dict[str, Any]:
    forenames, _, family_name = name.rpartition(" ")
    return {"forenames": forenames, "family_name": family_name, "date_of_birth": born}


def police(child_id: str, name: str, ago: timedelta = timedelta(hours=2), **more: Any) -> e.PoliceNotified:
    born = more.pop("born", "2023-02-11")
    told = {
        "disclosure": disclosure(DUTY, "OUT_OF_HOURS", "POLICE_NOTIFICATION", timedelta(hours=3)),
        "child_id": child_id, "incident_id": f"incident-{child_id}-{ago}", "child_reference": "1",
        "about": child(name, born), "force": "police:43", "occurred_at": NOW - ago - timedelta(minutes=25),
        "aware_at": NOW - ago, "historic": False, "kinds": ["DOMESTIC_ABUSE"], "grading": "AMBER",
        "immediate_danger": "NO", "presence": "WAS_PRESENT", "voice": None,
        "narrative": "Officers attended after a neighbour's call. The father had left. Mother and child were unhurt.",
        "strategy_discussion": {"wanted": "NO", "reason": "no injury, and the suspect is in custody"},
        "adults_of_concern": [], "location_confidential": False, "circumstances": [], "matched_by": "NHS_NUMBER",
        "protective_instructions": [],
    }  # fmt: skip
    return e.PoliceNotified.model_validate(told | more)


def danger(child_id: str = "child-amara", name: str = "Amara Okonkwo", **more: Any) -> e.PoliceNotified:
    """Immediate danger, with all that a card can say."""
    said: dict[str, Any] = {
        "ago": timedelta(minutes=4), "grading": "RED", "immediate_danger": "YES", "kinds": ["NEGLECT", "MISSING"],
        "narrative": "A child of three was found alone in the flat by a neighbour, who has her now. The mother cannot "
        "be reached.",
        "voice": "She said: “Mummy went out and it got dark.” She would not let go of her blanket.",
        "strategy_discussion": {"wanted": "YES", "reason": "third time within a year"},
        "visit_hazards": ["A dog in the flat that has bitten", "The lift does not work: fourth floor"],
        "protective_instructions": [
            {"instruction": "The mother's partner must not collect her.", "until": NOW + timedelta(days=2),
             "released_by": "Inspector 4417"},
        ],
        "police_protection": {"began_at": NOW - timedelta(minutes=2), "ends_at": NOW + timedelta(hours=72),
                              "designated_officer": "Inspector 4417"},
        "protection_plan": "YES", "circumstances": ["LOOKED_AFTER"],
    }  # fmt: skip
    return police(child_id, name, **(said | more))


def alert(child_id: str, name: str, **more: Any) -> e.SchoolAlerted:
    told = {
        "disclosure": disclosure("school:110394", "SCHOOL", "OPERATION_ENCOMPASS", timedelta(hours=5, minutes=40)),
        "child_id": child_id, "about": child(name), "incident_at": NOW - timedelta(hours=3),
        "aware_at": NOW - timedelta(hours=2), "presence": "BOTH", "historic": False, "what_to_do": "Tell the lead.",
    }  # fmt: skip
    return e.SchoolAlerted.model_validate(told | more)


def request(child_id: str, name: str, due_in: timedelta = timedelta(hours=2)) -> e.InformationRequested:
    return e.InformationRequested.model_validate(
        {
            "disclosure": disclosure("school:110394", "SCHOOL", "MASH_INFORMATION_REQUEST", due_in),
            "request_id": f"request-{child_id}", "enquiry_id": f"enquiry-{child_id}", "child_id": child_id,
            "about": child(name, "2014-06-02"), "categories": ["ATTENDANCE"], "priority": "RED",
            "threshold": "SECTION_47", "family_told": "NOT_YET", "authorised_by": "MASH manager",
        }
    )  # fmt: skip


def contact(child_id: str, ago: timedelta = timedelta(hours=9), **more: Any) -> e.ContactReceived:
    told = {
        "contact_id": f"contact-{child_id}", "enquiry_id": f"enquiry-{child_id}", "child_id": child_id,
        "received_at": NOW - ago, "referrer": {"role": "SCHOOL", "professional": True}, "grading": "GREEN",
        "concern": "He has come to school hungry most days this month.", "voice": "He says there is nothing at home.",
        "threshold": "LEVEL_3", "family_told": "TOLD", "location_confidential": False, "adults_of_concern": [],
    }  # fmt: skip
    return e.ContactReceived.model_validate(told | more)


def unmatched(own_id: str = "7d1f", ago: timedelta = timedelta(hours=1)) -> e.ChildUnmatched:
    return e.ChildUnmatched.model_validate(
        {
            "unmatched_id": own_id, "incident_id": f"incident-{own_id}", "child_reference": "1", "force": "police:43",
            "aware_at": NOW - ago, "grading": "UNKNOWN", "identity": child("Jo", None), "candidates": [],
            "why": "NO_CANDIDATE",
        }
    )  # fmt: skip


def note(text: str, to: str = "NIGHT", child_id: str = "child-note", **more: Any) -> e.HandoverNoted:
    own_id = str(uuid4())
    told = {
        "note_id": own_id, "matter_id": child_id, "child_id": child_id, "to": to, "kind": "ASKED", "text": text,
        "by": {"person_id": "day-1", "name": "Grace Adeyemi", "post": "MASH social worker", "team": "DAY"},
        "written_at": NOW - timedelta(hours=10), "due_by": NOW + timedelta(hours=3),
    }  # fmt: skip
    return e.HandoverNoted.model_validate(told | more)


def evening() -> list[Event]:
    """What had come by 3 o'clock, without danger."""
    return [
        contact("child-tom"),
        police("child-tom", "Tom Whitfield", timedelta(hours=6), born="2015-09-30", grading="GREEN"),
        police("child-leila", "ليلى الحسن", timedelta(hours=3), born="2024-12-01", location_confidential=True,
               voice="She held her mother's hand and did not speak."),
        alert("child-leila", "ليلى الحسن"),
        police("child-noah", "Noah Fernsby-Cholmondeley-Featherstonehaugh", timedelta(hours=1), born="2010-01-05",
               kinds=["MISSING", "EXPLOITATION"], grading="RED", immediate_danger="NO"),
        request("child-noah", "Noah Fernsby-Cholmondeley-Featherstonehaugh"),
        unmatched(),
        note("Please see whether the grandmother is still there at bedtime.", child_id="child-tom"),
    ]  # fmt: skip
