"""A school's named person, signed in, and what can wait for them. Everything is made up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from services.bus import events as e
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.partners import registry
from services.people.sign_in import link_path

SCHOOL, OTHER_SCHOOL, PRACTICE, MASH = "school:110394", "school:110395", "practice:K82001", "mash:825"
NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
"""A Monday, 7:30am in London."""

CHILD = {"forenames": "Maya", "family_name": "Hartley-Osei", "date_of_birth": "2018-03-14"}
NAMES = ("Maya", "Hartley", "2018", "Z825990218583", "9996900606")
"""What may stand on an opened page and nowhere else."""


def disclosure(to: str, role: str, purpose: str, due_in: timedelta | None, **more: Any) -> dict[str, Any]:
    due = NOW + due_in if due_in is not None else None
    basis = "PUBLIC_TASK_6_1_E"
    return {
        "id": uuid4(), "recipient": to, "recipient_role": role, "purpose": purpose, "lawful_basis": basis,
        "due_by": due, **more,
    }  # fmt: skip


def alert(to: str = SCHOOL, due_in: timedelta | None = timedelta(hours=1, minutes=15), **more: Any) -> e.SchoolAlerted:
    return e.SchoolAlerted.model_validate(
        {
            "disclosure": disclosure(to, "SCHOOL", "OPERATION_ENCOMPASS", due_in, **more)
            | {"lawful_basis": "DA_ACT_2021_S49A"},
            "child_id": "child-maya",
            "about": CHILD | {"upn": "Z825990218583"},
            "incident_at": NOW - timedelta(hours=11, minutes=50),
            "aware_at": NOW - timedelta(hours=11, minutes=20),
            "presence": "BOTH",
            "historic": False,
            "what_to_do": "Tell your designated safeguarding lead before this child is next in school. Watch for a "
            "change in the child, listen, and give silent or spoken support. Do not ask the child about it, and do "
            "not contact the family about it. Pass on any new concern to the MASH.",
        }
    )


def outcome(to: str = SCHOOL, due_in: timedelta | None = timedelta(days=1), **more: Any) -> e.OutcomeShared:
    return e.OutcomeShared.model_validate(
        {
            "disclosure": disclosure(to, "SCHOOL", "MASH_OUTCOME", due_in, **more),
            "decision_id": "d-1", "enquiry_id": "e-1", "child_id": "child-maya", "about": CHILD,
            "outcome": "EARLY_HELP", "closes": True,
            "reason": "The family takes up early help; no further enquiry is needed now.",
            "what_happens_next": "A family support worker calls this week.",
            "decided_at": NOW - timedelta(days=1),
        }
    )  # fmt: skip


def record(to: str = PRACTICE, due_in: timedelta | None = timedelta(days=2), **more: Any) -> e.HealthUpdated:
    return e.HealthUpdated.model_validate(
        {
            "disclosure": disclosure(to, "GP_PRACTICE", "HEALTH_RECORD", due_in, **more),
            "child_id": "child-maya", "about": CHILD | {"nhs_number": "9996900606"},
            "title": "Outcome of a safeguarding enquiry", "text": "Outcome: early help.\nA support worker calls.",
            "outcome": "EARLY_HELP", "decided_at": NOW - timedelta(days=1), "hide_from_online_access": True,
        }
    )  # fmt: skip


def minutes(to: str = SCHOOL, due_in: timedelta | None = timedelta(hours=9), **more: Any) -> e.MinutesDistributed:
    release = more.pop("release", "EXTRACT")
    document = more.pop("document", None)
    return e.MinutesDistributed.model_validate(
        {
            "disclosure": disclosure(to, "SCHOOL", "STRATEGY_MINUTES", due_in, **more),
            "meeting_id": "meeting-1", "minutes_id": "minutes-1", "child_ids": ["child-maya"],
            "held_at": NOW - timedelta(days=3), "release": release,
            "text": "She is to be seen by her mentor each morning.", "document": document,
            "own_actions": [
                {"action_id": "a-1", "owner": to, "what": "Mentor sees her each morning.",
                 "due_by": NOW + timedelta(days=2)},
            ],
            "was_absent": True,
        }
    )  # fmt: skip


def request(to: str = SCHOOL, due_in: timedelta | None = timedelta(hours=4), **more: Any) -> e.InformationRequested:
    return e.InformationRequested.model_validate(
        {
            "disclosure": disclosure(to, "SCHOOL", "MASH_INFORMATION_REQUEST", due_in, **more),
            "request_id": "r-1", "enquiry_id": "e-1", "child_id": "child-maya", "about": CHILD,
            "categories": ["ATTENDANCE", "LEARNING_NEEDS"], "priority": "RED", "threshold": "LEVEL_3",
            "family_told": "NOT_TOLD_UNSAFE", "family_not_told_reason": "It would put the mother at risk.",
            "authorised_by": "MASH manager",
        }
    )  # fmt: skip


def notified(
    to: str = MASH, due_in: timedelta | None = timedelta(minutes=10), danger: str = "YES", **more: Any
) -> e.PoliceNotified:
    return e.PoliceNotified.model_validate(
        {
            "disclosure": disclosure(to, "MASH", "POLICE_NOTIFICATION", due_in, **more),
            "child_id": "child-maya", "incident_id": "incident-1", "child_reference": "1", "about": CHILD,
            "force": "police:43", "occurred_at": NOW - timedelta(hours=2), "aware_at": NOW - timedelta(hours=1),
            "historic": False, "kinds": ["DOMESTIC_ABUSE"], "grading": "RED", "immediate_danger": danger,
            "narrative": "Officers attended.\nBoth children were awake.", "presence": "WAS_PRESENT",
            "voice": "She put the pillow over her ears.",
            "strategy_discussion": {"wanted": "YES", "reason": "third incident in two months"},
            "adults_of_concern": [], "location_confidential": False, "circumstances": [], "matched_by": "PERSON",
            "protective_instructions": [
                {"instruction": "The stepfather must not collect her.", "until": NOW + timedelta(days=7),
                 "released_by": "Inspector on duty"},
                {"instruction": "Not released to anybody.", "until": None, "released_by": None},
            ],
        }
    )  # fmt: skip


def missed(to: str = MASH, **more: Any) -> e.DeadlineMissed:
    return e.DeadlineMissed.model_validate(
        {
            "disclosure": disclosure(to, "LOCAL_AUTHORITY", "ESCALATION", None, **more),
            "deadline_id": uuid4(), "child_id": "child-maya", "kind": "SCHOOL_ALERT_READ",
            "due_by": NOW - timedelta(hours=1), "owed_role": "SCHOOL", "owed_by": SCHOOL,
        }
    )  # fmt: skip


def rehearsal(to: str = SCHOOL, **more: Any) -> e.SandboxAlerted:
    return e.SandboxAlerted.model_validate(
        {
            "disclosure": disclosure(to, "SCHOOL", "OPERATION_ENCOMPASS", None, **more),
            "child_id": "sandbox-1", "about": CHILD, "incident_at": NOW, "what_to_do": "This is a test. Do nothing.",
        }
    )  # fmt: skip


def done(told: Any, state: str = "READ") -> e.DisclosureRead:
    """The receipt of it, as the loop hears it."""
    return e.DisclosureRead.model_validate(
        {
            "receipt_id": str(uuid4()), "disclosure_id": told.disclosure.id, "child_id": "child-maya",
            "role": told.disclosure.recipient_role, "state": state, "happened_at": NOW,
        }
    )  # fmt: skip


async def named_person(
    gateway: Gateway,
    organisation: str = SCHOOL,
    *,
    name: str = "Ines Okafor",
    subject: str | None = None,
    acts_as: str = "agency",
) -> str:
    """A named person of a partner; the person's id."""

    def add(connection: Any) -> str:
        if not registry.people_of(connection, organisation):
            registry.add_partner(connection, organisation, acts_as, now_us=gateway.now_us)
        return registry.add_person(connection, organisation, name, "Designated safeguarding lead", subject=subject)

    return await gateway.access.write(add)


async def link_for(gateway: Gateway, person_id: str, minutes: float = 30.0) -> str:
    """The path of a one-time link."""
    now_us = gateway.now_us
    token = await gateway.access.write(lambda c: registry.one_time_link(c, person_id, now_us=now_us, minutes=minutes))
    return link_path(token)


def csrf_of(page: httpx.Response) -> str:
    """What the page's forms carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, "the page has no form"
    return found[1]


async def signed_in(gateway: Gateway, client: httpx.AsyncClient, organisation: str = SCHOOL, **more: Any) -> str:
    """Sign `client` in as a new person of the organisation, by a link; the CSRF token of the session."""
    path = await link_for(gateway, await named_person(gateway, organisation, **more))
    button = await client.get(path, follow_redirects=True)
    inbox = await client.post("/sign-in/link", data={"csrf": csrf_of(button)}, follow_redirects=True)
    assert inbox.status_code == 200, inbox.text
    return csrf_of(inbox)
