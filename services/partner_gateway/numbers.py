"""How the gateway's partners are served, as numbers for /metrics: webhooks and e-mails. No organisation is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from prometheus_client import Gauge

from services.bus.errors import Surroundings
from services.bus.metrics import looking
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.tables import delivery, mail_notice, webhook
from services.partner_gateway.webhooks.deliveries import WAITING

HOOKS = Gauge("safebus_webhooks", "Webhooks: ok, failing (the last attempts were not taken), closed", ["state"])
NOTICES = Gauge("safebus_webhook_notices_waiting", "Notices to open webhooks that were not taken yet")
OLDEST = Gauge("safebus_webhook_notices_oldest_seconds", "How long the oldest of them has waited, 0 without one")
MAIL = Gauge("safebus_mail_failing", "Named people to whom the last e-mail could not be sent")


@contextmanager
def numbered(gateway: Gateway) -> Iterator[None]:
    """Tell them within the block."""

    async def look() -> None:
        try:
            found = await gateway.access.read(_read)
        except Surroundings:
            return  # safebus_store_up says so
        states, waiting, first_us, failing = found
        for state in ("ok", "failing", "closed"):
            HOOKS.labels(state).set(states.get(state, 0))
        NOTICES.set(waiting)
        OLDEST.set(max(0.0, (gateway.now_us - first_us) / 1_000_000) if first_us else 0.0)
        MAIL.set(failing)

    with looking(look):
        yield


def _read(connection: sa.Connection) -> tuple[dict[str, int], int, int | None, int]:
    closed, count = webhook.c.closed_us.is_not(None), sa.func.count()
    state = sa.case((closed, "closed"), (webhook.c.failing > 0, "failing"), else_="ok").label("state")
    states = connection.execute(sa.select(state, count).group_by(state))
    # By webhook, as the index of what waits is; what waited for a closed one was given up.
    still_open = sa.select(webhook.c.webhook_id).where(~closed)
    waits = sa.select(count, sa.func.min(delivery.c.made_us)).where(
        delivery.c.webhook_id.in_(still_open), delivery.c.state == WAITING
    )
    waiting, first_us = connection.execute(waits).one()
    failing = connection.execute(sa.select(count).where(mail_notice.c.failing > 0)).scalar_one()
    return dict(map(tuple, states)), waiting, first_us, failing
