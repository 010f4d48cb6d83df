"""Documents in a test: who uploads and fetches them, and what the chair says of whose they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from services.bus import events as e
from services.bus.envelope import Envelope
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.who import INBOX, Caller, caller

COUNCIL, SCHOOL, OTHER_SCHOOL = "la:825", "school:110394", "school:110395"
MINUTES = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
NAME = sha256(MINUTES).hexdigest()
PDF = {"Content-Type": "application/pdf"}


def acting(
    client: httpx.AsyncClient, organisation: str, *scopes: str, person_id: str | None = None
) -> httpx.AsyncClient:
    """The client as that organisation, with these scopes, by default those of the documents."""
    who = Caller(organisation, frozenset(scopes or ("strategy.minutes.v1", INBOX)), "key test", person_id=person_id)
    client._transport.app.dependency_overrides[caller] = lambda: who  # type: ignore[attr-defined]
    return client


async def uploaded(client: httpx.AsyncClient, body: bytes = MINUTES, by: str = COUNCIL) -> dict[str, Any]:
    answer = await acting(client, by).post("/v1/documents", content=body, headers=PDF)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def distributed(to: str, document: dict[str, Any] | None, release: str = "FULL", **more: Any) -> e.MinutesDistributed:
    """Minutes of meeting-1, unless `more` says another, to `to`."""
    told = {"supersedes": None, "declare_no_conflict": False} | more
    return e.MinutesDistributed.model_validate(
        {
            "disclosure": {
                "id": told.get("id", uuid4()), "recipient": to, "recipient_role": "SCHOOL",
                "purpose": "STRATEGY_MINUTES", "lawful_basis": "PUBLIC_TASK_6_1_E", "due_by": None,
                "supersedes": told["supersedes"], "declare_no_conflict": told["declare_no_conflict"],
            },
            "meeting_id": told.get("meeting_id", "meeting-1"), "minutes_id": "minutes-1", "child_ids": ["child-1"],
            "held_at": datetime(2026, 11, 20, 10, tzinfo=UTC), "release": release, "document": document,
            "own_actions": [], "was_absent": False,
        }
    )  # fmt: skip


async def fetched(client: httpx.AsyncClient, by: str, name: str = NAME, **who: Any) -> httpx.Response:
    return await acting(client, by, **who).get(f"/v1/documents/{name}")


def stored(gateway: Gateway) -> list[Path]:
    """Every file in the store, the half ones, too."""
    return [path for path in Path(gateway.settings.data_dir, "claims").rglob("*") if path.is_file()]


def half_stored(gateway: Gateway, *names: str) -> None:
    incoming = Path(gateway.settings.data_dir, "claims", "incoming")
    incoming.mkdir(parents=True)
    for name in names:
        (incoming / name).write_bytes(b"half")


def meeting(version: int, *full: str, less: tuple[str, ...] = (), lado: bool = False) -> e.MeetingRecorded:
    """Of meeting-1, to which these are invited: to have the minutes in full, or less."""
    given = [(name, "FULL") for name in full] + [(name, "ACTIONS_ONLY") for name in less]
    made = e.MeetingRecorded.model_validate(
        {
            "meeting_id": "meeting-1", "version": version, "enquiry_id": "enquiry-1", "child_ids": ["child-1"],
            "held_at": datetime(2026, 11, 20, 10, tzinfo=UTC), "chair": "team manager", "location_confidential": False,
            "invitees": [
                {"organisation_id": name, "role": "SCHOOL", "post": "lead", "attended": "YES", "release": release}
                for name, release in given
            ],
            "adults_of_concern": [], "lado": lado,
        }
    )  # fmt: skip
    return made.enveloped(Envelope(str(version), "urn:safebus:la:825", made.topic, datetime(2026, 11, 20, tzinfo=UTC)))


def minutes_with(claim: dict[str, Any] | None, *, day: int = 20, embargo: bool = False) -> e.MinutesApproved:
    at = datetime(2026, 11, day, tzinfo=UTC)
    made = e.MinutesApproved.model_validate(
        {
            "minutes_id": "minutes-1", "meeting_id": "meeting-1", "approved_at": at, "approved_by": "chair",
            "full_text": "", "actions": [], "document": claim,
            "embargo": {"owner": "police:43", "review_date": date(2026, 12, 1)} if embargo else None,
        }
    )  # fmt: skip
    return made.enveloped(Envelope(str(day), "urn:safebus:la:825", made.topic, at))


async def once(body: bytes) -> AsyncIterator[bytes]:
    yield body
