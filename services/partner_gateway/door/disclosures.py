"""The id of a disclosure that a partner posts: it chooses one itself, and it must stand for that disclosure alone.

By it receipts and deadlines know what was read. The first event that names an id has it, whichever process it comes to;
what comes to Kafka another way is refused by the loop (decide.py), and is a dead letter before a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.bus.codec import digest
from services.bus.envelope import Event
from services.bus.events import Disclosure
from services.bus.tables import upsert
from services.bus.work import AT_ONCE
from services.partner_gateway.door import once
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox.tables import entry
from services.partner_gateway.tables import disclosing, posted
from services.web.problems import Problem

OURS = 5
"""The version of the ids that the bus gives, each of which follows from its cause and its recipient: whoever knows the
cause could try one, to learn who else was told, or to have it first. So none is taken, whether it stands or not."""

POINTER = "/data/disclosure/id"


async def only_new_disclosures(gateway: Gateway, events: Sequence[Event]) -> list[Problem | None]:
    """For each event, why it may not be taken; None if it may. Each then has its disclosure's id for itself."""
    refused = [of_ours(event) for event in events]
    asking = {n: event for n, event in enumerate(events) if _id_of(event) and refused[n] is None}
    if asking:
        now_us = gateway.now_us
        taken = await gateway.access.write(lambda connection: claim(connection, list(asking.values()), now_us))
        for n, other in zip(asking, taken, strict=True):
            refused[n] = _stands() if other else None
    return refused


def claim(connection: sa.Connection, events: Sequence[Event], now_us: int) -> list[bool]:
    """For each of these events, which all disclose, whether its disclosure's id is another event's.

    An event whose own id stands for another content claims nothing: it will not be sent.
    """
    known = once.standing(connection, [(e.envelope.source, e.envelope.id) for e in events])
    wanted = {
        _id_of(e): (e.envelope.source, e.envelope.id)
        for e in reversed(events)
        if (before := known.get((e.envelope.source, e.envelope.id))) is None or before[0].digest == digest(e)
    }
    rows = [
        {"disclosure_id": disclosure_id, "source": source, "event_id": event_id, "at_us": now_us}
        for disclosure_id, (source, event_id) in sorted(wanted.items())  # two processes lock in one order
    ]
    if rows:
        connection.execute(upsert(connection, disclosing).on_conflict_do_nothing(), rows)
    owners = _owners(connection, _CHOSEN, list(wanted)) | _owners(connection, _TOLD, list(wanted))
    return [
        (owner := owners.get(_id_of(e))) is not None and owner != (e.envelope.source, e.envelope.id) for e in events
    ]


async def let_go(gateway: Gateway, events: Sequence[Event]) -> None:
    """These were not sent, and will not be as they are: another event may have their disclosures' ids."""
    own = [(_id_of(e), e.envelope.source, e.envelope.id) for e in events if _id_of(e)]
    sent = sa.exists().where(posted.c.source == disclosing.c.source, posted.c.event_id == disclosing.c.event_id)
    ids = [disclosure_id for disclosure_id, *_ in own]  # by which the rows are found
    theirs = sa.tuple_(disclosing.c.source, disclosing.c.event_id).in_([event for _, *event in own])
    let = disclosing.delete().where(disclosing.c.disclosure_id.in_(ids), theirs, ~sent)
    if own:
        await gateway.access.write(lambda connection: connection.execute(let))


def _owners_in(table: sa.Table) -> sa.Select[Any]:
    ids: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
    return sa.select(table.c.disclosure_id, table.c.source, table.c.event_id).where(table.c.disclosure_id.in_(ids))


_CHOSEN, _TOLD = _owners_in(disclosing), _owners_in(entry)  # made once: that costs 90 µs each time (measured)


def _owners(connection: sa.Connection, query: sa.Select[Any], disclosure_ids: Sequence[str]) -> dict[str, once.Id]:
    found: dict[str, once.Id] = {}
    for start in range(0, len(disclosure_ids), AT_ONCE):
        some = {"ids": disclosure_ids[start : start + AT_ONCE]}
        found |= {row[0]: (row[1], row[2]) for row in connection.execute(query, some)}
    return found


def _id_of(event: Any) -> str:
    """As it stands in the tables; empty if the event discloses nothing."""
    disclosure: Disclosure | None = getattr(event, "disclosure", None)
    return str(disclosure.id) if disclosure else ""


def of_ours(event: Any) -> Problem | None:
    """Why it may not be taken, if its disclosure's id is of the kind that only the bus gives."""
    disclosure: Disclosure | None = getattr(event, "disclosure", None)
    if disclosure is None or disclosure.id.version != OURS:
        return None
    reason = "is a UUID of version 5, which only the bus gives; take a random one, version 4"
    return Problem(422, "invalid-event", "the bus does not take that disclosure id", errors=[(POINTER, reason)])


def _stands() -> Problem:
    detail = "that disclosure id stands for another disclosure; a new disclosure needs a new id, a random UUID"
    return Problem(409, "disclosure-id-reused", detail, errors=[(POINTER, "stands for another disclosure")])
