"""Events as partners send them."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

CONTACTS = "mash.contacts.v1"
REQUESTS = "mash.information-requests.v1"
DECISIONS = "mash.decisions.v1"

SCHOOL = "school:110394"
OTHER = "school:110395"


def contact(**changed: Any) -> dict[str, Any]:
    """A school is worried about a child."""
    return {
        "contact_id": "c-1",
        "enquiry_id": "e-1",
        "child_id": "child-1",
        "received_at": "2026-11-20T09:30:00Z",
        "referrer": {
            "role": "SCHOOL",
            "organisation_id": SCHOOL,
            "professional": True,
        },
        "grading": "AMBER",
        "concern": "withdrawn since half term",
        "threshold": "LEVEL_3",
        "family_told": "TOLD",
        "location_confidential": False,
        "adults_of_concern": [],
    } | changed


def event(topic: str = CONTACTS, organisation: str = SCHOOL, **changed: Any) -> dict[str, Any]:
    """A CloudEvent with an id of its own."""
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": f"urn:safebus:{organisation}",
        "type": topic,
        "data": contact(),
    } | changed


def request(**changed: Any) -> dict[str, Any]:
    """An information request below section 47 with its ground."""
    return event(
        REQUESTS,
        data={
            "disclosure": {
                "id": str(uuid4()), "recipient": OTHER, "recipient_role": "SCHOOL",
                "purpose": "MASH_INFORMATION_REQUEST", "lawful_basis": "PUBLIC_TASK_6_1_E",
            },
            "request_id": "r-1", "enquiry_id": "e-1", "child_id": "child-1",
            "about": {"forenames": "Test", "family_name": "Child", "date_of_birth": "2018-05-01"},
            "categories": ["ATTENDANCE"], "priority": "AMBER", "threshold": "LEVEL_3", "family_told": "TOLD",
            "authorised_by": "MASH manager",
        } | changed,
    )  # fmt: skip


def text(value: Any) -> bytes:
    return json.dumps(value).encode()
