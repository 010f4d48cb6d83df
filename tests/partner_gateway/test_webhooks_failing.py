"""An endpoint that fails, hangs or is away, or the gateway itself: nothing is lost, and nobody else has to wait."""

from __future__ import annotations

import asyncio
import sqlite3
import sys

import httpx
import pytest
import sqlalchemy as sa

from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for
from services.partner_gateway.inbox import tables
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.tables import webhook
from services.partner_gateway.webhooks import kept, pace
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.hooks import (
    ME,
    add_partners,
    all_are,
    api,
    at,
    counted,
    deliveries,
    epoch_of,
    hook,
    none_waits,
    often,
    partners,
    quiet,
    state,
    step,
    tried,
    until,
)
from tests.partner_gateway.test_projection import missed
from tests.partner_gateway.webhook_endpoint import TAKEN, Received, answer, endpoint, status

__all__ = ["api", "at", "often", "partners"]


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
        await until(lambda: counted(api, made, "waiting", 1))
        bad = False
        step(gateway, seconds=6)
        await until(lambda: len(there.received) == 7)
        assert there.ids[6] == there.ids[1]
        await until(lambda: none_waits(api, made))
    [_, second] = (await deliveries(api, made))[-2:][::-1]
    assert [(a["status"], a["what"]) for a in second["attempts"]] == [
        (500, "the endpoint answered 500"),
        (204, "taken"),
    ]


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
        await until(lambda: none_waits(api, made))
    assert (await state(api, made))["state"] == "open"


async def test_what_fails_for_days_is_given_up_visibly_and_can_be_sent_again(
    gateway: Gateway, api: httpx.AsyncClient
) -> None:
    """The partner sees each attempt with its reason; resending brings the same id."""
    async with endpoint(answer(status(500))) as there:
        made = await hook(api, there)
        await tell(gateway, missed(ME))
        for tries in range(1, 20):
            await until(lambda n=tries: tried(api, made, n))  # type: ignore[misc]
            step(gateway, hours=6)
            if (await deliveries(api, made))[0]["state"] != "waiting":
                break
        await until(lambda: all_are(api, made, "given-up"))
        [given_up] = await deliveries(api, made, state="given-up")
        assert 12 <= len(given_up["attempts"]) <= 14
        assert (await state(api, made))["given_up"] == 1
        await quiet(there)
        before = len(there.received)

        there.behave = answer(TAKEN)
        again = await api.post(f"/v1/webhooks/{made['id']}/deliveries/{given_up['id']}/resend")
        assert (again.status_code, again.json()["state"]) == (202, "waiting")
        await until(lambda: all_are(api, made, "delivered"))
        assert len(there.received) == before + 1
        assert len(set(there.ids)) == 1


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
        await until(lambda: counted(api, made, "given-up", 4))
        await quiet(there)
        [last] = await deliveries(api, made, state="waiting")
        assert (last["id"][-2:], last["attempts"]) == (".5", [])
        there.behave = answer(TAKEN)
        step(gateway, hours=1)
        await until(lambda: counted(api, made, "delivered", 1))


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
