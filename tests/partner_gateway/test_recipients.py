"""What operators see of inboxes: numbers by an opaque id, and nothing that joins a child to a recipient (H2)."""

from __future__ import annotations

from uuid import uuid4

import httpx
import sqlalchemy as sa
from starlette.applications import Starlette

from services.partner_gateway.door.context import Gateway
from services.partner_gateway.partners.registry import add_partner
from services.partner_gateway.recipients import routes
from services.partner_gateway.tables import attempt, webhook
from services.partner_gateway.webhooks import kept
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.people import alert, done

FIELDS = {"organisation", "unread", "oldest_unread_seconds", "webhook_failing_since"}


async def shown(gateway: Gateway, host: str = "127.0.0.1") -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=list(routes(gateway.settings))))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        return await client.get("/recipients")


async def test_how_much_waits_for_whom_and_nothing_else(gateway: Gateway) -> None:
    """Unread entries are counted until somebody reads them; no child, disclosure or kind of event is told (H2)."""
    school = f"school:{uuid4().int % 900_000 + 100_000}"
    first, second = alert(to=school), alert(to=school)
    await tell(gateway, first, second)
    answer = await shown(gateway)
    [mine] = [one for one in answer.json()["recipients"] if one["organisation"] == school]
    assert mine["unread"] == 2
    assert mine["oldest_unread_seconds"] >= 0
    assert all(set(one) == FIELDS for one in answer.json()["recipients"])
    for told in (first, second):
        assert told.child_id not in answer.text
        assert str(told.disclosure.id) not in answer.text
    await tell(gateway, done(first), done(second))
    [mine] = [one for one in (await shown(gateway)).json()["recipients"] if one["organisation"] == school]
    assert (mine["unread"], mine["oldest_unread_seconds"]) == (0, 0)


async def test_a_webhook_fails_since_its_first_attempt_after_the_last_that_was_taken(gateway: Gateway) -> None:
    """One that was taken at last does not fail, however often it did before."""
    organisation = f"school:{uuid4().int % 900_000 + 100_000}"

    def fail(connection: sa.Connection) -> None:
        add_partner(connection, organisation, "agency", now_us=1)
        of, _secret = kept.add(connection, organisation, "https://hooks.test/x", now_us=1)
        for n, status in enumerate((503, 200, 503, None), 1):
            row = {"webhook_id": of.webhook_id, "epoch": "e", "number": n, "attempt": 1, "at_us": n * 1_000_000}
            connection.execute(attempt.insert().values(**row, status=status, what="x"))
        connection.execute(webhook.update().where(webhook.c.webhook_id == of.webhook_id).values(failing=2))

    await gateway.access.write(fail)
    [mine] = [one for one in (await shown(gateway)).json()["recipients"] if one["organisation"] == organisation]
    assert (mine["webhook_failing_since"], mine["unread"]) == ("1970-01-01T00:00:03+00:00", 0)
    well = webhook.update().where(webhook.c.organisation == organisation).values(failing=0)
    await gateway.access.write(lambda connection: connection.execute(well))
    [mine] = [one for one in (await shown(gateway)).json()["recipients"] if one["organisation"] == organisation]
    assert mine["webhook_failing_since"] is None


async def test_it_is_not_told_to_a_site_in_a_browser(gateway: Gateway) -> None:
    """Which gave its own name our address."""
    assert (await shown(gateway, "evil.example")).status_code == 404
