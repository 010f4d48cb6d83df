"""How entries stand in their inboxes: with their urgency, which receipts change, and counted by organisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.bus.envelope import Envelope
from services.bus.events import DisclosureRead
from services.bus.heard import Heard
from services.bus.tables import upsert
from services.partner_gateway.decide import Entry
from services.partner_gateway.inbox.tables import counter, entry, reading
from services.partner_gateway.inbox.urgency import FINISHED, IN_DANGER, order_us, urgency


class Telling(NamedTuple):
    """An event that discloses, and the entry it makes."""

    heard: Heard
    entry: Entry

    @property
    def envelope(self) -> Envelope:
        assert self.heard.envelope is not None
        return self.heard.envelope


Numbered = tuple[int, Telling]


def lock(connection: sa.Connection, organisations: Collection[str]) -> None:
    """Their counter rows: made where missing, and held until the transaction ends. Always in the order of the names."""
    make = upsert(connection, counter).on_conflict_do_nothing()
    for organisation in sorted(organisations):
        connection.execute(make, {"organisation": organisation, "last": 0, "unfinished": 0})
        connection.execute(sa.select(counter.c.last).where(counter.c.organisation == organisation).with_for_update())


def note_receipts(connection: sa.Connection, read: Sequence[DisclosureRead]) -> None:
    """The first of each disclosure and state stands."""
    if not read:
        return
    first = {(str(r.disclosure_id), r.state.value): _us(r.happened_at) for r in reversed(read)}
    rows = [{"disclosure_id": i, "state": s, "at_us": us} for (i, s), us in sorted(first.items())]
    connection.execute(upsert(connection, reading).on_conflict_do_nothing(), rows)


def standing(connection: sa.Connection, disclosure_ids: Sequence[str]) -> Sequence[Any]:
    """What is known of the entries of these disclosures besides their content."""
    columns = (entry.c.organisation, entry.c.number, entry.c.disclosure_id, entry.c.type, entry.c.due_us)
    query = sa.select(*columns, entry.c.time_us, entry.c.urgency).where(entry.c.disclosure_id.in_(disclosure_ids))
    return connection.execute(query).all() if disclosure_ids else ()


def reorder(connection: sa.Connection, stood: Sequence[Any]) -> None:
    """Bring these entries' urgency up to date with their receipts. Their counters are locked."""
    states, finished, changed = _states(connection, [one.disclosure_id for one in stood]), Counter[str](), []
    for one in stood:
        now = urgency(one.type, one.due_us, in_danger=one.urgency == IN_DANGER, **states[one.disclosure_id])
        if now != one.urgency:
            finished.update([one.organisation] if now == FINISHED else ())
            changed.append(
                {"of": one.organisation, "n": one.number, "u": now, "at": order_us(now, one.due_us, one.time_us)}
            )
    if not changed:
        return
    this = (entry.c.organisation == sa.bindparam("of")) & (entry.c.number == sa.bindparam("n"))
    order: dict[str, Any] = {"urgency": sa.bindparam("u"), "order_us": sa.bindparam("at")}
    connection.execute(entry.update().where(this).values(order), changed)
    _count(connection, finished, -1)


def insert(connection: sa.Connection, numbered: Sequence[Numbered]) -> None:
    """New entries, also of disclosures whose receipts came first. Their counters are locked."""
    if not numbered:
        return
    states = _states(connection, [str(one.entry.disclosure_id) for _, one in numbered])
    rows = [_row(number, one, states[str(one.entry.disclosure_id)]) for number, one in numbered]
    connection.execute(entry.insert(), rows)
    _count(connection, Counter(row["organisation"] for row in rows if row["urgency"] != FINISHED), 1)


def _count(connection: sa.Connection, of: Counter[str], sign: int) -> None:
    for organisation, many in sorted(of.items()):
        unfinished = counter.c.unfinished + sign * many
        connection.execute(counter.update().where(counter.c.organisation == organisation).values(unfinished=unfinished))


def _states(connection: sa.Connection, disclosure_ids: Sequence[str]) -> dict[str, dict[str, bool]]:
    """By disclosure, whether it was read and acted on."""
    query = sa.select(reading.c.disclosure_id, reading.c.state).where(reading.c.disclosure_id.in_(disclosure_ids))
    found = {tuple(row) for row in connection.execute(query)} if disclosure_ids else set()
    return {i: {"read": (i, "READ") in found, "acted": (i, "ACTED") in found} for i in disclosure_ids}


def _row(number: int, one: Telling, states: dict[str, bool]) -> dict[str, Any]:
    event, found, envelope = one.heard.event, one.entry, one.envelope
    assert event is not None
    time_us, due_us = _us(envelope.time), _us(found.due_by) if found.due_by else None
    now = urgency(event.topic, due_us, in_danger=found.in_danger, **states)
    return {
        "organisation": found.organisation,
        "number": number,
        "disclosure_id": str(found.disclosure_id),
        "type": event.topic,
        "event_id": envelope.id,
        "source": envelope.source,
        "time_us": time_us,
        "correlation": envelope.correlation_id,
        "child_id": found.child_id,
        "role": found.role,
        "due_us": due_us,
        "declare_no_conflict": found.declare_no_conflict,
        "location_confidential": found.location_confidential,
        "content": event.model_dump_json(by_alias=True).encode(),
        "urgency": now,
        "order_us": order_us(now, due_us, time_us),
    }


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
