"""Which notices are owed to which webhook, whose turn it is to send them, and what became of each: plain SQL.

Deliveries are rows made from inbox entries. One process at a time has a webhook's turn, a lease that every step renews;
it takes one notice after the other. What was sent and not recorded is sent again, under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from prometheus_client import Counter

from services.bus.settings import Settings
from services.bus.tables import upsert
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.tables import counter, entry
from services.partner_gateway.tables import attempt, delivery, former_secret, partner, webhook
from services.partner_gateway.webhooks import pace
from services.partner_gateway.webhooks.message import LATE, Notice
from services.web.egress import Outcome

LEASE_US = 30 * pace.SECOND_US
"""An attempt takes at most 10 s and its record some more: a turn that lasts longer is a dead process's."""

MOST_MADE = 500

WAITING, DELIVERED, GIVEN_UP, RENUMBERED = "waiting", "delivered", "given-up", "renumbered"

GIVEN_UP_TOTAL = Counter("safebus_webhook_given_up_total", "Notices that were given up")

GONE = "the endpoint answered 410: it wants no more"


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to send one notice now."""

    webhook_id: str
    holder: str
    url: str
    secrets: Sequence[str]
    """What signs now: the present one, then those of before that have not ended."""
    notice: Notice
    attempt: int
    """1 for the first."""


def until(at: Settings, now_us: int) -> int:
    """To when a notice is tried that is owed from now on."""
    return now_us + int(at.webhook_days * 86_400 * pace.SECOND_US)


def behind(connection: sa.Connection) -> Sequence[str]:
    """Open webhooks for which entries stand that no delivery was made for, or whose numbers are of another epoch."""
    now = reading.epoch(connection)
    new = sa.exists().where(counter.c.organisation == webhook.c.organisation, counter.c.last >= webhook.c.next_number)
    query = open_webhooks().with_only_columns(webhook.c.webhook_id)
    return connection.execute(query.where(new | (webhook.c.epoch != now))).scalars().all()


def make(connection: sa.Connection, webhook_id: str, *, now_us: int, until_us: int) -> None:
    """Deliveries for the next entries of the webhook's inbox, at most 500.

    After a recovery the inbox is numbered anew, from the beginning. What this webhook was told under its old number it
    is not told again; what was still waiting is, under the new one. What was said before there was this webhook, it is
    told in no epoch, unless somebody asked for it (`recover`).
    """
    now = reading.epoch(connection)
    found = locked(connection, webhook_id)
    if found is None or found.closed_us is not None:
        return
    begin = found.next_number if found.epoch == now else 1
    mine = sa.and_(entry.c.organisation == found.organisation, entry.c.number >= begin)
    columns = (entry.c.number, entry.c.type, entry.c.disclosure_id, entry.c.time_us)
    rows = connection.execute(sa.select(*columns).where(mine).order_by(entry.c.number).limit(MOST_MADE)).all()
    if found.epoch != now:
        _renumber(connection, webhook_id, now)
    last = rows[-1].number if rows else begin - 1
    connection.execute(webhook.update().where(_is(webhook_id)).values(epoch=now, next_number=last + 1))

    if now != found.asked_epoch:
        known = _known(connection, webhook_id, [row.disclosure_id for row in rows])
        rows = [r for r in rows if known.get(r.disclosure_id, r.time_us < found.created_us) is False]
    notices = [Notice(now, row.number, row.type, row.disclosure_id, now_us) for row in rows]
    owe(connection, webhook_id, notices, until_us)


def owe(connection: sa.Connection, webhook_id: str, notices: Sequence[Notice], until_us: int) -> None:
    """Deliveries of these notices, to be sent from now on; also of those that were sent before."""
    new = upsert(connection, delivery)
    again = {name: new.excluded[name] for name in ("until_us", "state", "next_us")}
    if notices:
        rows = [_delivery(webhook_id, notice, until_us) for notice in notices]
        connection.execute(new.on_conflict_do_update(index_elements=delivery.primary_key.columns, set_=again), rows)


def due(connection: sa.Connection, *, now_us: int, limit: int) -> Sequence[str]:
    """Open webhooks with something to send now, and nobody's turn; who had the last turn longest ago first."""
    waits = sa.exists().where(
        delivery.c.webhook_id == webhook.c.webhook_id, delivery.c.state == WAITING, delivery.c.next_us <= now_us
    )
    free = sa.and_(webhook.c.rest_until_us <= now_us, webhook.c.leased_until_us <= now_us)
    query = open_webhooks().with_only_columns(webhook.c.webhook_id).where(free, waits)
    return connection.execute(query.order_by(webhook.c.leased_until_us).limit(limit)).scalars().all()


