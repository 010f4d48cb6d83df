"""No request and no tick reads more of the database than it is about, however many years a county's inboxes go back."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from services.bus.settings import Settings
from services.partner_gateway import numbers
from services.partner_gateway.door import once
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox import tables as inbox
from services.partner_gateway.notices import turns
from services.partner_gateway.partners import identify, registry
from services.partner_gateway.recipients import standing
from services.partner_gateway.tables import metadata, webhook
from services.partner_gateway.webhooks import deliveries, kept, late
from services.web.egress import Outcome
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.house import post, request
from tests.partner_gateway.people import NOW, SCHOOL, signed_in
from tests.plans import plans

COUNCIL = "la:825"
SMALL = {
    "partner", "person", "token_client", "api_key", "webhook", "webhook_former_secret", "mail_notice", "session",
    "inbox_epoch", "inbox_counter",
}  # fmt: skip
"""Tables with as many rows as there are partners, their people, systems and keys: not more with each event."""

GROWING = {table.name for each in (metadata, inbox.metadata) for table in each.sorted_tables} - SMALL
TOO_MUCH = re.compile(
    r"""
    SCAN\ (\w+)
    | USE\ TEMP\ B-TREE\ FOR\ ORDER\ BY,\ by.*?FROM\ (\w+).*LIMIT  # of many, to give a few
    | SEARCH\ (\w+)\ USING\ [^(]*\((?:organisation|webhook_id)=\?\),\ by\ SELECT(?!.*LIMIT)  # all that is somebody's
    """,
    re.DOTALL | re.VERBOSE,
)
COUNTED = "SELECT count(inbox_entry.urgency)"
"""The proof of an inbox, which is to count its entries one by one."""

FAR = 1 << 60
DOWN, UP = Outcome(None, "no connection: refused or unreachable"), Outcome(204, "taken")


@pytest.fixture
def at(stack: Settings, tmp_path: Path) -> Settings:
    """A gateway whose clock stands at NOW."""
    (tmp_path / "clock").write_text(NOW.isoformat())
    return stack.model_copy(update={"data_dir": tmp_path, "gateway_port": 0, "clock_file": tmp_path / "clock"})


def too_much(found: list[str]) -> list[str]:
    """Steps that go through all the rows of a table that grows, or all of one owner's, or sort what they found."""
    assert any(step.startswith("SEARCH") for step in found)
    wrong = [step for step in found if (it := TOO_MUCH.match(step)) and {*it.groups()} & GROWING]
    return [step for step in wrong if COUNTED not in step]


async def system(gateway: Gateway, organisation: str, acts_as: str) -> dict[str, str]:
    """The headers of a partner's own system."""

    def add(connection: sa.Connection) -> str:
        if all(row.organisation != organisation for row in registry.partners(connection)):
            registry.add_partner(connection, organisation, acts_as, now_us=gateway.now_us)
        scopes = registry.scopes_of(acts_as, gateway.catalogue)
        return registry.add_key(connection, organisation, scopes, now_us=gateway.now_us)

    return {"Authorization": f"Bearer {await gateway.access.write(add)}"}


async def test_a_system_is_answered_by_indexes(
    gateway: Gateway, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it posts, sends, asks and changes, by every route that there is for it."""
    monkeypatch.setattr(identify, "KEPT", 0.0)
    school, council = await system(gateway, SCHOOL, "agency"), await system(gateway, COUNCIL, "local-authority")
    told = [people.alert(), people.minutes(release="FULL", document=None, declare_no_conflict=True)]
    with plans(gateway.access.engine) as found:
        await tell(gateway, *told, people.done(told[0]))
        client.headers.update(council)
        event = request(SCHOOL)
        assert [(await post(client, event)).status_code for _ in range(2)] == [202, 202]
        too_large = request(SCHOOL)
        too_large["data"]["enquiry_id"] = "e" * 1_000_000
        assert (await post(client, too_large)).status_code in (413, 422)
        await _get(client, f"/v1/events/{event['type']}/{event['id']}", source=event["source"])
        for query in ({}, {"late": "true"}, {"after": (await client.get("/v1/sent")).json()["next"]}):
            await _get(client, "/v1/sent", **query)
        pdf = {"Content-Type": "application/pdf"}
        document = await client.post("/v1/documents", content=b"%PDF-1.7\n%%EOF\n", headers=pdf)
        await _get(client, document.json()["location"])
        client.headers.update(school)
        await client.get(document.json()["location"])
        page = (await client.get("/v1/inbox")).json()
        await _get(client, "/v1/inbox", after=page["next"])
        await _get(client, "/v1/inbox/1")
        await _get(client, "/v1/inbox/proof")
        for entry in page["entries"]:
            read = {"disclosure_id": entry["disclosure_id"], "state": "READ", "practitioner": "R. Ashdown"}
            assert (await client.post("/v1/receipts", json=read | {"no_conflict": True})).status_code == 202
        hook = f"/v1/webhooks/{(await client.post('/v1/webhooks', json={'url': 'http://localhost:1/'})).json()['id']}"
        await tell(gateway, people.outcome())
        await _get(client, "/v1/webhooks")
        assert (await client.post(f"{hook}/recover", json={"after": page["next"][:9] + "0"})).status_code == 202
        await gateway.access.write(
            lambda c: deliveries.make(c, hook.rpartition("/")[2], now_us=gateway.now_us, until_us=FAR)
        )
        for query in ({}, {"state": "given-up"}, {"before": "1"}):
            await _get(client, f"{hook}/deliveries", **query)
        for what in ("deliveries/1/resend", "rotate-secret"):
            assert (await client.post(f"{hook}/{what}")).status_code in (201, 202)
        assert (await client.delete(hook)).status_code == 204
    assert too_much(found) == []


async def _get(client: httpx.AsyncClient, path: str, **query: str) -> None:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text


async def test_a_person_is_answered_by_indexes(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Every page of the inbox, and every form."""
    told = [people.outcome(), people.alert(declare_no_conflict=True), people.notified(SCHOOL)]
    await tell(gateway, *told)
    with plans(gateway.access.engine) as found:
        csrf = await signed_in(gateway, client)
        for path, form in (
            ("/inbox", None), ("/inbox?page=2", None), ("/inbox/finished", None), ("/inbox/finished?before=9", None),
            ("/inbox/1", None), ("/inbox/1/read", {}), ("/inbox/1/acted", {}), ("/inbox/1/recorded", None),
            ("/inbox/2", None), ("/inbox/2/conflict", {"conflict": "no"}), ("/inbox/3", None),
            ("/sign-out", {}),
        ):  # fmt: skip
            answer = await (client.get(path) if form is None else client.post(path, data={"csrf": csrf} | form))
            assert answer.status_code in (200, 303), (path, answer.text)
    assert too_much(found) == []


async def test_ticks_go_by_indexes(gateway: Gateway) -> None:
    """What a gateway does by itself, over and over: webhooks, what is late, e-mails, figures, and forgetting."""
    now_us = gateway.now_us
    await system(gateway, SCHOOL, "agency")
    person_id = await gateway.access.write(lambda c: registry.add_person(c, SCHOOL, "Ines", "Lead", email="i@s.test"))

    def webhooks(connection: sa.Connection) -> None:
        of, _secret = kept.add(connection, SCHOOL, "http://localhost:1/", now_us=now_us)
        connection.execute(webhook.update().values(next_number=1))
        assert deliveries.behind(connection) == [of.webhook_id]
        deliveries.make(connection, of.webhook_id, now_us=now_us, until_us=FAR)
        assert deliveries.due(connection, now_us=now_us, limit=9) == [of.webhook_id]
        turn = deliveries.take(connection, of.webhook_id, "me", now_us=now_us)
        for outcome in (DOWN, DOWN, UP):
            assert turn
            turn = deliveries.record(connection, turn, outcome, now_us=now_us, go_on=True)
        late.to_tell(connection, now_us=now_us)
        late.make(connection, of.webhook_id, now_us=now_us, until_us=FAR)
        deliveries.make(connection, of.webhook_id, now_us=now_us, until_us=FAR)

    with plans(gateway.access.engine) as found:
        await tell(gateway, *(people.outcome(due_in=timedelta(hours=n)) for n in range(1, 5)))
        await gateway.access.write(webhooks)
        [who] = await gateway.access.read(partial(turns.candidates, every_us=0, now_us=now_us, limit=9))
        assert who.person_id == person_id
        waits = await gateway.access.read(partial(turns.waiting, who=who, now_us=now_us))
        await gateway.access.write(partial(turns.pass_over, who=who, waits=waits, now_us=now_us))
        await gateway.access.read(numbers._read)
        await gateway.access.write(partial(once.forget, before_us=1, most=9))
    assert too_much(found) == []


async def test_operators_figures_go_by_indexes(gateway: Gateway) -> None:
    """How much waits for whom, and whose webhook fails since when: asked every few seconds."""
    await tell(gateway, people.outcome())
    await system(gateway, SCHOOL, "agency")
    await gateway.access.write(lambda c: kept.add(c, SCHOOL, "http://localhost:1/", now_us=1))
    await gateway.access.write(lambda c: c.execute(webhook.update().values(failing=1)))

    with plans(gateway.access.engine) as found:
        assert [one["unread"] for one in await gateway.access.read(partial(standing, now_us=gateway.now_us))] == [1]
    assert too_much(found) == []
