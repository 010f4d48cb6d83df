"""How entries stand in their inboxes: with their urgency, which receipts change, and counted by organisation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.bus.envelope import Envelope
from services.bus.events import DisclosureRead
from services.bus.heard import Heard
from services.bus.tables import upsert
from services.bus.work import inserted
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


@dataclass(slots=True)
class Count:
    """An organisation's counter row, which is locked, as `keep` is to write it."""

    last: int
    unfinished: int


Counts = Mapping[str, Count]

# Made once: a statement that is built where it is used costs 50 to 250 µs more each time (measured), in a batch of one
# event four fifths of all.
_DISCLOSURES: sa.BindParameter[Any] = sa.bindparam("disclosures", expanding=True)
_STANDING = sa.select(
    entry.c.organisation,
    entry.c.number,
    entry.c.disclosure_id,
    entry.c.type,
    entry.c.due_us,
    entry.c.time_us,
    entry.c.urgency,
).where(entry.c.disclosure_id.in_(_DISCLOSURES))
_STATES = sa.select(reading.c.disclosure_id, reading.c.state).where(reading.c.disclosure_id.in_(_DISCLOSURES))
_REORDER = (
    entry.update()
    .where(entry.c.organisation == sa.bindparam("of"), entry.c.number == sa.bindparam("n"))
    .values(urgency=sa.bindparam("u"), order_us=sa.bindparam("at"))
)
_LOCKED = (
    'ON CONFLICT (organisation) DO UPDATE SET "last" = inbox_counter."last" RETURNING organisation, "last", unfinished'
)
_KEPT = 'ON CONFLICT (organisation) DO UPDATE SET "last" = excluded."last", unfinished = excluded.unfinished'


def lock(connection: sa.Connection, organisations: Collection[str]) -> Counts:
    """Their counter rows: made where missing, and held until the transaction ends. Always in the order of the names."""
    rows = [(organisation, 0, 0) for organisation in sorted(organisations)]
    _, locked = inserted(connection, counter, rows, _LOCKED)
    return {r.organisation: Count(r.last, r.unfinished) for r in locked}


def keep(connection: sa.Connection, counts: Counts) -> None:
    """Write the counters, which are locked."""
    rows = [(organisation, count.last, count.unfinished) for organisation, count in sorted(counts.items())]
    inserted(connection, counter, rows, _KEPT)


def note_receipts(connection: sa.Connection, read: Sequence[DisclosureRead]) -> None:
    """The first of each disclosure and state stands."""
    if not read:
        return
    first = {(str(r.disclosure_id), r.state.value): _us(r.happened_at) for r in reversed(read)}
    rows = [{"disclosure_id": i, "state": s, "at_us": us} for (i, s), us in sorted(first.items())]
    connection.execute(upsert(connection, reading).on_conflict_do_nothing(), rows)


def standing(connection: sa.Connection, disclosure_ids: Sequence[str]) -> Sequence[Any]:
    """What is known of the entries of these disclosures besides their content."""
    return connection.execute(_STANDING, {"disclosures": disclosure_ids}).all() if disclosure_ids else ()


def reorder(connection: sa.Connection, stood: Sequence[Any], counts: Counts) -> None:
    """Bring these entries' urgency up to date with their receipts. Their counters are locked."""
    states, changed = _states(connection, [one.disclosure_id for one in stood]), []
    for one in stood:
        now = urgency(one.type, one.due_us, in_danger=one.urgency == IN_DANGER, **states[one.disclosure_id])
        if now != one.urgency:
            counts[one.organisation].unfinished -= now == FINISHED
            changed.append(
                {"of": one.organisation, "n": one.number, "u": now, "at": order_us(now, one.due_us, one.time_us)}
            )
    if changed:
        connection.execute(_REORDER, changed)


def insert(connection: sa.Connection, numbered: Sequence[Numbered], counts: Counts) -> None:
    """New entries, also of disclosures whose receipts came first. Their counters are locked."""
    states = _states(connection, [str(one.entry.disclosure_id) for _, one in numbered])
    rows = [_row(number, one, states[str(one.entry.disclosure_id)]) for number, one in numbered]
    for row in rows:
        counts[row["organisation"]].unfinished += row["urgency"] != FINISHED
    inserted(connection, entry, [tuple(row.values()) for row in rows])


def _states(connection: sa.Connection, disclosure_ids: Sequence[str]) -> dict[str, dict[str, bool]]:
    """By disclosure, whether it was read and acted on."""
    asked = connection.execute(_STATES, {"disclosures": disclosure_ids}) if disclosure_ids else ()
    found = {tuple(row) for row in asked}
    return {i: {"read": (i, "READ") in found, "acted": (i, "ACTED") in found} for i in disclosure_ids}


def _row(number: int, one: Telling, states: dict[str, bool]) -> dict[str, Any]:
    """In the order of the table's columns."""
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
        "content": event.__pydantic_serializer__.to_json(event, by_alias=True),
        "urgency": now,
        "order_us": order_us(now, due_us, time_us),
    }


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
