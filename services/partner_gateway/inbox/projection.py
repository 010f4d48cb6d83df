"""Disclosures fall into their recipients' inboxes, each once, gaplessly numbered; receipts mark them as read.

An organisation's number comes from its own counter row, which is locked, in the order of the names, in the transaction
that inserts: a database sequence would let readers pass numbers that are not committed yet, and locks in any other
order are deadlocks (DESIGN.md §1; docs/decisions/0014).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from secrets import token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.bus.catalogue import load
from services.bus.events import DisclosureRead, MeetingRecorded, MinutesApproved
from services.bus.heard import Heard
from services.bus.projection import Copy
from services.bus.settings import settings
from services.partner_gateway.decide import entry_of
from services.partner_gateway.documents.chair import note_chair
from services.partner_gateway.documents.entitled import note_distributions
from services.partner_gateway.inbox.tables import counter, entry, epoch, metadata, reading

CURSOR = "safebus_cursor"
"""The header of a copy with its number, as EPOCH.NUMBER."""


class Inboxes:
    """The projection (services/bus/projection.py). `listeners` are called after each commit that it wrote in."""

    tables = metadata

    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []
        self._topics: Mapping[str, str] | None = None

    @property
    def _topic_of(self) -> Mapping[str, str]:
        """By organisation, its own topic, for those whose system speaks Kafka."""
        if self._topics is None:
            self._topics = {name: inbox.name for name, inbox in load(settings().catalogue).inboxes.items()}
        return self._topics

    @property
    def copies_to(self) -> Sequence[str]:
        return list(self._topic_of.values())

    def begin(self, connection: sa.Connection) -> None:
        """An epoch, unless there is one: numbers that were given before a recovery are told apart by it."""
        insert = _dialect(connection).insert(epoch)
        connection.execute(insert.on_conflict_do_nothing(), {"one": 1, "epoch": token_hex(4)})

    def record(self, connection: sa.Connection, done: Sequence[Heard]) -> Iterable[Copy]:
        """Number and insert what disclosed; mark what was read."""
        told: dict[str, dict[str, Heard]] = defaultdict(dict)
        read, chaired = [], []
        for h in done:
            if isinstance(h.event, DisclosureRead):
                read.append(h.event)
            elif isinstance(h.event, MeetingRecorded | MinutesApproved):
                chaired.append(h.event)
            elif h.event is not None:
                found = entry_of(h.event)
                told[found.organisation].setdefault(str(found.disclosure_id), h)
        numbered = list(_numbered(connection, told))
        if numbered:
            connection.execute(entry.insert(), [_row(*one) for one in numbered])
            note_distributions(connection, numbered)
        _mark(connection, read)
        note_chair(connection, chaired)
        copied = [one for one in numbered if one[0] in self._topic_of and not _to_be_declared(one[2])]
        if not copied:
            return ()
        now = connection.execute(sa.select(epoch.c.epoch)).scalar_one()
        return [Copy(h, self._topic_of[to], [(CURSOR, f"{now}.{number}".encode())]) for to, number, h in copied]

    def committed(self) -> None:
        for listener in self.listeners:
            listener()


INBOXES = Inboxes()


def _dialect(connection: sa.Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def _numbered(connection: sa.Connection, told: Mapping[str, Mapping[str, Heard]]) -> Iterator[tuple[str, int, Heard]]:
    """Organisation and number of each that does not stand there already."""
    for organisation in sorted(told):
        heard = told[organisation]
        _lock(connection, organisation)
        mine = sa.and_(entry.c.organisation == organisation, entry.c.disclosure_id.in_(list(heard)))
        stand = set(connection.execute(sa.select(entry.c.disclosure_id).where(mine)).scalars())
        new = [h for disclosure_id, h in heard.items() if disclosure_id not in stand]
        take = (
            counter.update()
            .where(counter.c.organisation == organisation)
            .values(last=counter.c.last + len(new))
            .returning(counter.c.last)
        )
        last = connection.execute(take).scalar_one()
        for number, h in enumerate(new, last - len(new) + 1):
            yield organisation, number, h


def _to_be_declared(h: Heard) -> bool:
    """Whether a reader must declare first that there is no conflict (H3): then only the door shows it, which asks."""
    return h.event is not None and entry_of(h.event).declare_no_conflict


def _lock(connection: sa.Connection, organisation: str) -> None:
    """The counter row: made if it is missing, and held until the transaction ends."""
    insert = _dialect(connection).insert(counter)
    connection.execute(insert.values(organisation=organisation, last=0).on_conflict_do_nothing())
    connection.execute(sa.select(counter).where(counter.c.organisation == organisation).with_for_update())


def _row(organisation: str, number: int, h: Heard) -> dict[str, Any]:
    event, envelope = h.event, h.envelope
    assert event is not None
    assert envelope is not None
    found = entry_of(event)
    return {
        "organisation": organisation,
        "number": number,
        "disclosure_id": str(found.disclosure_id),
        "type": event.topic,
        "event_id": envelope.id,
        "source": envelope.source,
        "time_us": int(envelope.time.timestamp() * 1_000_000),
        "correlation": envelope.correlation_id,
        "child_id": found.child_id,
        "role": found.role,
        "due_us": int(found.due_by.timestamp() * 1_000_000) if found.due_by else None,
        "declare_no_conflict": found.declare_no_conflict,
        "location_confidential": found.location_confidential,
        "content": event.model_dump_json(by_alias=True).encode(),
    }


def _mark(connection: sa.Connection, read: Sequence[DisclosureRead]) -> None:
    if not read:
        return
    insert = _dialect(connection).insert(reading)
    first = {(str(r.disclosure_id), r.state.value): int(r.happened_at.timestamp() * 1_000_000) for r in reversed(read)}
    rows = [{"disclosure_id": i, "state": s, "at_us": us} for (i, s), us in sorted(first.items())]
    connection.execute(insert.on_conflict_do_nothing(), rows)