def take(connection: sa.Connection, webhook_id: str, holder: str, *, now_us: int) -> Turn | None:
    """Begin a turn; None if another process has it, or nothing is due any more."""
    free = sa.and_(_is(webhook_id), webhook.c.closed_us.is_(None), webhook.c.leased_until_us <= now_us)
    taken = connection.execute(
        webhook.update().where(free).values(leased_by=holder, leased_until_us=now_us + LEASE_US)
    ).rowcount
    return _next(connection, webhook_id, holder, now_us) if taken else None


def record(connection: sa.Connection, turn: Turn, outcome: Outcome, *, now_us: int, go_on: bool) -> Turn | None:
    """What became of the attempt; then the next notice of the same turn.

    Nothing is recorded if the turn has passed to somebody else, or the webhook is gone.
    """
    found = locked(connection, turn.webhook_id)
    if found is None or found.leased_by != turn.holder:
        return None
    connection.execute(
        attempt.insert().values(
            webhook_id=turn.webhook_id, epoch=turn.notice.epoch, number=turn.notice.number, attempt=turn.attempt,
            at_us=now_us, status=outcome.status, what=outcome.what,
        )
    )  # fmt: skip
    values: dict[str, object] = {"attempts": turn.attempt}
    if outcome.taken:
        values["state"] = DELIVERED
    else:
        values["next_us"] = now_us + pace.again_after(turn.attempt)
    connection.execute(
        delivery.update().where(this(turn.webhook_id, turn.notice.epoch, turn.notice.number)).values(values)
    )

    if outcome.gone and found.closed_us is None:
        close(connection, turn.webhook_id, GONE, now_us=now_us)
    elif outcome.taken:
        _well(connection, turn.webhook_id, found.failing, now_us)
    else:
        _failed(connection, turn, found.failing, now_us)
    if go_on:
        return _next(connection, turn.webhook_id, turn.holder, now_us)
    _let_go(connection, turn.webhook_id, turn.holder, now_us)
    return None


def close(connection: sa.Connection, webhook_id: str, why: str, *, now_us: int) -> None:
    """Nothing more is sent there; what waited is given up."""
    connection.execute(webhook.update().where(_is(webhook_id)).values(closed_us=now_us, why_closed=why))
    waiting = sa.and_(delivery.c.webhook_id == webhook_id, delivery.c.state == WAITING)
    _give_up(connection, waiting)


