"""Webhooks: a bell that rings at least once, under one id, in order while the endpoint is well, and never for ever."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.bus import events as e
from services.bus.clock import Clock
from services.bus.envelope import Envelope
from services.bus.settings import Settings
from services.client.webhooks import verify_webhook
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for
from services.partner_gateway.door.who import Caller, caller
from services.partner_gateway.inbox import reading, tables
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.partners.registry import add_partner, close_partner
from services.partner_gateway.tables import posted, webhook
from services.partner_gateway.webhooks import kept, pace, sender
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.test_projection import missed
from tests.partner_gateway.webhook_endpoint import TAKEN, Endpoint, Received, answer, endpoint, status

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ME, OTHER = "la:825", "la:826"


@pytest.fixture
def at(at: Settings, tmp_path: Path) -> Settings:
    """With a clock that the test steps."""
    stepped = at.model_copy(update={"clock_file": tmp_path / "clock"})
    Clock.of(stepped).step(MONDAY)
    return stepped


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender looks more often: what is not to come does not come sooner either."""
    monkeypatch.setattr(sender, "POLL", 0.2)


@pytest.fixture
async def partners(gateway: Gateway) -> None:
    """Two of them."""
    await add_partners(gateway)


@pytest.fixture
async def api(client: httpx.AsyncClient, partners: None) -> httpx.AsyncClient:
    """Calls as `la:825`."""
    become(client, ME)
    return client


async def add_partners(gateway: Gateway) -> None:
    for organisation in (ME, OTHER):
        await gateway.access.write(
            lambda c, o=organisation: add_partner(c, o, "local-authority", now_us=gateway.now_us)  # type: ignore[misc]
        )


def become(client: httpx.AsyncClient, organisation: str, *scopes: str) -> None:
    who = Caller(organisation, frozenset(scopes or {"inbox"}), "key test")
    client._transport.app.dependency_overrides[caller] = lambda: who  # type: ignore[attr-defined]


async def hook(api: httpx.AsyncClient, there: Endpoint) -> dict[str, Any]:
    """A webhook to that endpoint."""
    made = await api.post("/v1/webhooks", json={"url": there.url})
    assert made.status_code == 201, made.text
    return made.json()  # type: ignore[no-any-return]


