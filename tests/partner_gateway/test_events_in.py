"""POST /v1/events/{type}: what a partner's developer meets at the door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import Request

from services.bus.codec import event_types
from services.bus.envelope import Event
from services.bus.errors import Surroundings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.posting import Posted
from services.partner_gateway.door.who import Caller, caller
from tests.partner_gateway.samples import CONTACTS, DECISIONS, OTHER, SCHOOL, contact, event, text
from tests.partner_gateway.test_posting import on_kafka

EVENTS = f"/v1/events/{CONTACTS}"
WHOLE = {"content-type": "application/cloudevents+json", "x-as": SCHOOL}
MANY = {"content-type": "application/cloudevents-batch+json; charset=utf-8", "x-as": SCHOOL}


def anybody(request: Request) -> Caller:
    """Whoever the request says: how one proves it is another test's."""
    scopes = frozenset({*event_types(), "inbox"} - {DECISIONS})
    return Caller(request.headers["x-as"], scopes, "key test")


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Calls as the organisation of the header `x-as`, which may post all but decisions."""
    app = application(gateway)
    app.dependency_overrides[caller] = anybody
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as made:
        yield made


async def test_an_event_is_accepted_and_a_repeat_hears_the_same(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """202 with its location, word for word again; another content under its id is 409."""
    said = event()
    first = await client.post(EVENTS, content=text(said), headers=WHOLE)
    again = await client.post(EVENTS, content=text(said), headers=WHOLE)
    other = await client.post(EVENTS, content=text(said | {"data": contact(concern="x")}), headers=WHOLE)
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 409)
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"] == first.json()["location"]
    assert first.json().items() >= {"id": said["id"], "source": said["source"], "type": CONTACTS}.items()
    assert other.json()["type"] == "urn:safebus:problem:id-reused"
    assert other.headers["content-type"] == "application/problem+json"
    assert (await client.get(first.headers["location"], headers=WHOLE)).json()["state"] == "accepted"
    assert len(await on_kafka(gateway.settings, [said["id"]])) == 1


async def test_binary_mode_is_taken(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """CloudEvents' HTTP binding: attributes as headers, percent-encoded; the body is the content."""
    own = f"é/{uuid4()}"
    headers = {
        "content-type": "application/json", "x-as": SCHOOL, "ce-specversion": "1.0", "ce-type": CONTACTS,
        "ce-source": f"urn:safebus:{SCHOOL}", "ce-id": own.replace("é", "%C3%A9"),
    }  # fmt: skip
    answer = await client.post(EVENTS, content=text(contact()), headers=headers)
    assert (answer.status_code, answer.json()["id"]) == (202, own)
    assert len(await on_kafka(gateway.settings, [own])) == 1


@pytest.mark.parametrize(
    "own", ["a/b", "a b", "ü", "%2e%2e", "?x=1", "#", "a/../b", "...", "~", "\N{OWL}", "a&source=x"]
)
async def test_a_location_leads_to_its_event_whatever_the_id(client: httpx.AsyncClient, own: str) -> None:
    """Path tricks in an id are letters like any other."""
    said = event(id=own + str(uuid4())[:8] if own[0] not in ".#" else own)
    location = (await client.post(EVENTS, content=text(said), headers=WHOLE)).headers["location"]
    found = await client.get(location, headers=WHOLE)
    assert (found.status_code, found.json()["id"]) == (200, said["id"])