def _give_up(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    GIVEN_UP_TOTAL.inc(connection.execute(delivery.update().where(which).values(state=GIVEN_UP)).rowcount)


def _well(connection: sa.Connection, webhook_id: str, failing: int, now_us: int) -> None:
    """The endpoint takes notices. If it did not for a while, what waits does not wait out its own time."""
    if not failing:
        return
    connection.execute(webhook.update().where(_is(webhook_id)).values(failing=0, rest_until_us=0))
    if failing >= pace.UNWELL:
        waiting = sa.and_(delivery.c.webhook_id == webhook_id, delivery.c.state == WAITING)
        connection.execute(delivery.update().where(waiting).values(next_us=now_us))


def _failed(connection: sa.Connection, turn: Turn, failing: int, now_us: int) -> None:
    """Count what speaks against the endpoint; give up what was tried and failed for long enough."""
    if turn.attempt == 1 or failing >= pace.UNWELL:
        failing += 1
    resting = {"failing": failing, "rest_until_us": now_us + pace.rest(failing)}
    connection.execute(webhook.update().where(_is(turn.webhook_id)).values(resting))
    old = sa.and_(
        delivery.c.webhook_id == turn.webhook_id,
        delivery.c.state == WAITING,
        delivery.c.attempts > 0,
        delivery.c.until_us <= now_us,
    )
    _give_up(connection, old)


def _next(connection: sa.Connection, webhook_id: str, holder: str, now_us: int) -> Turn | None:
    """The next notice that is due, and the lease renewed for it; else the turn ends.

    In order of number. While the endpoint is unwell, what was tried least comes first: one notice that always fails
    must not be the one that all others wait for.
    """
    mine = sa.and_(
        _is(webhook_id), webhook.c.leased_by == holder, webhook.c.closed_us.is_(None), webhook.c.rest_until_us <= now_us
    )
    hook = connection.execute(sa.select(webhook).where(mine)).first()
    found = None
    if hook is not None:
        waiting = sa.and_(
            delivery.c.webhook_id == webhook_id, delivery.c.state == WAITING, delivery.c.next_us <= now_us
        )
        unwell = (delivery.c.attempts,) if hook.failing >= pace.UNWELL else ()
        found = connection.execute(
            sa.select(delivery).where(waiting).order_by(*unwell, delivery.c.number, delivery.c.epoch).limit(1)
        ).first()
    if hook is None or found is None:
        _let_go(connection, webhook_id, holder, now_us)
        return None
    connection.execute(webhook.update().where(_is(webhook_id)).values(leased_until_us=now_us + LEASE_US))
    notice = Notice(found.epoch, found.number, found.kind, found.about, found.made_us)
    secrets = [hook.secret, *formers(connection, webhook_id, now_us=now_us)]
    return Turn(webhook_id, holder, hook.url, secrets, notice, found.attempts + 1)


def _let_go(connection: sa.Connection, webhook_id: str, holder: str, now_us: int) -> None:
    """Anybody may have the next turn, those first who wait longest."""
    mine = sa.and_(_is(webhook_id), webhook.c.leased_by == holder)
    connection.execute(webhook.update().where(mine).values(leased_by=None, leased_until_us=now_us))


def _renumber(connection: sa.Connection, webhook_id: str, epoch: str) -> None:
    old = sa.and_(
        delivery.c.webhook_id == webhook_id, delivery.c.state == WAITING, delivery.c.epoch.not_in([epoch, LATE])
    )
    connection.execute(delivery.update().where(old).values(state=RENUMBERED))


def _known(connection: sa.Connection, webhook_id: str, disclosures: Sequence[str]) -> dict[str, bool]:
    """For disclosures that deliveries were made about, under whatever number: whether they came to an end."""
    same = sa.and_(delivery.c.webhook_id == webhook_id, delivery.c.about.in_(disclosures))
    ended: dict[str, bool] = {}
    for about, state in connection.execute(sa.select(delivery.c.about, delivery.c.state).where(same)):
        ended[about] = ended.get(about, False) or state != RENUMBERED
    return ended


def _delivery(webhook_id: str, notice: Notice, until_us: int) -> dict[str, object]:
    return {
        "webhook_id": webhook_id,
        "epoch": notice.epoch,
        "number": notice.number,
        "kind": notice.kind,
        "about": notice.about,
        "made_us": notice.made_us,
        "until_us": until_us,
        "state": WAITING,
        "attempts": 0,
        "next_us": notice.made_us,
    }


def locked(connection: sa.Connection, webhook_id: str) -> sa.Row[Any] | None:
    """The webhook as it is now, held until the transaction ends; SQLite holds everything."""
    return connection.execute(sa.select(webhook).where(_is(webhook_id)).with_for_update()).first()


def formers(connection: sa.Connection, webhook_id: str, *, now_us: int) -> Sequence[str]:
    """Secrets of before that sign still, beside the present one; the latest first."""
    live = sa.and_(former_secret.c.webhook_id == webhook_id, former_secret.c.until_us > now_us)
    query = sa.select(former_secret.c.secret).where(live).order_by(former_secret.c.until_us.desc())
    return connection.execute(query).scalars().all()


def open_webhooks() -> sa.Select[Any]:
    """Those of partners who are open themselves; select columns with `with_only_columns`."""
    joined = webhook.join(partner, partner.c.organisation == webhook.c.organisation)
    return sa.select(webhook).select_from(joined).where(webhook.c.closed_us.is_(None), partner.c.closed_us.is_(None))


def _is(webhook_id: str) -> sa.ColumnElement[bool]:
    return webhook.c.webhook_id == webhook_id


def this(webhook_id: str, epoch: str, number: int) -> sa.ColumnElement[bool]:
    """That one delivery."""
    return sa.and_(delivery.c.webhook_id == webhook_id, delivery.c.epoch == epoch, delivery.c.number == number)