async def deliveries(api: httpx.AsyncClient, made: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    found = await api.get(f"/v1/webhooks/{made['id']}/deliveries", params=query)
    assert found.status_code == 200, found.text
    return found.json()["deliveries"]  # type: ignore[no-any-return]


async def state(api: httpx.AsyncClient, made: dict[str, Any]) -> dict[str, Any]:
    return (await api.get(f"/v1/webhooks/{made['id']}")).json()  # type: ignore[no-any-return]


async def until(true: Callable[[], Any]) -> None:
    """Wait, as long as it takes, within reason."""
    async with asyncio.timeout(20):
        while True:
            found = true()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


def step(gateway: Gateway, **by: float) -> None:
    """Let time pass on the installation's clock."""
    gateway.clock.step(gateway.clock.now() + timedelta(**by))
    INBOXES.committed()


async def epoch_of(gateway: Gateway) -> str:
    return await gateway.access.read(reading.epoch)


async def quiet(there: Endpoint) -> None:
    """Until nothing has come in for longer than the sender's own pause."""
    count = -1
    while count != len(there.received):
        count = len(there.received)
        await asyncio.sleep(3 * sender.POLL)


# --- what is sent


async def test_a_notice_is_signed_and_says_only_where_to_look(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """H10: no child's data in the body, only number and kind. Standard Webhooks, by its own library."""
    async with endpoint() as there:
        made = await hook(api, there)
        await tell(gateway, missed(ME), missed(OTHER))
        await until(lambda: there.received)
        [received] = there.received
    said = verify_webhook(received.headers, received.body, made["secret"])
    cursor = f"{await epoch_of(gateway)}.1"
    data = {"cursor": cursor, "number": 1, "kind": "deadlines.missed.v1"}
    assert said == {"type": "inbox.entry", "timestamp": "2026-11-23T09:00:00Z", "data": data}
    assert received.id == cursor
    assert abs(int(received.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60


async def test_the_secret_is_shown_once(api: httpx.AsyncClient) -> None:
    """Whoever sees the list later cannot forge notices."""
    async with endpoint() as there:
        made = await hook(api, there)
    assert made["secret"].startswith("whsec_")
    assert made["secret"] not in (await api.get("/v1/webhooks")).text
    assert "secret" not in await state(api, made)


async def test_only_entries_from_now_on(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """A new webhook is not flooded with what is old."""
    await tell(gateway, missed(ME), missed(ME))
    async with endpoint() as there:
        await hook(api, there)
        await tell(gateway, missed(ME))
        await until(lambda: there.received)
    assert there.ids == [f"{await epoch_of(gateway)}.3"]


async def test_in_order_and_one_at_a_time(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """While the endpoint is well, its notices come in order of number; more than one turn of them."""
    count = sender.TURN + 10
    async with endpoint() as there:
        await hook(api, there)
        await tell(gateway, *(missed(ME) for _ in range(count)))
        await until(lambda: len(there.received) == count)
    epoch = await epoch_of(gateway)
    assert there.ids == [f"{epoch}.{n}" for n in range(1, count + 1)]
    assert there.most_at_once == 1


# --- what fails


async def test_one_failing_notice_does_not_hide_the_others(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """It steps aside and comes again in its own time, under the same id."""
    bad = True

    async def behave(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(status(500) if bad and request.id.endswith(".2") else TAKEN)

    async with endpoint(behave) as there:
        made = await hook(api, there)
        await tell(gateway, *(missed(ME) for _ in range(5)))
        await until(lambda: len(there.received) == 5)
        await tell(gateway, missed(ME))
        await until(lambda: len(there.received) == 6)
        assert [i[-1] for i in there.ids] == ["1", "2", "3", "4", "5", "6"]
        assert (await state(api, made))["waiting"] == 1
        bad = False
        step(gateway, seconds=6)
        await until(lambda: len(there.received) == 7)
        assert there.ids[6] == there.ids[1]
        await until(lambda: _none_waits(api, made))
    [_, second] = (await deliveries(api, made))[-2:][::-1]
    assert [(a["status"], a["what"]) for a in second["attempts"]] == [
        (500, "the endpoint answered 500"),
        (204, "taken"),
    ]


async def _none_waits(api: httpx.AsyncClient, made: dict[str, Any]) -> bool:
    return (await state(api, made))["waiting"] == 0  # type: ignore[no-any-return]


async def test_an_endpoint_that_is_down_is_left_in_peace_and_then_told_everything(
    gateway: Gateway, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three failures in a row, then single tries; when one is taken, all go that wait, however long they would have."""
    monkeypatch.setattr(pace, "again_after", lambda _attempts: pace.LONGEST_US)
    async with endpoint(answer(status(503))) as there:
        made = await hook(api, there)
        await tell(gateway, *(missed(ME) for _ in range(10)))
        await until(lambda: len(there.received) == 3)
        await quiet(there)
        assert [i.rpartition(".")[2] for i in there.ids] == ["1", "2", "3"]
        assert (await state(api, made))["state"] == "resting"
        there.behave = answer(TAKEN)
        step(gateway, seconds=6)
        await until(lambda: len(there.received) == 13)
        assert [i.rpartition(".")[2] for i in there.ids[3:]] == ["4", "1", "2", "3", "5", "6", "7", "8", "9", "10"]
        await until(lambda: _none_waits(api, made))
    assert (await state(api, made))["state"] == "open"


async def test_what_fails_for_days_is_given_up_visibly_and_can_be_sent_again(
    gateway: Gateway, api: httpx.AsyncClient
) -> None:
    """The partner sees each attempt with its reason; resending brings the same id."""
    async with endpoint(answer(status(500))) as there:
        made = await hook(api, there)
        await tell(gateway, missed(ME))
        for tries in range(1, 20):
            await until(lambda n=tries: _attempts(api, made, n))  # type: ignore[misc]
            step(gateway, hours=6)
            if (await deliveries(api, made))[0]["state"] != "waiting":
                break
        await until(lambda: _is(api, made, "given-up"))
        [given_up] = await deliveries(api, made, state="given-up")
        assert 12 <= len(given_up["attempts"]) <= 14
        assert (await state(api, made))["given_up"] == 1
        await quiet(there)
        before = len(there.received)

        there.behave = answer(TAKEN)
        again = await api.post(f"/v1/webhooks/{made['id']}/deliveries/{given_up['id']}/resend")
        assert (again.status_code, again.json()["state"]) == (202, "waiting")
        await until(lambda: _is(api, made, "delivered"))
        assert len(there.received) == before + 1
        assert len(set(there.ids)) == 1


async def _attempts(api: httpx.AsyncClient, made: dict[str, Any], count: int) -> bool:
    found = await deliveries(api, made)
    return any(len(d["attempts"]) >= count or d["state"] != "waiting" for d in found)


async def _is(api: httpx.AsyncClient, made: dict[str, Any], state: str) -> bool:
    return [d["state"] for d in await deliveries(api, made)] == [state]


async def test_a_gateway_that_was_off_for_long_gives_up_nothing_untried(at: Settings) -> None:
    """Days pass while the gateway is off: it is not the endpoint's fault."""
    async with endpoint(answer(status(500))) as there:
        async with gateway_for(at) as gateway:
            await add_partners(gateway)
            await gateway.access.write(lambda c: kept.add(c, ME, there.url, now_us=gateway.now_us))
            await tell(gateway, missed(ME))
            await until(lambda: there.received)
        there.behave = answer(TAKEN)
        step(gateway, days=30)
        async with gateway_for(at):
            await until(lambda: len(there.received) == 2)
    assert len(set(there.ids)) == 1


async def test_what_was_never_tried_is_never_given_up(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """Behind an endpoint that is down for ever, each notice has its own attempt before it is given up."""
    async with endpoint(answer(status(503))) as there:
        made = await hook(api, there)
        await tell(gateway, *(missed(ME) for _ in range(5)))
        await until(lambda: len(there.received) == 3)
        await quiet(there)
        step(gateway, days=10)
        await until(lambda: _count(api, made, "given-up", 4))
        await quiet(there)
        [last] = await deliveries(api, made, state="waiting")
        assert (last["id"][-2:], last["attempts"]) == (".5", [])
        there.behave = answer(TAKEN)
        step(gateway, hours=1)
        await until(lambda: _count(api, made, "delivered", 1))


async def test_410_closes_the_webhook(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """A goodbye is heeded: nothing more is sent, what waited is given up, and the reason is there to read."""
    async with endpoint(answer(status(410))) as there:
        made = await hook(api, there)
        await tell(gateway, missed(ME), missed(ME))
        await until(lambda: there.received)
        await quiet(there)
        assert len(there.received) == 1
    found = await state(api, made)
    assert (found["state"], found["why_closed"]) == ("closed", "the endpoint answered 410: it wants no more")
    assert {d["state"] for d in await deliveries(api, made)} == {"given-up"}
    refused = await api.post(f"/v1/webhooks/{made['id']}/deliveries/1/resend")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:safebus:problem:webhook-closed")


async def test_a_hanging_endpoint_holds_up_nobody_else(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """Each webhook has its own turn."""
    never = asyncio.Event()

    async def hang(_request: Received, _writer: asyncio.StreamWriter) -> None:
        await never.wait()

    async with endpoint(hang) as slow, endpoint() as well:
        await hook(api, slow)
        await hook(api, well)
        await tell(gateway, *(missed(ME) for _ in range(20)))
        await until(lambda: len(well.received) == 20)
        assert len(slow.received) == 1
        never.set()


KILLED = """
import asyncio, sys
from services.bus.settings import Settings
from services.partner_gateway.door.serve import gateway_for

async def main():
    async with gateway_for(Settings.model_validate_json(sys.argv[1])):
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_killed_between_the_answer_and_its_record(at: Settings) -> None:
    """kill -9 after the endpoint took it and before that is known: it comes again, under the same id, once."""
    store = at.store_for("partner-gateway").removeprefix("sqlite:///")
    async with endpoint(answer(status(500))) as there:
        async with gateway_for(at) as gateway:
            await add_partners(gateway)
            await gateway.access.write(lambda c: kept.add(c, ME, there.url, now_us=gateway.now_us))
            await tell(gateway, missed(ME))
            await until(lambda: there.received)
            await until(lambda: gateway.access.read(lambda c: c.execute(sa.select(webhook.c.failing)).scalar_one()))
        step(gateway, minutes=1)

        held = sqlite3.connect(store, isolation_level=None, timeout=15)

        async def take_and_hold(_request: Received, writer: asyncio.StreamWriter) -> None:
            held.execute("BEGIN IMMEDIATE")  # nothing can be recorded from here on
            writer.write(TAKEN)

        there.behave = take_and_hold
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, at.model_dump_json())
        await until(lambda: len(there.received) == 2)
        await asyncio.sleep(0.3)
        process.kill()
        await process.wait()
        held.execute("ROLLBACK")
        held.close()

        there.behave = answer(TAKEN)
        step(gateway, minutes=1)
        async with gateway_for(at) as after:
            await until(lambda: len(there.received) == 3)
            await until(lambda: after.access.read(lambda c: not kept.shown(c, ME, now_us=after.now_us)[0]["waiting"]))
            step(after, days=1)
            await quiet(there)
    assert len(there.received) == 3
    assert len(set(there.ids)) == 1


# --- mending


async def test_recover_since_a_cursor(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """Everything after it, in order: also what was sent before, and what stood before there was a webhook."""
    await tell(gateway, *(missed(ME) for _ in range(4)))
    async with endpoint() as there:
        made = await hook(api, there)
        await tell(gateway, missed(ME), missed(ME))
        await until(lambda: len(there.received) == 2)
        await until(lambda: _none_waits(api, made))
        epoch = await epoch_of(gateway)
        asked = await api.post(f"/v1/webhooks/{made['id']}/recover", json={"after": f"{epoch}.2"})
        assert (asked.status_code, asked.json()) == (202, {"entries": 4})
        await until(lambda: len(there.received) == 6)
        assert there.ids[2:] == [f"{epoch}.{n}" for n in (3, 4, 5, 6)]
        await tell(gateway, missed(ME))
        await until(lambda: len(there.received) == 7)
    stale = await api.post(f"/v1/webhooks/{made['id']}/recover", json={"after": "00000000.2"})
    assert (stale.status_code, stale.json()["epoch"]) == (410, epoch)
    wrong = await api.post(f"/v1/webhooks/{made['id']}/recover", json={"after": "yesterday"})
    assert wrong.status_code == 422


async def test_deliveries_by_pages(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """The newest first; each page goes on where the last one ended."""
    async with endpoint() as there:
        made = await hook(api, there)
        await tell(gateway, *(missed(ME) for _ in range(5)))
        await until(lambda: _count(api, made, "delivered", 5))
    seen: list[str] = []
    for _ in range(3):
        seen += [d["id"] for d in await deliveries(api, made, limit=2, **({"before": seen[-1]} if seen else {}))]
    epoch = await epoch_of(gateway)
    assert seen == [f"{epoch}.{n}" for n in (5, 4, 3, 2, 1)]


async def _count(api: httpx.AsyncClient, made: dict[str, Any], state: str, count: int) -> bool:
    return len(await deliveries(api, made, state=state)) == count


async def test_a_deleted_webhook_gets_nothing_and_leaves_nothing(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """Gone means gone."""
    async with endpoint() as there:
        made = await hook(api, there)
        await tell(gateway, missed(ME))
        await until(lambda: _count(api, made, "delivered", 1))
        assert (await api.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
        await tell(gateway, missed(ME))
        await quiet(there)
    assert len(there.received) == 1
    assert (await api.get("/v1/webhooks")).json() == {"webhooks": []}


# --- a restored database


async def test_in_a_new_epoch_nothing_is_told_twice_and_nothing_is_lost(
    gateway: Gateway, api: httpx.AsyncClient
) -> None:
    """A recovery numbers the inbox anew: told disclosures stay told, waiting ones go under their new numbers."""
    old, told, failed, new = missed(ME), missed(ME), missed(ME), missed(ME)
    await tell(gateway, old)
    step(gateway, minutes=1)

    async def behave(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(status(500) if request.id.endswith(".3") else TAKEN)

    async with endpoint(behave) as there:
        made = await hook(api, there)
        await tell(gateway, told, failed)
        await until(lambda: len(there.received) == 2)
        first = await epoch_of(gateway)
        await gateway.access.write(_forget_inboxes)
        there.behave = answer(TAKEN)
        step(gateway, minutes=1)
        await tell(gateway, failed, old, told)
        await tell(gateway, new)
        second = await epoch_of(gateway)
        await until(lambda: len(there.received) == 4)
        await quiet(there)
    assert there.ids == [f"{first}.2", f"{first}.3", f"{second}.1", f"{second}.4"]
    assert [d["id"] for d in await deliveries(api, made, state="renumbered")] == [f"{first}.3"]
    refused = await api.post(f"/v1/webhooks/{made['id']}/deliveries/{first}.3/resend")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:safebus:problem:renumbered")


def _forget_inboxes(connection: sa.Connection) -> None:
    """The first step of a recovery (services/bus/store.py)."""
    for table in reversed(tables.metadata.sorted_tables):
        connection.execute(table.delete())
    INBOXES.begin(connection)


# --- who


async def test_nobody_sees_or_touches_anothers_webhook(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """A foreign id and one that never was get the same answer."""
    async with endpoint() as there:
        made = await hook(api, there)
    await tell(gateway, missed(ME))
    become(api, OTHER)
    epoch = await epoch_of(gateway)
    assert (await api.get("/v1/webhooks")).json() == {"webhooks": []}
    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/deliveries", None),
        ("POST", f"/deliveries/{epoch}.1/resend", None),
        ("POST", "/recover", {"after": f"{epoch}.0"}),
    ):
        answers = [
            await api.request(method, f"/v1/webhooks/{name}{path}", json=body) for name in (made["id"], "wh_never")
        ]
        assert [a.status_code for a in answers] == [404, 404]
        assert answers[0].content == answers[1].content
    become(api, ME)
    assert (await state(api, made))["state"] == "open"


async def test_the_scope_is_needed(api: httpx.AsyncClient) -> None:
    """A key that may only post sees no webhook and makes none."""
    become(api, ME, "mash.contacts.v1")
    assert (await api.get("/v1/webhooks")).status_code == 403
    assert (await api.post("/v1/webhooks", json={"url": "http://localhost:1/"})).status_code == 403
    assert (await api.get("/v1/webhooks/wh_x/deliveries")).status_code == 403


async def test_a_url_that_is_not_allowed_is_refused_with_the_reason(api: httpx.AsyncClient) -> None:
    """By JSON pointer, without the URL: it may hold a secret of the partner's."""
    refused = await api.post("/v1/webhooks", json={"url": "https://evil.example/hook?secret=1"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "#/url"
    assert "evil" not in refused.text


async def test_ten_webhooks_are_enough(api: httpx.AsyncClient) -> None:
    """One partner cannot have the gateway send without bounds."""
    made = [await api.post("/v1/webhooks", json={"url": "http://localhost:1/"}) for _ in range(kept.MOST + 1)]
    assert [m.status_code for m in made] == [201] * kept.MOST + [409]


async def test_a_partner_that_left_is_sent_nothing(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """Whoever is no partner any more hears nothing any more, not even by a webhook made in the same moment."""
    async with endpoint() as there:
        await hook(api, there)
        await gateway.access.write(lambda c: close_partner(c, ME, now_us=gateway.now_us))
        await hook(api, there)
        await tell(gateway, missed(ME))
        await quiet(there)
    assert there.received == []


# --- several processes


@pytest.fixture
async def two(at: Settings, postgres: str) -> AsyncIterator[list[Gateway]]:
    """Two gateway processes' worth on one PostgreSQL."""
    on = at.model_copy(update={"store_url": postgres})
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("partner_gateway"))
    engine.dispose()
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(gateway_for(on)) for _ in range(2)]


async def test_processes_share_the_work_and_never_send_two_at_once(two: list[Gateway]) -> None:
    """Each notice once, in order, whatever the number of gateway processes."""
    one, _ = two
    await add_partners(one)
    count = 2 * sender.TURN + 10
    async with AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(endpoint()) for _ in range(4)]
        for there in ends:
            await one.access.write(lambda c, url=there.url: kept.add(c, ME, url, now_us=one.now_us))  # type: ignore[misc]
        for _ in range(count // 10):
            await tell(one, *(missed(ME) for _ in range(10)))
        await until(lambda: all(len(there.received) >= count for there in ends))
        await quiet(ends[0])
    epoch = await epoch_of(one)
    for there in ends:
        assert there.ids == [f"{epoch}.{n}" for n in range(1, count + 1)]
        assert there.most_at_once == 1


# --- what was not read in time


def sent(organisation: str, event_id: str, to: str, due: datetime, disclosure: UUID) -> e.DeadlineMissed:
    """Something that discloses because of an event that `organisation` posted."""
    plain = missed(to, disclosure)
    event = plain.model_copy(update={"disclosure": plain.disclosure.model_copy(update={"due_by": due})})
    source = f"urn:safebus:{organisation}"
    return event.enveloped(
        Envelope(str(disclosure), "urn:safebus:test", event.topic, MONDAY, correlation_id=f"{source} {event_id}")
    )


def _posted(organisation: str, event_id: str, at_us: int) -> dict[str, Any]:
    return {
        "source": f"urn:safebus:{organisation}",
        "event_id": event_id,
        "organisation": organisation,
        "type": "mash.contacts.v1",
        "digest": b"",
        "at_us": at_us,
        "acknowledged": True,
    }


async def test_a_sender_is_told_once_by_role_what_was_not_read_in_time(
    gateway: Gateway, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 4, H2: the id that it posted and a role, never who; not what was read, nor others'. Each webhook."""
    monkeypatch.setattr(sender, "LATE_EVERY", 0)
    rows = [_posted(o, i, gateway.now_us) for o, i in ((ME, "a b"), (ME, "read"), (OTHER, "theirs"))]
    await gateway.access.write(lambda c: c.execute(posted.insert(), rows))
    due, read_one = MONDAY + timedelta(hours=2), uuid4()
    async with endpoint() as there:
        made = await hook(api, there)
        await tell(
            gateway,
            sent(ME, "a b", "school:110394", due, uuid4()),
            sent(ME, "read", "school:110394", due, read_one),
            sent(OTHER, "theirs", "school:110394", due, uuid4()),
            sent(ME, "a b", "practice:K81001", MONDAY + timedelta(days=9), uuid4()),
            sent(ME, "a b", "school:110395", MONDAY - timedelta(days=1), uuid4()),
        )
        await gateway.access.write(
            lambda c: c.execute(
                tables.reading.insert(), {"disclosure_id": str(read_one), "state": "READ", "at_us": gateway.now_us}
            )
        )
        await quiet(there)
        assert there.received == []
        step(gateway, hours=3)
        await until(lambda: there.received)
        step(gateway, hours=3)
        await quiet(there)
        async with endpoint() as second:
            began = int(MONDAY.timestamp() * 1_000_000)
            await gateway.access.write(lambda c: kept.add(c, ME, second.url, now_us=began))
            await until(lambda: second.received)
    [received] = there.received
    assert received.id == "late.1"
    said = verify_webhook(received.headers, received.body, made["secret"])
    assert (said["type"], said["data"]) == ("sent.late", {"id": "a b", "role": "LOCAL_AUTHORITY"})


async def test_two_processes_tell_a_sender_once(two: list[Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look for what is late at the same time; its notices are numbered without a gap all the same."""
    monkeypatch.setattr(sender, "LATE_EVERY", 0)
    one, _ = two
    await add_partners(one)
    await one.access.write(lambda c: c.execute(posted.insert(), _posted(ME, "x", one.now_us)))
    due = MONDAY + timedelta(hours=2)
    async with endpoint() as there:
        await one.access.write(lambda c: kept.add(c, ME, there.url, now_us=one.now_us))
        await tell(one, *(sent(ME, "x", "school:110394", due, uuid4()) for _ in range(3)))
        step(one, hours=3)
        await until(lambda: len(there.received) >= 3)
        await tell(one, sent(ME, "x", "school:110394", due, uuid4()))
        await until(lambda: len(there.received) >= 4)
        await quiet(there)
    assert there.ids == ["late.1", "late.2", "late.3", "late.4"]
