"""What operators see of inboxes: how many entries wait in each, for how long, and whose webhook fails.

Beside /metrics, so on loopback as that is, and as little: an organisation's opaque id and numbers. No entry, no child
and no kind of event is named, so that nobody can join a child to a recipient by it (DOMAIN.md H2).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.errors import Surroundings
from services.bus.settings import Settings
from services.partner_gateway.inbox.tables import counter, entry, reading
from services.partner_gateway.inbox.urgency import READ
from services.partner_gateway.tables import attempt, partner, webhook
from services.partner_gateway.webhooks.deliveries import open_webhooks
from services.partner_gateway.wiring import SERVICE

PATH = "/recipients"
SECOND_US = 1_000_000


def routes(at: Settings) -> Sequence[BaseRoute]:
    """`/recipients`, for the process's own address."""
    access, clock = Access(at, SERVICE.name), Clock.of(at)

    async def recipients(request: Request) -> Response:
        if not _asked_here(request, at.http_host):
            return PlainTextResponse("not by this name\n", 404)
        now_us = int(clock.now().timestamp() * SECOND_US)
        try:
            found = await access.read(partial(standing, now_us=now_us))
        except Surroundings as error:
            return PlainTextResponse(f"{error}\n", 503)
        return JSONResponse({"recipients": found})

    return [Route(PATH, recipients)]


def standing(connection: sa.Connection, *, now_us: int) -> list[dict[str, Any]]:
    """Every organisation that is a partner or has an inbox, by its id: fields as of lag_monitor's RecipientLag."""
    partners = connection.execute(sa.select(partner.c.organisation).where(partner.c.closed_us.is_(None))).scalars()
    named = connection.execute(sa.select(counter.c.organisation)).scalars()
    organisations = sorted({*partners.all(), *named.all()})
    unread, failing = _unread(connection), _failing(connection)
    return [
        {
            "organisation": organisation,
            "unread": unread.get(organisation, (0, now_us))[0],
            "oldest_unread_seconds": max(0.0, (now_us - unread.get(organisation, (0, now_us))[1]) / SECOND_US),
            "webhook_failing_since": failing.get(organisation),
        }
        for organisation in organisations
    ]


def _unread(connection: sa.Connection) -> dict[str, tuple[int, int]]:
    """How many, and when the oldest was said, µs since 1970. By the index of what is unfinished, which is short."""
    read = sa.exists().where(reading.c.disclosure_id == entry.c.disclosure_id)
    waits = counter.join(entry, sa.and_(entry.c.organisation == counter.c.organisation, entry.c.urgency < READ))
    query = (
        sa.select(counter.c.organisation, sa.func.count(), sa.func.min(entry.c.time_us))
        .select_from(waits)
        .where(counter.c.unfinished > 0, ~read)
        .group_by(counter.c.organisation)
    )
    return {organisation: (count, first_us) for organisation, count, first_us in connection.execute(query)}


def _failing(connection: sa.Connection) -> dict[str, str]:
    """Since the first attempt after the last one that was taken, ISO 8601."""
    hooks = open_webhooks().with_only_columns(webhook.c.webhook_id, webhook.c.organisation).where(webhook.c.failing > 0)
    found: dict[str, str] = {}
    for webhook_id, organisation in connection.execute(hooks).all():
        mine = attempt.c.webhook_id == webhook_id
        taken = sa.select(attempt.c.at_us).where(mine, attempt.c.status.between(200, 299))
        taken = taken.order_by(attempt.c.at_us.desc()).limit(1)  # back from the latest, by the index
        last_us = connection.execute(taken).scalar() or 0
        first = sa.select(sa.func.min(attempt.c.at_us)).where(mine, attempt.c.at_us > last_us)
        since_us = connection.execute(first).scalar()
        if since_us is not None:
            since = datetime.fromtimestamp(since_us / SECOND_US, UTC).isoformat()
            found[organisation] = min(since, found.get(organisation, since))
    return found


def _asked_here(request: Request, host: str) -> bool:
    """Not by a site in a browser on this machine that gave its own name our address (DNS rebinding)."""
    return request.url.hostname in {"localhost", "127.0.0.1", "::1", host} or not _loopback(host)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
