"""Who may do what, asked of every route that there is: a new one is asked too, and denies until it is listed here."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from services.bus.catalogue import load
from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.who import Caller, caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.partners import identify, registry
from services.partner_gateway.person.site import SITE
from services.partner_gateway.person.visit import visited
from services.partner_gateway.tables import document, posted
from services.partner_gateway.webhooks import kept
from services.people import sessions
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.test_identify import BAD, CLIENT
from tests.partner_gateway.test_projection import missed
from tests.partner_gateway.tokens import NAME, issuing

HOST, OTHER, GONE = "school:990011", "school:990012", "school:990013"
"""Whose data is at stake; who tries to get it; who is a partner no more."""
TOPIC = "mash.contacts.v1"
EVERY = frozenset(load(Settings().catalogue).topics) | {"inbox", "sandbox"}
"""Every scope that there can be."""
TYPES = EVERY - {"inbox", "sandbox"}
SHA = "0" * 64
SECRET = "nobody-may-see-this"

Route = tuple[str, str]
PUBLIC: set[Route] = {
    ("GET", "/"),
    ("GET", "/static/look.css"),
    ("GET", "/static/inbox.css"),
    ("GET", "/sign-in"),
    ("GET", "/sign-in/start"),
    ("GET", "/sign-in/callback"),
    ("GET", "/sign-in/link/{token}"),
    ("GET", "/sign-in/link"),
    ("POST", "/sign-in/link"),
    ("GET", "/sign-out"),
    ("GET", "/signed-out"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/asyncapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/events"),
    ("GET", "/docs/static/{name}"),
}
"""What needs no proof: nothing there is anybody's."""

INBOX, WEBHOOK = frozenset({"inbox"}), "/v1/webhooks/{webhook_id}"
NEEDS: dict[Route, frozenset[str]] = {
    ("POST", "/v1/events/{topic}"): frozenset({TOPIC}),
    ("GET", "/v1/events/{topic}/{event_id:path}"): frozenset({TOPIC}),
    ("GET", "/v1/sent"): TYPES,
    ("GET", "/v1/inbox"): INBOX,
    ("GET", "/v1/inbox/proof"): INBOX,
    ("GET", "/v1/inbox/{number:int}"): INBOX,
    ("GET", "/v1/inbox/stream"): INBOX,
    ("POST", "/v1/receipts"): frozenset({"receipts.v1"}),
    ("GET", "/v1/webhooks"): INBOX,
    ("POST", "/v1/webhooks"): INBOX,
    ("GET", WEBHOOK): INBOX,
    ("DELETE", WEBHOOK): INBOX,
    ("GET", WEBHOOK + "/deliveries"): INBOX,
    ("POST", WEBHOOK + "/deliveries/{notice}/resend"): INBOX,
    ("POST", WEBHOOK + "/rotate-secret"): INBOX,
    ("POST", WEBHOOK + "/recover"): INBOX,
    ("POST", "/v1/documents"): TYPES,
    ("GET", "/v1/documents/{sha256}"): INBOX,
    ("POST", "/v1/sandbox/event"): frozenset({"sandbox"}),
}
"""For each route of a system, the scopes of which it needs one."""

BODIES: dict[Route, Any] = {
    ("POST", "/v1/receipts"): {"disclosure_id": str(uuid4()), "state": "READ", "practitioner": "R. Ashdown"},
    ("POST", "/v1/webhooks"): {"url": "https://example.org/hook"},
    ("POST", WEBHOOK + "/recover"): {"after": "00000000.0"},
}
VALUES = {"topic": TOPIC, "event_id": "e-1", "webhook_id": "wh_0", "notice": "1"}
VALUES |= {"sha256": SHA, "number": "1", "token": "t", "name": "n", "rest": "read"}


def walk(routes: Iterable[Any]) -> Iterator[Any]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from walk(inner.routes) if inner is not None else [route]


def dependencies(dependant: Any) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from dependencies(each)


def routes_of(app: FastAPI) -> dict[Route, set[Any]]:
    """Every route of the application, with what it depends on."""
    return {
        (method, route.path): set(dependencies(route.dependant)) if hasattr(route, "dependant") else set()
        for route in walk(app.routes)
        for method in route.methods
    }