async def test_a_foreign_event_is_as_unknown_as_none(client: httpx.AsyncClient) -> None:
    """One organisation cannot find out which ids another has used, neither by asking nor by posting."""
    own = str(uuid4())
    posted = await client.post(EVENTS, content=text(event(id=own)), headers=WHOLE)
    as_other = WHOLE | {"x-as": OTHER}
    foreign = await client.get(posted.headers["location"], headers=as_other)
    nobodys = await client.get(posted.headers["location"].replace(own, str(uuid4())), headers=as_other)
    assert foreign.status_code == nobodys.status_code == 404
    assert foreign.content == nobodys.content
    same_id = await client.post(EVENTS, content=text(event(id=own, organisation=OTHER)), headers=as_other)
    assert same_id.status_code == 202
    stolen = await client.post(EVENTS, content=text(event(id=own)), headers=as_other)
    assert (stolen.status_code, stolen.json()["type"]) == (403, "urn:safebus:problem:wrong-source")


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        (EVENTS, {"content-type": "text/plain"}, 415, "unsupported-media-type"),
        (EVENTS, {"content-type": "application/cloudevents+json; charset=utf-16"}, 415, "unsupported-media-type"),
        (EVENTS, {"content-encoding": "gzip"}, 415, "unsupported-media-type"),
        (EVENTS, {"content-type": "application/cloudevents-batch+json"}, 400, "malformed-json"),
        ("/v1/events/no.such.v1", {}, 404, "unknown-type"),
        ("/v1/events/..%2f..%2fetc", {}, 405, "method-not-allowed"),
        (f"/v1/events/{DECISIONS}", {}, 403, "not-allowed"),
        ("/v1/events/receipts.v1", {}, 403, "not-here"),
    ],
)
async def test_what_is_no_event_of_ones_own_is_refused(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    """Each with its own clear answer."""
    answer = await client.post(path, content=text(event()), headers=WHOLE | headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:safebus:problem:{code}")


async def test_one_bad_record_never_holds_back_a_nights_alerts(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """A batch: each item has its own result, in order, and all that are sound are taken."""
    good, again = event(), event()
    await client.post(EVENTS, content=text(again), headers=WHOLE)
    items = [
        good, 7, event(source=f"urn:safebus:{OTHER}"), event(data=contact(grading=None)),
        again, again | {"data": contact(concern="x")}, good, event(id="x" * 1000),
        event(data=contact(child_id="c" * 2000)),
    ]  # fmt: skip
    answer = await client.post(EVENTS, content=text(items), headers=MANY)
    results = answer.json()["results"]
    assert answer.status_code == 207
    assert [result["status"] for result in results] == [202, 422, 403, 422, 202, 409, 202, 422, 422]
    assert [result["index"] for result in results] == list(range(9))
    assert [result["id"] for result in results[:2]] == [good["id"], None]
    assert results[3]["problem"]["errors"] == [
        {"pointer": "#/data/grading", "detail": "must be 'UNKNOWN', 'RED', 'AMBER' or 'GREEN'"}
    ]
    assert len(await on_kafka(gateway.settings, [good["id"], again["id"]])) == 2
    nothing = await client.post(EVENTS, content=b"[]", headers=MANY)
    assert (nothing.status_code, nothing.json()) == (207, {"results": []})
    assert (await client.post(EVENTS, content=text([7] * 1001), headers=MANY)).status_code == 413


class Troubled:
    """A postbox whose broker is in trouble: nobody knows, or nothing is tried."""

    def __init__(self, *, unknown: bool) -> None:
        self._unknown = unknown

    async def post(self, events: Sequence[Event], organisation: str) -> list[Posted]:
        if not self._unknown:
            raise Surroundings("the broker is away")
        return [Posted(one.envelope.id, one.envelope.source, "unknown") for one in events]


@pytest.mark.parametrize("unknown", [True, False])
async def test_a_timeout_says_try_again_with_the_same_id(
    client: httpx.AsyncClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, unknown: bool
) -> None:
    """503 with Retry-After; in a batch, for each item that nothing is known of."""
    monkeypatch.setattr(gateway, "postbox", Troubled(unknown=unknown))
    answer = await client.post(EVENTS, content=text(event()), headers=WHOLE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "same id" in answer.json()["detail"]
    many: Any = await client.post(EVENTS, content=text([event(), 7]), headers=MANY)
    if unknown:
        assert [result["status"] for result in many.json()["results"]] == [503, 422]
    else:
        assert many.status_code == 503
