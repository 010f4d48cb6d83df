"""A disclosure's id stands for one disclosure: whoever uses it again is told so, or the event is before a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4, uuid5

import httpx
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from services.bus.envelope import NAMESPACE, Envelope
from services.bus.events import DeadlineMissed, InformationRequested
from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for
from services.partner_gateway.door.who import Caller, caller
from services.partner_gateway.inbox.tables import counter, entry, reading
from services.partner_gateway.tables import disclosing
from services.partner_gateway.wiring import SERVICE
from tests.bus.plain import LETTERS
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.house import post, request
from tests.partner_gateway.on_a_bus import GatewaysBus
from tests.partner_gateway.samples import text

COUNCIL, SCHOOL, OTHER = "la:825", "school:110394", "school:110395"
MANY = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with speaking_for_the_council(gateway) as made:
        yield made


def speaking_for_the_council(gateway: Gateway) -> httpx.AsyncClient:
    app = application(gateway)
    app.dependency_overrides[caller] = lambda: Caller(COUNCIL, frozenset({InformationRequested.topic}), "key test")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test")


def asked(to: str, disclosure_id: object) -> dict[str, Any]:
    """An information request whose disclosure has that id, and itself an id of its own."""
    said = request(to)
    said["data"]["disclosure"]["id"] = str(disclosure_id)
    return said


# --- at the door ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [SCHOOL, OTHER])
async def test_an_id_that_was_posted_for_another_disclosure_is_refused(client: httpx.AsyncClient, to: str) -> None:
    """To the same recipient or to another: before it would be acknowledged and never told. A repeat is no reuse."""
    first = asked(SCHOOL, own := uuid4())
    assert [(await post(client, first)).status_code for _ in range(2)] == [202, 202]
    refused = await post(client, asked(to, own))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:safebus:problem:disclosure-id-reused")
    assert refused.json()["errors"] == [
        {"pointer": "#/data/disclosure/id", "detail": "stands for another disclosure"}
    ]  # fmt: skip


async def test_an_id_that_stands_in_any_inbox_is_refused(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Also when it came there by Kafka, which the door has not seen."""
    await tell(gateway, stood := people.request(SCHOOL))
    refused = await post(client, asked(OTHER, stood.disclosure.id))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:safebus:problem:disclosure-id-reused")


async def test_in_a_batch_the_first_has_the_id_and_the_others_are_told(client: httpx.AsyncClient) -> None:
    """Each item has its own answer, and one that is refused holds back nobody."""
    own = uuid4()
    items = [first := asked(SCHOOL, own), asked(OTHER, own), asked(OTHER, uuid4()), first]
    answer = await client.post(f"/v1/events/{InformationRequested.topic}", content=text(items), headers=MANY)
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [202, 409, 202, 202]
    assert results[1]["problem"]["type"] == "urn:safebus:problem:disclosure-id-reused"


async def test_of_two_posts_at_once_one_has_the_id(at: Settings, client: httpx.AsyncClient) -> None:
    """Whichever process they come to: the claim is one row of the database that both share."""
    async with gateway_for(at) as second, speaking_for_the_council(second) as other:
        for _ in range(5):
            own = uuid4()
            answers = await asyncio.gather(post(client, asked(SCHOOL, own)), post(other, asked(OTHER, own)))
            assert sorted(answer.status_code for answer in answers) == [202, 409]


@pytest.mark.parametrize("stands", [True, False])
async def test_an_id_of_the_buss_own_kind_is_refused_whether_it_stands_or_not(
    client: httpx.AsyncClient, gateway: Gateway, stands: bool
) -> None:
    """H2: it follows from a cause and a recipient, so trying one would tell who else was told."""
    told = people.outcome(OTHER)
    told = told.model_copy(update={"disclosure": told.disclosure.model_copy(update={"id": uuid5(NAMESPACE, "x")})})
    await tell(gateway, *[told] * stands)
    refused = await post(client, asked(SCHOOL, told.disclosure.id))
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:safebus:problem:invalid-event")
    assert [one["pointer"] for one in refused.json()["errors"]] == ["#/data/disclosure/id"]


async def test_what_was_never_sent_keeps_no_id(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """An event that no bus can carry is mended under another id of its own, with its disclosure's."""
    own = uuid4()
    unfit = asked(SCHOOL, own)
    unfit["data"]["child_id"] = "c" * 2000
    assert (await post(client, unfit)).status_code == 422
    assert (await post(client, asked(SCHOOL, own))).status_code == 202
    held = await gateway.access.read(lambda c: c.execute(sa.select(disclosing.c.disclosure_id)).scalars().all())
    assert held == [str(own)]


# --- in the loop ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> GatewaysBus:
    return GatewaysBus(
        tmp_path, **({"store_url": request.getfixturevalue("postgres")} if request.param == "postgres" else {})
    )


@pytest.mark.parametrize("apart", [True, False])
async def test_another_event_with_its_id_is_a_dead_letter(bus: GatewaysBus, apart: bool) -> None:
    """DESIGN.md §1: whatever came by Kafka past the door takes effect, or is before a person; in one batch or two."""
    first = people.request(SCHOOL)
    second = people.missed(OTHER, id=first.disclosure.id)
    async with bus.running(SERVICE):
        await bus.publish(first)
        if apart:
            await bus.all_quiet()
        await bus.publish(second, principal="deadlines")
        [letter] = await bus.until(1, LETTERS)
        await bus.all_quiet()
    stood = bus.rows(entry, SERVICE)
    assert len(stood) == 1
    assert (letter.reason_code, letter.field) == ("disclosure_id_reused", "/disclosure/id")
    assert {letter.origin_topic, stood[0].type} == {InformationRequested.topic, DeadlineMissed.topic}


async def test_a_receipt_marks_its_own_disclosure_alone(bus: GatewaysBus) -> None:
    """One organisation's reading is no other's, though somebody has used an id twice."""
    first, second = people.request(SCHOOL), people.outcome(OTHER)
    same = people.request(OTHER, id=first.disclosure.id)
    async with bus.running(SERVICE):
        await bus.publish(first)
        await bus.all_quiet()
        await bus.publish(same, second, people.done(first))
        await bus.all_quiet()
    assert [row.disclosure_id for row in bus.rows(reading, SERVICE)] == [str(first.disclosure.id)]
    assert {row.organisation: row.disclosure_id for row in bus.rows(entry, SERVICE)} == {
        SCHOOL: str(first.disclosure.id),
        OTHER: str(second.disclosure.id),
    }
    assert {row.organisation: row.last for row in bus.rows(counter, SERVICE)} == {SCHOOL: 1, OTHER: 1}


async def test_what_a_projection_cannot_tell_it_says(gateway: Gateway) -> None:
    """Where nobody refused it, as in a database from before that was done: never in silence, and by its id alone."""
    await tell(gateway, first := people.request(SCHOOL))
    other = people.outcome(OTHER, id=first.disclosure.id)
    other.enveloped(Envelope("another", "urn:safebus:test", other.topic, gateway.clock.now()))
    with capture_logs() as logs:
        await tell(gateway, first, other)
    said = [line for line in logs if line["event"] == "disclosure_not_told"]
    assert [(line["log_level"], line["event_id"]) for line in said] == [("error", "another")]
