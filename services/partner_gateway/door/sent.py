"""What became of an event, for who posted it: roles and states, never who was told or where (H2)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request

from services.bus.codec import event_types
from services.partner_gateway.door.cloudevents import reason_against
from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.door.events_in import known
from services.partner_gateway.door.who import Caller, authorise, caller
from services.partner_gateway.inbox.tables import entry, reading
from services.partner_gateway.tables import posted
from services.web.problems import Problem

Row = Any
"""Of `posted`, or of an inbox; SQLAlchemy's own type would have to name every column's."""

router = APIRouter()

_COLUMNS = (posted.c.source, posted.c.event_id, posted.c.type, posted.c.at_us, posted.c.acknowledged)
_ORDER = (posted.c.at_us, posted.c.source, posted.c.event_id)


@router.get("/v1/events/{topic}/{event_id:path}")
async def state_of_event(
    topic: str, event_id: str, source: str, request: Request, who: Annotated[Caller, Depends(caller)]
) -> dict[str, Any]:
    """One event. An id that another organisation posted is as unknown as one that nobody did."""
    gateway = gateway_of(request)
    known(topic)
    authorise(who, topic)
    mine = sa.and_(
        posted.c.organisation == who.organisation,
        posted.c.type == topic,
        posted.c.source == source,
        posted.c.event_id == event_id,
    )
    now_us = gateway.now_us

    def find(connection: sa.Connection) -> list[dict[str, Any]]:
        return _told(connection, connection.execute(sa.select(*_COLUMNS).where(mine)).all(), now_us)

    found = None if reason_against(source) or reason_against(event_id) else await gateway.access.read(find)
    if not found:
        raise Problem(404, "not-found", "there is nothing here, or nothing for you")
    return found[0]


@router.get("/v1/sent")
async def sent(
    request: Request,
    who: Annotated[Caller, Depends(caller)],
    late: bool = False,
    after: str | None = None,
    limit: Annotated[int | None, Query(ge=1, le=1000)] = None,
) -> dict[str, Any]:
    """The own events, newest first; with `late`, those of which something is not read in time."""
    gateway = gateway_of(request)
    types = sorted(who.scopes & event_types().keys())
    authorise(who, types[0] if types else "of an event type")
    now_us, page = gateway.now_us, limit or gateway.settings.gateway_page
    wanted = [posted.c.organisation == who.organisation, posted.c.type.in_(types)]
    if after is not None:
        wanted.append(sa.tuple_(*_ORDER) < sa.tuple_(*(sa.literal(part) for part in _place(after))))
    if late:
        wanted.append(_has_late(now_us))
    query = sa.select(*_COLUMNS).where(*wanted).order_by(*(column.desc() for column in _ORDER)).limit(page + 1)

    def find(connection: sa.Connection) -> tuple[Sequence[Row], list[dict[str, Any]]]:
        rows = connection.execute(query).all()
        return rows, _told(connection, rows[:page], now_us)

    rows, events = await gateway.access.read(find)
    following = _mark(rows[min(len(rows), page) - 1]) if rows else after
    return {"events": events, "next": following, "more": len(rows) > page}


def _has_late(now_us: int) -> sa.ColumnElement[bool]:
    unread = ~sa.exists().where(reading.c.disclosure_id == entry.c.disclosure_id)
    cause = posted.c.source + " " + posted.c.event_id
    return sa.exists().where(entry.c.correlation == cause, entry.c.due_us < now_us, unread)


def _told(connection: sa.Connection, rows: Sequence[Row], now_us: int) -> list[dict[str, Any]]:
    """Each event with what followed from it. Who reads this must not learn the order in which inboxes were filled."""
    causes = [f"{row.source} {row.event_id}" for row in rows]
    columns = (entry.c.correlation, entry.c.disclosure_id, entry.c.role, entry.c.due_us, entry.c.location_confidential)
    entries = connection.execute(sa.select(*columns).where(entry.c.correlation.in_(causes))).all()
    read = sa.select(reading.c.disclosure_id, reading.c.state)
    read = read.where(reading.c.disclosure_id.in_([each.disclosure_id for each in entries]))
    states: dict[str, set[str]] = defaultdict(set)
    for disclosure_id, state in connection.execute(read):
        states[disclosure_id].add(state)
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in entries:
        told[each.correlation].append(_recipient(each, states[each.disclosure_id], now_us))
    return [_event(row, told[cause]) for row, cause in zip(rows, causes, strict=True)]


def _event(row: Row, recipients: list[dict[str, Any]]) -> dict[str, Any]:
    """`unknown`: it was posted, and no acknowledgement is known of; its sender should post it again."""
    return {
        "id": row.event_id,
        "source": row.source,
        "type": row.type,
        "posted_at": _time(row.at_us),
        "state": "accepted" if row.acknowledged else "unknown",
        "recipients": sorted(recipients, key=lambda one: (one["role"], one["due_by"] or "", one["state"])),
    }


def _recipient(each: Row, states: set[str], now_us: int) -> dict[str, Any]:
    """By when a recipient should read tells when it opens, which may tell who it is: of a hidden child, not shown."""
    late = each.due_us is not None and each.due_us < now_us
    state = "acted" if "ACTED" in states else "read" if states else "late" if late else "delivered"
    due_us = None if each.location_confidential else each.due_us
    return {"role": each.role, "state": state, "due_by": _time(due_us) if due_us is not None else None}


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def _mark(row: Row) -> str:
    """Where the next page begins; opaque to its reader."""
    place = json.dumps([row.at_us, row.source, row.event_id], separators=(",", ":"))
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _place(mark: str) -> tuple[int, str, str]:
    try:
        at_us, source, event_id = json.loads(urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
    except (ValueError, TypeError, NotBase64):
        at_us, source, event_id = None, None, None
    sound = all(isinstance(name, str) and not reason_against(name) for name in (source, event_id))
    if not sound or not isinstance(at_us, int) or abs(at_us) >= 2**63:
        raise Problem(422, "invalid-request", "after is none of ours: take `next` of the page before")
    return at_us, source, event_id
