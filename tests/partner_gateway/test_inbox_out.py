"""An organisation reads its inbox, and its own alone; and says who has read what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.bus import events as e
from services.bus.envelope import Event
from services.bus.publish import read_all
from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.posting import Posted
from services.partner_gateway.door.who import Caller, caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.tables import receipt
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.test_projection import DUE, missed

SCOPES = frozenset({"inbox", "receipts.v1"})
NOBODYS = str(uuid4())


class Recorder:
    """In the postbox's place: keeps what is to be published, and answers as it is told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.state = "accepted"

    async def post(self, events: Sequence[Event], _organisation: str) -> list[Posted]:
        self.events += events
        return [Posted(event.envelope.id, event.envelope.source, self.state) for event in events]  # type: ignore[arg-type]

    @property
    def receipts(self) -> list[e.DisclosureRead]:
        return [event for event in self.events if isinstance(event, e.DisclosureRead)]


@pytest.fixture
def postbox(gateway: Gateway) -> Recorder:
    recorder = Recorder()
    gateway.postbox = recorder  # type: ignore[assignment]
    return recorder


@pytest.fixture(autouse=True)
def _as_825(client: httpx.AsyncClient) -> None:
    speak_for(client, "la:825")


def speak_for(client: httpx.AsyncClient, organisation: str, scopes: frozenset[str] = SCOPES) -> None:
    """Whoever calls from now on is that organisation."""
    app = client._transport.app  # type: ignore[attr-defined]
    app.dependency_overrides[caller] = lambda: Caller(organisation, scopes, "key test")


def disclosed(to: str = "la:825", **changed: Any) -> e.DeadlineMissed:
    """As `missed`, with something else in its Disclosure block."""
    event = missed(to)
    return event.model_copy(update={"disclosure": event.disclosure.model_copy(update=changed)})


def record(to: str = "practice:K82001") -> e.HealthUpdated:
    """A health record, as gp_updates tells it; what it says is nothing to these tests."""
    block = missed(to).disclosure.model_copy(update={"recipient_role": e.Role.GP_PRACTICE})
    return e.HealthUpdated(
        disclosure=block,
        child_id="child-1",
        about=e.ChildIdentity(forenames="Test", family_name="Child"),
        title="Outcome",
        text="Closed",
        outcome=e.Outcome.UNKNOWN,
        decided_at=DUE,
        hide_from_online_access=True,
    )


async def give(client: httpx.AsyncClient, disclosure_id: object, **said: Any) -> httpx.Response:
    body = {"disclosure_id": str(disclosure_id), "state": "READ", "practitioner": "Jo Field"} | said
    return await client.post("/v1/receipts", json={k: v for k, v in body.items() if v is not None})


# Reading


