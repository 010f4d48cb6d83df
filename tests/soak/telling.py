"""The events that the county's agencies send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.bus.events import (
    ChildMatched,
    ChildRecorded,
    ContactReceived,
    DecisionMade,
    IncidentReported,
    MeetingRecorded,
    MinutesApproved,
    Role,
)
from tests.soak.county import FORCE
from tests.soak.ledger import invited

NOBODY_KNOWS = {"forenames": "Zed", "family_name": "Unlisted", "date_of_birth": "2015-02-28"}
CLASSES = ("EDUCATION", "HEALTH", "POLICE", "REFERRER_PROFESSIONAL")


def incident(id: str, at: datetime, children: Sequence[ChildRecorded], *, unknown: bool) -> IncidentReported:  # noqa: A002
    """Domestic abuse; `unknown`: one more child was there whom no identifier names."""
    there = [_there(str(number), child.identity.model_dump()) for number, child in enumerate(children, 1)]
    if unknown:
        there.append(_there("unknown", NOBODY_KNOWS))
    return IncidentReported.model_validate(
        {
            "incident_id": id,
            "force": FORCE,
            "occurred_at": at - timedelta(minutes=20),
            "aware_at": at,
            "historic": False,
            "kinds": ["DOMESTIC_ABUSE"],
            "grading": "AMBER",
            "immediate_danger": "NO",
            "narrative": "Made up for a test of the whole bus.",
            "location_confidential": False,
            "adults_of_concern": [],
            "strategy_discussion": {"wanted": "NO", "reason": "first report"},
            "protective_instructions": [],
            "children": there,
        }
    )


def _there(reference: str, identity: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "reference": reference,
        "identity": identity,
        "presence": "BOTH",
        "voice": "Made up.",
        "location_confidential": False,
        "circumstances": [],
    }


def matched(incident: str, child: ChildRecorded) -> ChildMatched:
    """A person says who the unknown child is."""
    return ChildMatched(
        incident_id=incident,
        child_reference="unknown",
        child_id=child.child_id,
        decided_by="front door clerk",
        reason="known to the family's worker",
    )


def contact(id: str, at: datetime, child: ChildRecorded, referrer: str, role: Role) -> ContactReceived:  # noqa: A002
    return ContactReceived.model_validate(
        {
            "contact_id": id,
            "enquiry_id": id,
            "child_id": child.child_id,
            "received_at": at,
            "referrer": {"organisation_id": referrer, "role": role, "professional": True},
            "grading": "GREEN",
            "concern": "Made up for a test of the whole bus.",
            "threshold": "LEVEL_3",
            "family_told": "TOLD",
            "location_confidential": False,
            "adults_of_concern": [],
        }
    )


def decision(id: str, at: datetime, enquiry: str, child: ChildRecorded, *, closes: bool) -> DecisionMade:  # noqa: A002
    return DecisionMade.model_validate(
        {
            "decision_id": id,
            "enquiry_id": enquiry,
            "child_id": child.child_id,
            "decided_at": at,
            "decided_by": "MASH assistant team manager",
            "triage": True,
            "outcome": "EARLY_HELP" if closes else "STRATEGY_DISCUSSION",
            "closes": closes,
            "rationale": "Made up.",
            "shareable_reasons": [{"recipient_class": name, "reason": "Made up."} for name in CLASSES],
            "what_happens_next": "A worker calls this week.",
            "threshold": "LEVEL_3",
            "family_told": "TOLD",
            "location_confidential": False,
            "adults_of_concern": [],
        }
    )


def meeting(id: str, at: datetime, enquiry: str, child: ChildRecorded) -> MeetingRecorded:  # noqa: A002
    roles = {"police": "POLICE", "school": "SCHOOL", "practice": "GP_PRACTICE"}
    return MeetingRecorded.model_validate(
        {
            "meeting_id": id,
            "version": 1,
            "enquiry_id": enquiry,
            "child_ids": [child.child_id],
            "held_at": at,
            "chair": "social care team manager",
            "location_confidential": False,
            "invitees": [
                {
                    "organisation_id": one,
                    "role": roles[one.partition(":")[0]],
                    "post": "safeguarding lead",
                    "attended": "YES",
                    "release": "EXTRACT",
                }
                for one in invited(child)
            ],
            "adults_of_concern": [],
            "lado": False,
        }
    )


def minutes(id: str, at: datetime, meeting: str, child: ChildRecorded) -> MinutesApproved:  # noqa: A002
    owners = enumerate(invited(child), 1)
    return MinutesApproved.model_validate(
        {
            "minutes_id": id,
            "meeting_id": meeting,
            "approved_at": at,
            "approved_by": "social care team manager",
            "full_text": "Made up.",
            "extract": "Made up, in short.",
            "actions": [
                {"action_id": f"{id}-{number}", "owner": owner, "what": "Made up.", "due_by": at + timedelta(days=2)}
                for number, owner in owners
            ],
        }
    )
