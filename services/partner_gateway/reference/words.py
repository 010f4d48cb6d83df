"""What stands in the examples: made-up people, organisations and ids. NHS numbers are of the range 999, which is for
tests and nobody has; the UPN's and the organisations' numbers are given to none.

A key is a field's name, `Record.field`, or the whole way to it from the event's record; the longest that fits holds.
An optional field without a word here is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHILD = "child-7qm2"
SCHOOL, PRACTICE, FORCE, COUNCIL, HUB = "school:999901", "practice:X99901", "police:example", "la:999", "mash:999"
DISCLOSURE = "5f1c2d3e-4a5b-5c6d-8e7f-90a1b2c3d4e5"


def _told(record: str, recipient: str, role: str, purpose: str, basis: str) -> dict[str, Any]:
    words = {"recipient": recipient, "recipient_role": role, "purpose": purpose, "lawful_basis": basis}
    return {f"{record}.disclosure.{field}": word for field, word in words.items()}


WORDS: Mapping[str, Any] = {
    # Who
    "forenames": "Robin Sam",
    "family_name": "Example",
    "date_of_birth": "2017-05-04",
    "nhs_number": "9990000018",
    "upn": "G999901000017",
    "SchoolAlerted.about.nhs_number": None,
    "InformationRequested.about.nhs_number": None,
    "OutcomeShared.about.nhs_number": None,
    "SandboxAlerted.about.upn": None,
    "HealthUpdated.about.upn": None,
    "child_id": CHILD,
    "child_ids": [CHILD],
    "SandboxAlerted.child_id": "sandbox-child",
    "organisation_id": SCHOOL,
    "owner": SCHOOL,
    "force": FORCE,
    "chair": "team manager, assessment team",
    "approved_by": "team manager, assessment team",
    "authorised_by": "duty manager, front door",
    "decided_by": "duty manager, front door",
    "post": "designated safeguarding lead",
    "practitioner": "A. Practitioner",
    "owed_by": SCHOOL,
    # Which
    "incident_id": "incident-2026-004711",
    "child_reference": "1",
    "IncidentChild.reference": "1",
    "enquiry_id": "enquiry-2026-0815",
    "contact_id": "contact-2026-000123",
    "request_id": "request-2026-0042",
    "response_id": "response-2026-0042-a",
    "decision_id": "decision-2026-0815-1",
    "meeting_id": "meeting-2026-0031",
    "minutes_id": "minutes-2026-0031",
    "action_id": "1",
    "unmatched_id": "incident-2026-004711/1",
    "receipt_id": "6a0d1f52-7b8c-5d9e-8f10-21324354657f",
    "deadline_id": "0e1d2c3b-4a59-5867-9687-a5b4c3d2e1f0",
    "Disclosure.id": DISCLOSURE,
    "disclosure_id": DISCLOSURE,
    "InformationRequested.disclosure.id": "5f1c2d3e-4a5b-4c6d-8e7f-90a1b2c3d4e5",  # chosen by who asks: at random
    "version": 1,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 48213,
    "media_type": "application/pdf",
    "location": "/v1/documents/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    # When
    "occurred_at": "2026-11-20T21:40:00Z",
    "incident_at": "2026-11-20T21:40:00Z",
    "aware_at": "2026-11-20T21:55:00Z",
    "due_by": "2026-11-23T08:45:00Z",
    "held_at": "2026-11-19T10:00:00Z",
    "approved_at": "2026-11-19T15:30:00Z",
    "review_date": "2026-12-18",
    "first": "2026-12-21",
    "last": "2027-01-01",
    "weekday": 1,
    "OpeningHours.opens": "08:45",
    "OpeningHours.closes": "15:15",
    # What
    "grading": "AMBER",
    "priority": "AMBER",
    "kinds": ["DOMESTIC_ABUSE"],
    "immediate_danger": "NO",
    "presence": "WAS_PRESENT",
    "threshold": "SECTION_17",
    "family_told": "TOLD",
    "outcome": "EARLY_HELP",
    "categories": ["ATTENDANCE", "LEARNING_NEEDS"],
    "Answer.state": "INFORMATION",
    "information": "92 % this term; no unexplained absence.",
    "release": "EXTRACT",
    "attended": "NO",
    "wanted": "NO",
    "StrategyWish.reason": "The adult has left, and no significant harm is suspected so far.",
    "matched_by": "NHS_NUMBER",
    "matched_on": ["family name", "date of birth"],
    "differs_on": ["forenames"],
    "score": 84,
    "kind": "SCHOOL",
    "DeadlineMissed.kind": "SCHOOL_ALERT_READ",
    "owed_role": "SCHOOL",
    "role": "SCHOOL",
    "state": "READ",
    "why": "inset day",
    "ChildUnmatched.why": "NAME_OR_BIRTH_DIFFERS",
    "professional": True,
    "hide_from_online_access": True,
    "was_absent": True,
    "circumstances": [],
    "adults_of_concern": [],
    "protective_instructions": [],
    "also_known_as": [],
    "narrative": "Neighbours heard shouting. The child was upstairs and unhurt.",
    "voice": "“I want it to be quiet at home.”",
    "concern": "The child came without a coat three times this week and said that nobody is home after school.",
    "reason": "The school offers a place in its breakfast club and a named person to talk to.",
    "ChildMatched.reason": "The force's spelling differs; date of birth, address and school agree.",
    "recipient_class": "EDUCATION",
    "what_happens_next": "A family support worker visits within five working days.",
    "what_to_do": "Be aware today, be kind, and record what you see. Do not ask the child about it.",
    "SandboxAlerted.what_to_do": "This is a test of the connection; nothing is to be done.",
    "name": "Example Primary School",
    "local_authority_code": "999",
    "urn": "999901",
    "title": "Outcome of a safeguarding enquiry",
    "HealthUpdated.text": "Outcome: early help. A family support worker visits within five working days.",
    "MinutesDistributed.text": "The school keeps a daily record and tells the social worker of any absence at once.",
    "full_text": "Present: … Discussed: … Decided: …",
    "extract": "The school keeps a daily record and tells the social worker of any absence at once.",
    "what": "Keep a daily record, and tell the social worker of any absence at once.",
    # To whom
    **_told("PoliceNotified", HUB, "MASH", "POLICE_NOTIFICATION", "LAW_ENFORCEMENT_DPA_PART_3"),
    **_told("SchoolAlerted", SCHOOL, "SCHOOL", "OPERATION_ENCOMPASS", "DA_ACT_2021_S49A"),
    **_told("SandboxAlerted", SCHOOL, "OTHER", "OPERATION_ENCOMPASS", "DA_ACT_2021_S49A"),
    **_told("InformationRequested", SCHOOL, "SCHOOL", "MASH_INFORMATION_REQUEST", "PUBLIC_TASK_6_1_E"),
    **_told("OutcomeShared", SCHOOL, "SCHOOL", "MASH_OUTCOME", "PUBLIC_TASK_6_1_E"),
    **_told("HealthUpdated", PRACTICE, "GP_PRACTICE", "HEALTH_RECORD", "PUBLIC_TASK_6_1_E"),
    **_told("MinutesDistributed", SCHOOL, "SCHOOL", "STRATEGY_MINUTES", "PUBLIC_TASK_6_1_E"),
    **_told("DeadlineMissed", COUNCIL, "LOCAL_AUTHORITY", "ESCALATION", "PUBLIC_TASK_6_1_E"),
}
