"""Webhooks: a bell that rings at least once, under one id, in order; for its own partner alone, who can mend it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime

import httpx

from services.client.webhooks import verify_webhook
from services.partner_gateway import numbers
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.partners.registry import close_partner
from services.partner_gateway.webhooks import kept, sender
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.hooks import (
    ME,
    OTHER,
    add_partners,
    api,
    at,
    become,
    counted,
    deliveries,
    epoch_of,
    hook,
    none_waits,
    often,
    partners,
    quiet,
    state,
    two,
    until,
)
from tests.partner_gateway.test_projection import missed
from tests.partner_gateway.webhook_endpoint import endpoint

__all__ = ["api", "at", "often", "partners", "two"]


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


# --- mending


async def test_recover_since_a_cursor(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """Everything after it, in order: also what was sent before, and what stood before there was a webhook."""
    await tell(gateway, *(missed(ME) for _ in range(4)))
    async with endpoint() as there:
        made = await hook(api, there)
        await tell(gateway, missed(ME), missed(ME))
        await until(lambda: len(there.received) == 2)
        await until(lambda: none_waits(api, made))
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
        await until(lambda: counted(api, made, "delivered", 5))
    seen: list[str] = []
    for _ in range(3):
        seen += [d["id"] for d in await deliveries(api, made, limit=2, **({"before": seen[-1]} if seen else {}))]
    epoch = await epoch_of(gateway)
    assert seen == [f"{epoch}.{n}" for n in (5, 4, 3, 2, 1)]


async def test_a_deleted_webhook_gets_nothing_and_leaves_nothing(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """Gone means gone."""
    async with endpoint() as there:
        made = await hook(api, there)
        await tell(gateway, missed(ME))
        await until(lambda: counted(api, made, "delivered", 1))
        assert (await api.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
        await tell(gateway, missed(ME))
        await quiet(there)
    assert len(there.received) == 1
    assert (await api.get("/v1/webhooks")).json() == {"webhooks": []}


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


async def test_what_waited_for_a_partner_that_left_is_no_operators_worry(gateway: Gateway, partners: None) -> None:
    """Or the oldest notice would grow older for ever, and its alert never end."""
    of, _secret = await gateway.access.write(lambda c: kept.add(c, ME, "http://localhost:1/", now_us=gateway.now_us))
    await tell(gateway, missed(ME))

    async def waiting() -> int:
        _states, count, _first_us, _failing = await gateway.access.read(numbers._read)
        return count

    async def one_waits() -> bool:
        return await waiting() == 1

    await until(one_waits)
    await gateway.access.write(lambda c: close_partner(c, of.organisation, now_us=gateway.now_us))
    assert await waiting() == 0
