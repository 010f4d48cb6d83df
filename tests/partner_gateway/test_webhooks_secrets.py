"""A webhook's secret changes without a notice that its receiver must refuse, and the former one ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.bus.settings import Settings
from services.client.errors import ForgedWebhook
from services.client.webhooks import verify_webhook
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.tables import former_secret
from services.partner_gateway.webhooks import kept
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.hooks import ME, api, at, deliveries, hook, often, partners, step, until
from tests.partner_gateway.test_projection import missed
from tests.partner_gateway.webhook_endpoint import TAKEN, Endpoint, Received, answer, endpoint, status

__all__ = ["api", "at", "often", "partners"]


async def rotated(api: httpx.AsyncClient, made: dict[str, Any]) -> dict[str, Any]:
    new = await api.post(f"/v1/webhooks/{made['id']}/rotate-secret")
    assert new.status_code == 201, new.text
    return new.json()  # type: ignore[no-any-return]


async def rung(gateway: Gateway, there: Endpoint) -> Received:
    """The next notice."""
    count = len(there.received)
    await tell(gateway, missed(ME))
    await until(lambda: len(there.received) > count)
    return there.received[-1]


def is_signed(received: Received, made: dict[str, Any]) -> bool:
    """By our own client, which any receiver's standard library is like."""
    try:
        verify_webhook(received.headers, received.body, made["secret"])
    except ForgedWebhook:
        return False
    return True


async def test_both_secrets_sign_and_then_the_new_one_alone(
    at: Settings, gateway: Gateway, api: httpx.AsyncClient
) -> None:
    """For a day, or as the setting says, a receiver may know either; then whoever had the former has nothing."""
    async with endpoint() as there:
        first = await hook(api, there)
        assert [is_signed(await rung(gateway, there), one) for one in (first,)] == [True]
        second = await rotated(api, first)
        assert second["former_until"] == "2026-11-24T09:00:00Z"
        assert second["secret"] != first["secret"]
        assert {name: second[name] for name in first if name != "secret"} == {
            name: value for name, value in first.items() if name != "secret"
        }
        step(gateway, hours=at.webhook_overlap_hours - 0.01)
        notice = await rung(gateway, there)
        assert (is_signed(notice, first), is_signed(notice, second)) == (True, True)
        assert len(notice.headers["webhook-signature"].split(" ")) == 2
        step(gateway, hours=0.02)
        notice = await rung(gateway, there)
        assert (is_signed(notice, first), is_signed(notice, second)) == (False, True)
        assert " " not in notice.headers["webhook-signature"]


async def test_a_repeat_is_signed_by_what_signs_then(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """A notice that failed before the change comes again under its id, with both; resent after the overlap, the new."""
    async with endpoint(answer(status(500))) as there:
        first = await hook(api, there)
        failed = await rung(gateway, there)
        second = await rotated(api, first)
        there.behave = answer(TAKEN)
        step(gateway, minutes=1)
        await until(lambda: len(there.received) == 2)
        again = there.received[-1]
        assert again.id == failed.id
        assert (is_signed(failed, second), is_signed(again, first), is_signed(again, second)) == (False, True, True)
        step(gateway, hours=25)
        [delivery] = await deliveries(api, first)
        await api.post(f"/v1/webhooks/{first['id']}/deliveries/{delivery['id']}/resend")
        await until(lambda: len(there.received) == 3)
        resent = there.received[-1]
        assert (is_signed(resent, first), is_signed(resent, second)) == (False, True)


async def test_an_answer_that_was_lost_is_asked_for_again(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """The secret that the receiver knows signs on, however often a new one is asked for; but not without end."""
    async with endpoint() as there:
        first = await hook(api, there)
        later = [await rotated(api, first) for _ in range(kept.MOST_SECRETS - 1)]
        notice = await rung(gateway, there)
        assert all(is_signed(notice, one) for one in (first, *later))
        refused = await api.post(f"/v1/webhooks/{first['id']}/rotate-secret")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:safebus:problem:too-many-secrets")
        step(gateway, hours=25)
        last = await rotated(api, first)
        notice = await rung(gateway, there)
        assert [is_signed(notice, one) for one in (first, *later, last)] == [False] * 4 + [True, True]


async def test_without_an_overlap_the_former_ends_at_once(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """An installation may choose so: `SAFEBUS_WEBHOOK_OVERLAP_HOURS=0`."""
    gateway.settings = gateway.settings.model_copy(update={"webhook_overlap_hours": 0})
    async with endpoint() as there:
        first = await hook(api, there)
        second = await rotated(api, first)
        notice = await rung(gateway, there)
        assert (is_signed(notice, first), is_signed(notice, second)) == (False, True)


async def test_no_secret_is_shown_again_or_kept_for_nobody(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """Neither by the webhook nor by the list of them; what ended is deleted, and all goes with the webhook."""

    async def formers() -> list[str]:
        return list(await gateway.access.read(lambda c: c.execute(sa.select(former_secret.c.secret)).scalars()))

    async with endpoint() as there:
        first = await hook(api, there)
        second = await rotated(api, first)
        for path in ("/v1/webhooks", f"/v1/webhooks/{first['id']}"):
            shown = (await api.get(path)).text
            assert "whsec" not in shown
        step(gateway, hours=25)
        await rotated(api, first)
        assert await formers() == [second["secret"]]
        assert (await api.delete(f"/v1/webhooks/{first['id']}")).status_code == 204
    assert await formers() == []
    gone = await api.post(f"/v1/webhooks/{first['id']}/rotate-secret")
    assert gone.status_code == 404


async def test_a_closed_webhook_has_no_new_secret(gateway: Gateway, api: httpx.AsyncClient) -> None:
    """It signs nothing more."""
    async with endpoint(answer(status(410))) as there:
        made = await hook(api, there)
        await rung(gateway, there)

        async def closed() -> bool:
            return bool((await api.get(f"/v1/webhooks/{made['id']}")).json()["state"] == "closed")

        await until(closed)
    refused = await api.post(f"/v1/webhooks/{made['id']}/rotate-secret")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:safebus:problem:webhook-closed")


@pytest.mark.parametrize("change", ["another", "none", "older"])
def test_one_of_several_signatures_is_enough_and_none_is_not(change: str) -> None:
    """The client takes a notice if any of its signatures is by the secret that it has."""
    from services.partner_gateway.webhooks.message import Notice, new_secret, signed

    secrets = [new_secret(), new_secret()]
    headers, body = signed(Notice("0123abcd", 1, "encompass.alerts.v1", "d-1", 0), secrets)
    for secret in secrets:
        assert verify_webhook(headers, body, secret)["type"] == "inbox.entry"
    one, two = headers["webhook-signature"].split(" ")
    forged = {"another": f"{one[:-4]}AAA= {two[:-4]}AAA=", "none": "", "older": f"v0,{one[3:]} v0,{two[3:]}"}[change]
    with pytest.raises(ForgedWebhook):
        verify_webhook(headers | {"webhook-signature": forged}, body, secrets[0])


def test_the_overlap_is_a_day() -> None:
    """Long enough for an endpoint to be given the new secret in working hours."""
    assert timedelta(hours=Settings().webhook_overlap_hours) == timedelta(days=1)