async def test_pages_lead_through_the_whole_inbox(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """`next` of one page is `after` of the next; at the end it leads nowhere and `more` is false."""
    await tell(gateway, *(missed(to) for to in ["la:825", "la:826"] * 7))
    seen, after = [], None
    while True:
        params = {"limit": 3} | ({"after": after} if after else {})
        page = (await client.get("/v1/inbox", params=params)).json()
        seen += [entry["number"] for entry in page["entries"]]
        after = page["next"]
        if not page["more"]:
            break
    assert seen == list(range(1, 8))
    assert (await client.get("/v1/inbox", params={"after": after})).json()["next"] == after


async def test_an_entry_says_what_its_event_says_and_not_what_began_it(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    """CloudEvents with the schema's JSON; who raised a concern may stand in the correlation, which is left out."""
    event = disclosed(due_by=gateway.clock.now() - timedelta(hours=1))
    await tell(gateway, event)
    entry = (await client.get("/v1/inbox/1")).json()
    assert entry["event"]["data"] == event.model_dump(mode="json", by_alias=True)
    assert (entry["state"], entry["late"], entry["number"]) == ("unread", True, 1)
    assert set(entry["event"]) == {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}


@pytest.mark.parametrize("number", ["2", "0", "99999999999999999999999", "1"])
async def test_what_is_not_there_and_what_is_not_yours_look_alike(
    gateway: Gateway, client: httpx.AsyncClient, number: str
) -> None:
    """One answer, so that nothing can be guessed."""
    await tell(gateway, missed("la:826"))
    answer = await client.get(f"/v1/inbox/{number}")
    assert answer.status_code == 404
    assert answer.json() == {
        "type": "urn:safebus:problem:not-found", "title": "not found", "status": 404,
        "detail": "there is no such entry in your inbox",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/inbox", "/v1/inbox/1", "/v1/inbox/proof", "/v1/inbox/stream"])
async def test_the_inbox_needs_its_scope(client: httpx.AsyncClient, path: str) -> None:
    """A key for events alone reads nothing."""
    speak_for(client, "la:825", frozenset({"mash.contacts.v1"}))
    assert (await client.get(path)).status_code == 403


async def test_waiting_ends_as_soon_as_there_is_something(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Long poll: the answer comes with the entry, not with the time."""
    waiting = asyncio.create_task(client.get("/v1/inbox", params={"wait": 30}))
    await asyncio.sleep(0.2)
    await tell(gateway, missed("la:826"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await tell(gateway, missed("la:825"))
    page = (await asyncio.wait_for(waiting, 15)).json()
    assert [entry["number"] for entry in page["entries"]] == [1]


async def test_waiting_in_vain_ends_with_an_empty_page(client: httpx.AsyncClient) -> None:
    """And with the cursor to go on from."""
    page = (await client.get("/v1/inbox", params={"wait": 0.2})).json()
    assert (page["entries"], page["more"], page["next"]) == ([], False, f"{page['epoch']}.0")


@pytest.mark.parametrize(
    "params",
    [{"after": "7"}, {"after": "x.7"}, {"limit": 0}, {"limit": 1001}, {"wait": 31}, {"wait": "nan"}, {"limit": "x"}],
)
async def test_wrong_parameters_are_named(client: httpx.AsyncClient, params: dict[str, str]) -> None:
    """422 with the place of each, never its value."""
    answer = await client.get("/v1/inbox", params=params)
    assert answer.status_code == 422
    assert next(iter(params)) in answer.json()["errors"][0]["pointer"]


async def test_a_number_that_was_never_given_is_no_place_to_read_on_from(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    """Waiting there would miss everything that comes before it."""
    await tell(gateway, missed("la:825"))
    epoch = (await client.get("/v1/inbox")).json()["epoch"]
    for path in ("/v1/inbox", "/v1/inbox/stream"):
        answer = await client.get(path, params={"after": f"{epoch}.2"})
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:safebus:problem:invalid-cursor")


async def test_proof_counts_what_is_there(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Also of an inbox with nothing in it, and of one from which something is gone."""
    empty = (await client.get("/v1/inbox/proof")).json()
    assert (empty["count"], empty["first"], empty["last"]) == (0, None, None)
    await tell(gateway, *(missed("la:825") for _ in range(4)))
    await gateway.access.write(lambda c: c.execute(sa.text("delete from inbox_entry where number = 2")))
    found = (await client.get("/v1/inbox/proof")).json()
    assert (found["count"], found["first"], found["last"]) == (3, 1, 4)


# Receipts


async def test_a_receipt_names_who_read_and_is_given_once(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder
) -> None:
    """The same reading is the same receipt, word for word, whenever it is said again; another reader is another."""
    event = missed("la:825")
    await tell(gateway, event)
    first = await give(client, event.disclosure.id)
    again = await give(client, event.disclosure.id)
    other = await give(client, event.disclosure.id, practitioner="Sam Hill")
    assert [answer.status_code for answer in (first, again, other)] == [202] * 3
    one, same, another = postbox.receipts
    assert (one, one.envelope) == (same, same.envelope)
    assert first.json() == again.json()
    assert one.receipt_id != another.receipt_id
    assert (one.practitioner, one.role, one.child_id) == ("Jo Field", e.Role.LOCAL_AUTHORITY, "child-1")
    assert (one.envelope.source, one.envelope.id) == ("urn:safebus:la:825", one.receipt_id)
    assert first.headers["location"] == "/v1/inbox/1"


async def test_a_receipt_is_for_the_own_inbox_alone(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder
) -> None:
    """What another organisation was told and what nobody was told get the same answer."""
    event = missed("la:826")
    await tell(gateway, event)
    answers = [await give(client, event.disclosure.id), await give(client, NOBODYS)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()
    assert not postbox.receipts


async def test_h2_a_receipt_for_a_child_in_hiding_shows_nothing_of_who_was_told(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder
) -> None:
    """H2: a named person is asked for all the same, and remembered here alone: the event names nobody."""
    event = disclosed(location_confidential=True)
    await tell(gateway, event)
    assert (await give(client, event.disclosure.id, practitioner=" ")).status_code == 422
    assert (await give(client, event.disclosure.id)).status_code == 202
    (told,) = postbox.receipts
    said = f"{told.model_dump_json()} {told.envelope}"
    assert "Jo Field" not in said
    assert "la:825" not in said
    kept = await gateway.access.read(lambda c: c.execute(sa.select(receipt.c.practitioner)).scalars().all())
    assert kept == ["Jo Field"]


async def test_h3_the_content_opens_when_a_reader_has_declared_no_conflict(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder
) -> None:
    """H3: until then neither the content nor a receipt; each reader declares for themselves."""
    event = disclosed(declare_no_conflict=True)
    await tell(gateway, event)
    closed = (await client.get("/v1/inbox/1")).json()
    assert closed["withheld"] == "declare-no-conflict"
    assert "data" not in closed["event"]
    assert (await give(client, event.disclosure.id)).status_code == 409
    assert (await give(client, event.disclosure.id, no_conflict=True)).status_code == 202
    opened = (await client.get("/v1/inbox/1")).json()
    assert "withheld" not in opened
    assert opened["event"]["data"]["disclosure"]["id"] == str(event.disclosure.id)
    assert (await give(client, event.disclosure.id, state="ACTED")).status_code == 202
    assert (await give(client, event.disclosure.id, practitioner="Sam Hill")).status_code == 409


async def test_h11_acting_on_a_health_record_confirms_that_it_is_hidden(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder
) -> None:
    """H11: a named person says that the family cannot see it online; of anything else that is not asked."""
    health, other = record(), missed("practice:K82001")
    await tell(gateway, health, other)
    speak_for(client, "practice:K82001")
    acted = {"state": "ACTED"}
    assert (await give(client, health.disclosure.id, **acted)).status_code == 422
    assert (await give(client, health.disclosure.id, **acted, hidden_from_online_access=False)).status_code == 422
    assert (await give(client, health.disclosure.id, **acted, hidden_from_online_access=True)).status_code == 202
    assert (await give(client, other.disclosure.id, hidden_from_online_access=True)).status_code == 422
    assert [told.hidden_from_online_access for told in postbox.receipts] == [True]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"practitioner": None}, "practitioner"),
        ({"practitioner": ""}, "practitioner"),
        ({"practitioner": "la:825"}, "practitioner"),
        ({"state": "SEEN"}, "state"),
        ({"happened_at": "2999-01-01T00:00:00Z"}, "happened_at"),
        ({"happened_at": "2026-11-20T10:00:00"}, "happened_at"),
        ({"no_conflict": False}, "no_conflict"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_what_is_wrong_with_a_receipt_is_named(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder, said: dict[str, Any], pointer: str
) -> None:
    """422 by JSON pointer; a machine's fetching is no reading, so that somebody must be named."""
    event = missed("la:825")
    await tell(gateway, event)
    answer = await give(client, event.disclosure.id, **said)
    assert answer.status_code == 422
    assert pointer in answer.json()["errors"][0]["pointer"]
    assert not postbox.receipts


async def test_a_receipt_of_which_nothing_is_known_is_to_be_sent_again(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder
) -> None:
    """503: Kafka has not acknowledged it; the second try is the same receipt."""
    event = missed("la:825")
    await tell(gateway, event)
    postbox.state = "unknown"
    assert (await give(client, event.disclosure.id)).status_code == 503
    postbox.state = "repeated"
    assert (await give(client, event.disclosure.id)).status_code == 202
    assert postbox.receipts[0] == postbox.receipts[1]


async def test_a_receipt_reaches_kafka_and_marks_the_entry(
    at: Settings, gateway: Gateway, client: httpx.AsyncClient
) -> None:
    """Through the real postbox to the topic; what the loop then hears makes the entry read, and no more late."""
    event = disclosed(due_by=gateway.clock.now() + timedelta(hours=1))
    await tell(gateway, event)
    given = (await give(client, event.disclosure.id)).json()
    told = [one async for one in read_all("receipts.v1", "admin", at)]
    (mine,) = [one for one in told if isinstance(one, e.DisclosureRead) and one.receipt_id == given["receipt_id"]]
    await tell(gateway, mine)
    assert (await client.get("/v1/inbox/1")).json()["state"] == "read"
    row = await gateway.access.read(lambda c: reading.entry(c, "la:825", 1, gateway.now_us))
    assert row is not None
    assert not row.late
