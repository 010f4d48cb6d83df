"""A partner's own webhooks, as it makes, sees and mends them. Asked for by its organisation, never by id alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import sqlalchemy as sa

from services.partner_gateway.door.cursor import EpochChanged
from services.partner_gateway.inbox import reading
from services.partner_gateway.tables import attempt, delivery, former_secret, webhook
from services.partner_gateway.webhooks import deliveries
from services.partner_gateway.webhooks.deliveries import GIVEN_UP, RENUMBERED, WAITING
from services.partner_gateway.webhooks.message import Notice, new_secret
from services.web.cursor import Cursor
from services.web.problems import Problem

MOST = 10
"""Webhooks of one organisation, closed ones too until they are deleted."""

MOST_SECRETS = 5
"""Secrets of one webhook that sign at the same time."""

_NOTICE = re.compile(r"(?:(late|[0-9a-f]{8})\.)?([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Of:
    """One webhook of one organisation, as a route names it."""

    organisation: str
    webhook_id: str


def add(connection: sa.Connection, organisation: str, url: str, *, now_us: int) -> tuple[Of, str]:
    """A webhook for entries from now on, and its secret.

    Raises:
        Problem: 409, there are ten already.
    """
    count = sa.select(sa.func.count()).select_from(webhook).where(webhook.c.organisation == organisation)
    if connection.execute(count).scalar_one() >= MOST:
        raise Problem(409, "too-many-webhooks", f"you have {MOST} webhooks; delete one that you do not need")
    epoch, secret, webhook_id = reading.epoch(connection), new_secret(), f"wh_{token_hex(12)}"
    connection.execute(
        webhook.insert().values(
            webhook_id=webhook_id, organisation=organisation, url=url, secret=secret, created_us=now_us,
            epoch=epoch, asked_epoch=epoch, next_number=reading.last(connection, organisation) + 1,
            failing=0, rest_until_us=0, leased_until_us=0,
        )
    )  # fmt: skip
    return Of(organisation, webhook_id), secret


def shown(connection: sa.Connection, organisation: str, *, now_us: int) -> list[dict[str, Any]]:
    """All webhooks of the organisation and how they fare."""
    rows = connection.execute(
        sa.select(webhook).where(webhook.c.organisation == organisation).order_by(webhook.c.created_us)
    ).all()
    ids = [row.webhook_id for row in rows]
    counts = connection.execute(
        sa.select(delivery.c.webhook_id, delivery.c.state, sa.func.count())
        .where(delivery.c.webhook_id.in_(ids), delivery.c.state.in_([WAITING, GIVEN_UP]))
        .group_by(delivery.c.webhook_id, delivery.c.state)
    )
    found = {(webhook_id, state): count for webhook_id, state, count in counts}
    return [_webhook(row, found, now_us) for row in rows]


def one(connection: sa.Connection, of: Of, *, now_us: int) -> dict[str, Any]:
    """One webhook and how it fares.

    Raises:
        Problem: 404, the organisation has none of that id.
    """
    found = [hook for hook in shown(connection, of.organisation, now_us=now_us) if hook["id"] == of.webhook_id]
    if not found:
        raise _none()
    return found[0]


def delete(connection: sa.Connection, of: Of) -> None:
    """No such webhook any more, nor anything about it. Raises 404 as `one`."""
    _own(connection, of)
    deliveries.locked(connection, of.webhook_id)
    for table in (attempt, delivery, former_secret, webhook):
        connection.execute(table.delete().where(table.c.webhook_id == of.webhook_id))


def deliveries_of(
    connection: sa.Connection, of: Of, *, state: str | None, before: str | None, limit: int
) -> list[dict[str, Any]]:
    """Deliveries with their attempts, the newest first. Raises 404 as `one`, and for a `before` that never was."""
    own = _own(connection, of)
    query = sa.select(delivery).where(delivery.c.webhook_id == of.webhook_id)
    if state is not None:
        query = query.where(delivery.c.state == state)
    order = (delivery.c.made_us, delivery.c.number, delivery.c.epoch)
    if before is not None:
        last = _delivery(connection, own, before)
        query = query.where(sa.tuple_(*order) < sa.tuple_(*(sa.literal(last._mapping[c.name]) for c in order)))
    return _with_attempts(
        connection, of, connection.execute(query.order_by(*(c.desc() for c in order)).limit(limit)).all()
    )


def resend(connection: sa.Connection, of: Of, notice: str, *, now_us: int, until_us: int) -> dict[str, Any]:
    """Send that notice again, under the same id, whatever became of it.

    Raises:
        Problem: 404 as `one`, or there was no such notice; 409, the webhook is closed, or the notice's number has
            passed with its epoch.
    """
    own = _held(connection, of)
    found = _delivery(connection, own, notice)
    if found.state == RENUMBERED:
        raise Problem(409, "renumbered", "the inbox was built anew: this notice was made again under a new number")
    this = deliveries.this(of.webhook_id, found.epoch, found.number)
    connection.execute(delivery.update().where(this).values(state=WAITING, next_us=now_us, until_us=until_us))
    _wake(connection, of)
    return _with_attempts(connection, of, connection.execute(sa.select(delivery).where(this)).all())[0]


def recover(connection: sa.Connection, of: Of, after: Cursor) -> int:
    """Notices of every entry after the cursor, in order, also of those sent before; how many entries that is now.

    Raises:
        Problem: 404 as `one`; 409, the webhook is closed; 410, the cursor is of an epoch that has passed.
    """
    _held(connection, of)
    epoch = reading.epoch(connection)
    if after.epoch != epoch:
        raise EpochChanged(epoch)
    last = reading.last(connection, of.organisation)
    begin = min(after.number, last) + 1
    from_there = {"epoch": epoch, "asked_epoch": epoch, "next_number": begin}
    connection.execute(webhook.update().where(webhook.c.webhook_id == of.webhook_id).values(from_there))
    _wake(connection, of)
    return last + 1 - begin


def rotate(connection: sa.Connection, of: Of, *, now_us: int, until_us: int) -> str:
    """A new secret, which signs from now on; what signed before signs beside it until then, or its own end if sooner.

    Raises:
        Problem: 404 as `one`; 409, the webhook is closed, or five secrets sign for it already.
    """
    held = _held(connection, of)
    if len(deliveries.formers(connection, of.webhook_id, now_us=now_us)) + 1 >= MOST_SECRETS:
        raise Problem(
            409, "too-many-secrets", f"{MOST_SECRETS} secrets sign for this webhook; ask again when one has ended"
        )
    over = (former_secret.c.webhook_id == of.webhook_id) & (former_secret.c.until_us <= now_us)
    connection.execute(former_secret.delete().where(over))
    if until_us > now_us:
        row = {"webhook_id": of.webhook_id, "secret": held.secret, "until_us": until_us}
        connection.execute(former_secret.insert(), row)
    secret = new_secret()
    connection.execute(webhook.update().where(webhook.c.webhook_id == of.webhook_id).values(secret=secret))
    return secret


def _own(connection: sa.Connection, of: Of) -> sa.Row[Any]:
    mine = sa.and_(webhook.c.webhook_id == of.webhook_id, webhook.c.organisation == of.organisation)
    found = connection.execute(sa.select(webhook).where(mine)).first()
    if found is None:
        raise _none()
    return found


def _none() -> Problem:
    return Problem(404, "not-found", "you have no such webhook")


def _held(connection: sa.Connection, of: Of) -> sa.Row[Any]:
    """The same, if it is not closed, held until the transaction ends."""
    _own(connection, of)
    found = deliveries.locked(connection, of.webhook_id)
    if found is None or found.closed_us is not None:
        raise Problem(409, "webhook-closed", "this webhook is closed; make a new one and recover it from your cursor")
    return found


def _delivery(connection: sa.Connection, own: sa.Row[Any], notice: str) -> sa.Row[Any]:
    parts = _NOTICE.fullmatch(notice)
    found = None
    if parts is not None:
        this = deliveries.this(own.webhook_id, parts[1] or own.epoch, int(parts[2]))
        found = connection.execute(sa.select(delivery).where(this)).first()
    if found is None:
        raise Problem(404, "not-found", "this webhook has had no such notice; `recover` makes those of earlier entries")
    return found


def _wake(connection: sa.Connection, of: Of) -> None:
    """Who asks knows that the endpoint is there again: its rest ends."""
    connection.execute(webhook.update().where(webhook.c.webhook_id == of.webhook_id).values(rest_until_us=0))


def _webhook(row: sa.Row[Any], counts: dict[tuple[str, str], int], now_us: int) -> dict[str, Any]:
    resting = row.closed_us is None and row.rest_until_us > now_us
    return {
        "id": row.webhook_id,
        "url": row.url,
        "state": "closed" if row.closed_us is not None else "resting" if resting else "open",
        "why_closed": row.why_closed,
        "resting_until": reading.moment(row.rest_until_us) if resting else None,
        "created_at": reading.moment(row.created_us),
        "waiting": counts.get((row.webhook_id, WAITING), 0),
        "given_up": counts.get((row.webhook_id, GIVEN_UP), 0),
    }


def _with_attempts(connection: sa.Connection, of: Of, rows: Sequence[sa.Row[Any]]) -> list[dict[str, Any]]:
    mine = attempt.c.webhook_id == of.webhook_id
    these = [mine & (attempt.c.epoch == row.epoch) & (attempt.c.number == row.number) for row in rows]
    # Each by its key: SQLite would look through all of the webhook's attempts for a list of pairs.
    query = sa.select(attempt).where(sa.or_(*these)).order_by(attempt.c.attempt) if these else None
    attempts = defaultdict(list)
    for tried in connection.execute(query) if query is not None else ():
        said = {"at": reading.moment(tried.at_us), "status": tried.status, "what": tried.what}
        attempts[tried.epoch, tried.number].append(said)
    return [_shown(row, attempts[row.epoch, row.number]) for row in rows]


def _shown(row: sa.Row[Any], attempts: list[dict[str, Any]]) -> dict[str, Any]:
    notice = Notice(row.epoch, row.number, row.kind, row.about, row.made_us)
    return {
        "id": notice.id,
        "type": notice.type,
        "data": notice.data,
        "state": row.state,
        "made_at": reading.moment(row.made_us),
        "next_attempt_at": reading.moment(row.next_us) if row.state == WAITING else None,
        "attempts": attempts,
    }
