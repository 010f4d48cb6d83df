"""Senders are told, by role alone (H2), that something they sent was not read in time: once for each recipient."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.partner_gateway.inbox.tables import entry, reading
from services.partner_gateway.tables import delivery, posted, webhook
from services.partner_gateway.webhooks import deliveries
from services.partner_gateway.webhooks.message import LATE, LATE_KIND, Notice

LOOK_BACK_US = 100 * 86_400_000_000
"""The longest time that anybody has to read something is 45 working days (DOMAIN.md §2)."""


def to_tell(connection: sa.Connection, *, now_us: int) -> Sequence[str]:
    """Open webhooks whose organisation posted what is late now, and which were not told so yet."""
    late = _late(now_us).where(posted.c.organisation == webhook.c.organisation)
    late = late.where(entry.c.due_us >= webhook.c.created_us, ~_told(webhook.c.webhook_id))
    query = deliveries.open_webhooks().with_only_columns(webhook.c.webhook_id).where(late.correlate(webhook).exists())
    return connection.execute(query).scalars().all()


def make(connection: sa.Connection, webhook_id: str, *, now_us: int, until_us: int) -> None:
    """Deliveries of what is late and was due since there is this webhook; their own numbers go on without a gap."""
    hook = deliveries.locked(connection, webhook_id)
    if hook is None:
        return
    query = _late(now_us).where(posted.c.organisation == hook.organisation, entry.c.due_us >= hook.created_us)
    found = connection.execute(query.where(~_told(webhook_id)).order_by(entry.c.due_us, _about()))
    last = sa.select(sa.func.max(delivery.c.number)).where(
        delivery.c.webhook_id == webhook_id, delivery.c.epoch == LATE
    )
    begin = (connection.execute(last).scalar() or 0) + 1
    notices = [Notice(LATE, number, LATE_KIND, about, now_us) for number, (about,) in enumerate(found, begin)]
    deliveries.owe(connection, webhook_id, notices, until_us)


def _late(now_us: int) -> sa.Select[str]:
    """What was posted lately and stands in an inbox, due, read by nobody: as `about` of its delivery."""
    caused = entry.c.correlation == posted.c.source + " " + posted.c.event_id
    read = sa.exists().where(reading.c.disclosure_id == entry.c.disclosure_id)
    query = sa.select(_about()).select_from(posted.join(entry, caused))
    return query.where(posted.c.at_us > now_us - LOOK_BACK_US, entry.c.due_us < now_us, ~read)


def _about() -> sa.ColumnElement[str]:
    """A role and a disclosure's id have no spaces; a sender's event id may."""
    return entry.c.role + " " + entry.c.disclosure_id + " " + posted.c.event_id


def _told(webhook_id: str | sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    same = sa.exists().where(delivery.c.webhook_id == webhook_id, delivery.c.about == _about())
    return same.correlate(webhook, posted, entry)