def address(path: str, **values: str) -> str:
    """The route's path with these values, or any, in their places."""
    return re.sub(r"{(\w+)(?::\w+)?}", lambda match: (VALUES | values)[match[1]], path)


@pytest.fixture
def at(at: Settings) -> Iterator[Settings]:
    """As the package's, with an issuer of tokens, and no limit to how often these tests may ask."""
    with issuing() as issuer:
        more = {"jwt_issuer": NAME, "jwks_url": issuer.url, "gateway_rate": 1e6, "gateway_burst": 10**6}
        yield at.model_copy(update=more | {"webhook_allow": "example.org"})


@pytest.fixture
def app(gateway: Gateway) -> FastAPI:
    return application(gateway)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://gateway.test"
    ) as made:
        yield made


@pytest.fixture
def keys(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Keys of each, with every scope; and keys that are no good."""
    monkeypatch.setattr(identify, "KEPT", 0.0)
    now_us = gateway.now_us

    def make(connection: sa.Connection) -> dict[str, str]:
        for organisation in (HOST, OTHER, GONE):
            registry.add_partner(connection, organisation, "agency", now_us=now_us, sandbox=True)
        registry.add_client(connection, CLIENT, OTHER, EVERY)

        def key(of: str, *, now_us: int = now_us) -> str:
            return registry.add_key(connection, of, EVERY, now_us=now_us)

        made = {"host": key(HOST), "other": key(OTHER), "revoked": key(OTHER), "closed": key(GONE)}
        made["expired"] = key(OTHER, now_us=now_us - 366 * registry.DAY_US)
        registry.revoke(connection, made["revoked"].split("_")[1], now_us=now_us)
        registry.close_partner(connection, GONE, now_us=now_us)
        return made

    return gateway.access.run(make)


# --- no proof ---------------------------------------------------------------------------------------------------------


def test_every_route_asks_who_is_there_or_is_public_on_purpose(app: FastAPI) -> None:
    """Deny by default: a route that is forgotten here, or that forgets to ask, fails."""
    found = routes_of(app)
    asks = {route for route, on in found.items() if caller in on}
    pages = {route for route, on in found.items() if visited in on}
    assert set(found) - asks - pages == PUBLIC
    assert asks == set(NEEDS)


def proofs(keys: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Headers that prove nothing."""
    good = keys["other"]
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    tokens = {"revoked": keys["revoked"], "closed": keys["closed"], "expired": keys["expired"], "wrong secret": wrong}
    tokens |= {why: token for why, token in BAD.items() if token.isascii() and token.isprintable()}
    said = {why: [("Authorization", f"Bearer {token}")] for why, token in tokens.items()}
    return said | {
        "nothing": [],
        "empty": [("Authorization", "")],
        "no token": [("Authorization", "Bearer")],
        "blank token": [("Authorization", "Bearer  ")],
        "Basic": [("Authorization", f"Basic {good}")],
        "no scheme": [("Authorization", good)],
        "twice the same": [("Authorization", f"Bearer {good}")] * 2,
        "two, the first good": [("Authorization", f"Bearer {good}"), ("Authorization", "Bearer x")],
        "two, the last good": [("Authorization", "Bearer x"), ("Authorization", f"Bearer {good}")],
        "two in one": [("Authorization", f"Bearer {good}, Bearer {good}")],
        "another header": [("X-API-Key", good), ("X-Forwarded-User", OTHER)],
        "a cookie": [("Cookie", f"safebus={good}; Authorization=Bearer {good}")],
    }


async def test_without_a_good_proof_every_route_gives_the_same_401(
    client: httpx.AsyncClient, keys: dict[str, str]
) -> None:
    """Expired, revoked, forged, of a closed partner, or none at all: nobody learns which, nor what there is."""
    answers = set()
    for why, headers in proofs(keys).items():
        for route in NEEDS if why in ("nothing", "wrong secret", "alg none", "twice the same") else list(NEEDS)[:2]:
            method, path = route
            answer = await client.request(method, address(path), headers=headers, json=BODIES.get(route))
            assert answer.status_code == 401, (why, route, answer.text)
            said = {name: value for name, value in answer.headers.items() if name != "content-length"}
            answers.add((answer.text, json.dumps(said, sort_keys=True)))
    assert len(answers) == 1
    assert "Bearer" in answers.pop()[1]


async def test_a_key_in_the_address_proves_nothing(client: httpx.AsyncClient, keys: dict[str, str]) -> None:
    """Addresses stand in logs and histories."""
    for name in ("access_token", "key", "token", "api_key", "authorization"):
        answer = await client.get("/v1/inbox", params={name: keys["other"]})
        assert answer.status_code == 401


async def test_every_page_sends_whoever_is_not_signed_in_to_sign_in(
    app: FastAPI, client: httpx.AsyncClient, keys: dict[str, str]
) -> None:
    """Also whoever has a system's key: a system is not a person."""
    for (method, path), on in routes_of(app).items():
        if visited in on:
            for headers in ({}, {"Authorization": f"Bearer {keys['other']}"}, {"Cookie": "safebus=x"}):
                answer = await client.request(method, address(path), headers=headers)
                assert answer.status_code == 303, (path, headers)
                assert urlsplit(answer.headers["location"]).path == "/sign-in"


# --- scopes -----------------------------------------------------------------------------------------------------------


async def test_without_its_scope_every_route_gives_403(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Even with all the others."""
    for route, needed in NEEDS.items():
        app.dependency_overrides[caller] = lambda needed=needed: Caller(OTHER, EVERY - needed, "key test")
        answer = await client.request(route[0], address(route[1]), params={"source": "x"}, json=BODIES.get(route))
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:safebus:problem:not-allowed"), route


async def test_an_agency_posts_what_its_principal_may_and_nothing_else(app: FastAPI, client: httpx.AsyncClient) -> None:
    """A school cannot speak as the police, nor any partner as a service: each event type, for each agency."""
    catalogue = load(Settings().catalogue)
    for acts_as in ("agency", "police", "local-authority", "importer"):
        may = registry.scopes_of(acts_as, catalogue)
        app.dependency_overrides[caller] = lambda may=may: Caller(OTHER, may, "key test")
        for name, topic in catalogue.topics.items():
            answer = await client.post(f"/v1/events/{name}", json={})
            allowed = acts_as in topic.written_by and registry.DOOR in topic.written_by
            assert (answer.status_code != 403) == allowed, (acts_as, name)


# --- another's ids ----------------------------------------------------------------------------------------------------


async def _host_has(gateway: Gateway) -> dict[str, str]:
    """One of each thing that has an id, the host's; what the routes call them."""
    told = [missed(HOST).model_copy(update={"child_id": f"child-{SECRET}"}) for _ in range(3)]
    await tell(gateway, *told, missed(OTHER))
    now_us = gateway.now_us

    def make(connection: sa.Connection) -> str:
        of, _ = kept.add(connection, HOST, f"https://example.org/{SECRET}", now_us=now_us)
        connection.execute(
            posted.insert(),
            {"source": f"urn:safebus:{HOST}", "event_id": "event-host", "organisation": HOST, "type": TOPIC,
             "digest": b"x" * 16, "at_us": now_us, "acknowledged": True},
        )  # fmt: skip
        connection.execute(
            document.insert(),
            {"sha256": "a" * 64, "organisation": HOST, "size": 1, "media_type": "application/pdf",
             "location": SECRET, "at_us": now_us},
        )  # fmt: skip
        return of.webhook_id

    webhook_id = await gateway.access.write(make)
    return {"webhook_id": webhook_id, "disclosure_id": str(told[2].disclosure.id)}


async def test_anothers_id_is_answered_as_one_that_nobody_has(
    gateway: Gateway, client: httpx.AsyncClient, keys: dict[str, str]
) -> None:
    """Whatever route names a thing: the same status, the same body, no way to tell them apart."""
    has = await _host_has(gateway)
    epoch = await gateway.access.read(reading.epoch)
    hook, source = {"webhook_id": has["webhook_id"]}, {"source": f"urn:safebus:{HOST}"}
    no_hook = {"webhook_id": "wh_" + "0" * 24}
    pairs: dict[Route, tuple[dict[str, str], dict[str, str]]] = {
        ("GET", "/v1/events/{topic}/{event_id:path}"): ({"event_id": "event-host"}, {"event_id": "none"}),
        ("GET", "/v1/inbox/{number:int}"): ({"number": "3"}, {"number": "99"}),
        ("GET", "/v1/documents/{sha256}"): ({"sha256": "a" * 64}, {"sha256": "b" * 64}),
        ("GET", WEBHOOK): (hook, no_hook),
        ("GET", WEBHOOK + "/deliveries"): (hook, no_hook),
        ("POST", WEBHOOK + "/deliveries/{notice}/resend"): (hook, no_hook),
        ("POST", WEBHOOK + "/rotate-secret"): (hook, no_hook),
        ("POST", WEBHOOK + "/recover"): (hook, no_hook),
        ("DELETE", WEBHOOK): (hook, no_hook),
    }
    assert set(pairs) == {route for route in NEEDS if "{" in route[1]} - {("POST", "/v1/events/{topic}")}
    bodies = BODIES | {("POST", WEBHOOK + "/recover"): {"after": f"{epoch}.0"}}

    async def ask(route: Route, values: dict[str, str], key: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {keys[key]}"}
        url = address(route[1], **values)
        return await client.request(route[0], url, params=source, headers=headers, json=bodies.get(route))

    for route, (theirs, nobodys) in pairs.items():
        foreign, unknown = await ask(route, theirs, "other"), await ask(route, nobodys, "other")
        assert foreign.status_code == unknown.status_code == 404, (route, foreign.text)
        assert foreign.content == unknown.content
        assert sorted(foreign.headers.items()) == sorted(unknown.headers.items())
    for route in (("GET", WEBHOOK), ("GET", "/v1/inbox/{number:int}"), ("GET", "/v1/events/{topic}/{event_id:path}")):
        assert (await ask(route, pairs[route][0], "host")).status_code == 200, "the host itself has it, still"


async def test_no_receipt_for_anothers_disclosure_and_no_event_in_anothers_name(
    gateway: Gateway, client: httpx.AsyncClient, keys: dict[str, str]
) -> None:
    """A disclosure in another's inbox is as unknown as none; another's source is refused whoever that is."""
    has = await _host_has(gateway)
    headers = {"Authorization": f"Bearer {keys['other']}"}
    said = BODIES["POST", "/v1/receipts"]
    foreign = await client.post("/v1/receipts", json=said | {"disclosure_id": has["disclosure_id"]}, headers=headers)
    unknown = await client.post("/v1/receipts", json=said | {"disclosure_id": str(uuid4())}, headers=headers)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    answers = set()
    for source in (HOST, "school:999999", f"{OTHER}5", f"{OTHER}/../{HOST}"[::-1]):
        event = {"specversion": "1.0", "id": "1", "source": f"urn:safebus:{source}", "type": TOPIC, "data": {}}
        answer = await client.post(
            f"/v1/events/{TOPIC}", content=json.dumps(event),
            headers=headers | {"Content-Type": "application/cloudevents+json"},
        )  # fmt: skip
        answers.add((answer.status_code, answer.json()["type"]))
    assert answers == {(403, "urn:safebus:problem:wrong-source")}


async def test_what_has_no_id_in_its_address_shows_the_callers_own_alone(
    gateway: Gateway, client: httpx.AsyncClient, keys: dict[str, str]
) -> None:
    """Lists, pages and proofs: nothing of the host's in any of them."""
    await _host_has(gateway)
    headers = {"Authorization": f"Bearer {keys['other']}"}
    for path in ("/v1/inbox", "/v1/inbox/proof", "/v1/sent", "/v1/webhooks"):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 200
        assert SECRET not in answer.text
        assert HOST not in answer.text
        assert "event-host" not in answer.text
    assert (await client.get("/v1/inbox/proof", headers=headers)).json()["count"] == 1


async def test_a_persons_page_of_anothers_entry_is_that_of_none(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Also for people: the same page, to the letter."""
    now_us = gateway.now_us

    def make(connection: sa.Connection) -> str:
        for organisation in (HOST, OTHER):
            registry.add_partner(connection, organisation, "agency", now_us=now_us)
        person = registry.add_person(connection, OTHER, "P. Lindqvist", "deputy")
        return sessions.begin(SITE, connection, gateway.settings, person, now_us, None)

    cookie = await gateway.access.write(make)
    await _host_has(gateway)
    client.cookies.set(sessions.cookie_name(SITE, gateway.settings), cookie)
    for path in ("/inbox/{}", "/inbox/{}/document", "/inbox/{}/recorded"):
        foreign, unknown = await client.get(path.format(3)), await client.get(path.format(99))
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.text == unknown.text
    assert (await client.get("/inbox/1")).status_code == 200
