"""A sender sees what became of its event by role, never who was told or where (H2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.bus import events as e
from services.bus.envelope import Envelope, Event
from services.partner_gateway.door.context import Gateway
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.samples import OTHER, SCHOOL, event, text
from tests.partner_gateway.test_events_in import EVENTS, WHOLE, client

__all__ = ["client"]

LATER = datetime.now(UTC) + timedelta(days=1)
EARLIER = datetime.now(UTC) - timedelta(hours=1)


def outcome(
    cause: dict[str, Any], to: str, role: str, due_by: datetime | None, *, hidden: bool = False, own: UUID | None = None
) -> Event:
    """Something that was told because of a posted event."""
    told = e.DeadlineMissed.model_validate(
        {
            "disclosure": {
                "id": own or uuid4(), "recipient": to, "recipient_role": role, "purpose": "ESCALATION",
                "lawful_basis": "PUBLIC_TASK_6_1_E", "due_by": due_by, "location_confidential": hidden,
            },
            "deadline_id": uuid4(), "child_id": "child-1", "kind": "SCHOOL_ALERT_READ", "due_by": EARLIER,
            "owed_role": "SCHOOL",
        }
    )  # fmt: skip
    correlation = f"{cause['source']} {cause['id']}"
    own_id = str(told.disclosure.id)
    return told.enveloped(Envelope(own_id, "urn:safebus:room", told.topic, EARLIER, correlation_id=correlation))


def read(disclosure: UUID, state: str) -> Event:
    """A named practitioner's receipt."""
    return e.DisclosureRead.model_validate(
        {
            "receipt_id": str(uuid4()), "disclosure_id": disclosure, "child_id": "child-1", "role": "SCHOOL",
            "state": state, "happened_at": EARLIER,
        }
    )  # fmt: skip


async def posted(client: httpx.AsyncClient, organisation: str = SCHOOL) -> dict[str, Any]:
    said = event(organisation=organisation)
    answer = await client.post(EVENTS, content=text(said), headers=WHOLE | {"x-as": organisation})
    assert answer.status_code == 202
    return said | {"location": answer.headers["location"]}


async def recipients(client: httpx.AsyncClient, said: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(said["location"], headers=WHOLE)).json()["recipients"]
    return found


async def test_state_by_role(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Delivered, read, acted on; late while nobody has read it who should have; read once somebody has."""
    said, reads, acts, overdue = await posted(client), uuid4(), uuid4(), uuid4()
    assert await recipients(client, said) == []
    await tell(
        gateway,
        outcome(said, "school:1", "SCHOOL", LATER),
        outcome(said, "practice:1", "GP_PRACTICE", LATER, own=reads),
        outcome(said, "health:1", "HEALTH_VISITING", None, own=acts),
        outcome(said, "la:1", "SOCIAL_CARE", EARLIER, own=overdue),
        outcome(event(), "police:1", "POLICE", EARLIER),
        read(reads, "READ"),
        read(acts, "READ"),
        read(acts, "ACTED"),
    )
    found = await recipients(client, said)
    assert [(one["role"], one["state"]) for one in found] == [
        ("GP_PRACTICE", "read"), ("HEALTH_VISITING", "acted"), ("SCHOOL", "delivered"), ("SOCIAL_CARE", "late"),
    ]  # fmt: skip
    await tell(gateway, read(overdue, "READ"))
    assert (await recipients(client, said))[3]["state"] == "read"


async def test_h2_a_sender_never_learns_who_or_where(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """H2: role and state; of a hidden child not even by when, since opening hours tell a school from another."""
    said = await posted(client)
    await tell(gateway, outcome(said, OTHER, "SCHOOL", LATER, hidden=True), outcome(said, "school:9", "SCHOOL", LATER))
    answer = await client.get(said["location"], headers=WHOLE)
    assert [set(one) for one in answer.json()["recipients"]] == [{"role", "state", "due_by"}] * 2
    assert [one["due_by"] is None for one in answer.json()["recipients"]] == [True, False]
    assert OTHER not in answer.text
    assert "child-1" not in answer.text


async def test_the_list_has_ones_own_newest_first_page_by_page(client: httpx.AsyncClient) -> None:
    """Every event once, whatever comes in meanwhile; nobody else's."""
    mine = [(await posted(client))["id"] for _ in range(5)]
    await posted(client, OTHER)
    seen: list[str] = []
    page: dict[str, Any] = {"next": None, "more": True}
    while page["more"]:
        after = {"after": page["next"]} if page["next"] else {}
        page = (await client.get("/v1/sent", params={"limit": 2, **after}, headers=WHOLE)).json()
        seen += [one["id"] for one in page["events"]]
        await posted(client)
    assert seen == mine[::-1]


async def test_the_late_ones_alone(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """A sender is told what was not read in time."""
    late, fine = await posted(client), await posted(client)
    await tell(gateway, outcome(late, "school:1", "SCHOOL", EARLIER), outcome(fine, "school:1", "SCHOOL", LATER))
    found = (await client.get("/v1/sent", params={"late": "true"}, headers=WHOLE)).json()
    assert [one["id"] for one in found["events"]] == [late["id"]]
    assert not found["more"]


@pytest.mark.parametrize("after", ["x", "bm9uZQ", "WzEsMiwzXQ", "é", "WzEsImEiLCJiXHUwMDAwIl0", "W10", "a" * 9999])
async def test_a_place_that_is_none_is_refused(client: httpx.AsyncClient, after: str) -> None:
    """Nobody can make the database stumble over a cursor of their own."""
    answer = await client.get("/v1/sent", params={"after": after}, headers=WHOLE)
    assert answer.status_code == 422


async def test_a_name_that_is_none_is_not_found(client: httpx.AsyncClient) -> None:
    """PostgreSQL's text takes no NUL; the answer is that of any other unknown id."""
    answer = await client.get(f"{EVENTS}/a%00b", params={"source": f"urn:safebus:{SCHOOL}\0"}, headers=WHOLE)
    assert answer.status_code == 404
