"""Disclosures fall into their recipients' inboxes, each once, gaplessly numbered; receipts mark them as read.

An organisation's number comes from its own counter row, which is locked, in the order of the names, in the transaction
that inserts: a database sequence would let readers pass numbers that are not committed yet, and locks in any other
order are deadlocks (DESIGN.md §1; docs/decisions/0014).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from secrets import token_hex

import sqlalchemy as sa
import structlog

from services.bus.catalogue import load
from services.bus.events import DisclosureRead, MeetingRecorded, MinutesApproved
from services.bus.heard import Heard
from services.bus.projection import Copy
from services.bus.settings import settings
from services.bus.tables import upsert
from services.partner_gateway.decide import entry_of
from services.partner_gateway.documents.chair import note_chair
from services.partner_gateway.documents.entitled import note_distributions
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.standing import (
    Counts,
    Numbered,
    Telling,
    insert,
    keep,
    lock,
    note_receipts,
    reorder,
    standing,
)
from services.partner_gateway.inbox.tables import entry, epoch, metadata

CURSOR = "safebus_cursor"
"""The header of a copy with its number, as EPOCH.NUMBER."""

WITHHELD = "safebus_withheld"
"""The header of a mark in a copy's place: why the content is not there."""

CHAIN = frozenset({"ce_correlationid", "ce_causeid", "ce_causesource", "traceparent"})
"""Headers that no copy has: what led to a disclosure may tell who raised the concern (reading.py)."""

log = structlog.get_logger()


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
        insert = upsert(connection, epoch)
        connection.execute(insert.on_conflict_do_nothing(), {"one": 1, "epoch": token_hex(4)})

    def record(self, connection: sa.Connection, done: Sequence[Heard]) -> Iterable[Copy]:
        """Number and insert what disclosed; mark what was read."""
        told: dict[str, dict[str, Telling]] = defaultdict(dict)
        read, chaired = [], []
        for h in done:
            if isinstance(h.event, DisclosureRead):
                read.append(h.event)
            elif isinstance(h.event, MeetingRecorded | MinutesApproved):
                chaired.append(h.event)
            elif h.event is not None:
                one = Telling(h, entry_of(h.event))
                told[one.entry.organisation].setdefault(str(one.entry.disclosure_id), one)
        note_receipts(connection, read)
        stood = standing(connection, [str(receipt.disclosure_id) for receipt in read])
        counts = lock(connection, {*told, *(one.organisation for one in stood)})
        reorder(connection, stood, counts)
        numbered = list(_numbered(connection, told, counts))
        insert(connection, numbered, counts)
        keep(connection, counts)
        note_distributions(connection, [(one.entry.organisation, number, one.heard) for number, one in numbered])
        note_chair(connection, chaired)
        return self._copies(connection, numbered)

    def _copies(self, connection: sa.Connection, numbered: Iterable[Numbered]) -> Iterable[Copy]:
        """For those whose system speaks Kafka. What a reader must first declare no conflict for (H3) only the door
        shows, which asks; its place is marked, so that nobody takes it for lost."""
        copied = [(number, one) for number, one in numbered if one.entry.organisation in self._topic_of]
        if not copied:
            return
        now = reading.epoch(connection)
        for number, (heard, found) in copied:
            mark = str(found.disclosure_id).encode() if found.declare_no_conflict else None
            headers = [(CURSOR, f"{now}.{number}".encode()), *([(WITHHELD, reading.WITHHELD.encode())] if mark else [])]
            yield Copy(heard, self._topic_of[found.organisation], headers, mark, CHAIN)

    def committed(self) -> None:
        for listener in self.listeners:
            listener()


INBOXES = Inboxes()


def _numbered(
    connection: sa.Connection, told: Mapping[str, Mapping[str, Telling]], counts: Counts
) -> Iterator[Numbered]:
    """The number of each that does not stand there already. The counters are locked."""
    stand = _standing_events(connection, [disclosure_id for one in told.values() for disclosure_id in one])
    for organisation in sorted(told):
        for disclosure_id, one in told[organisation].items():
            if _is_new(one, stand.get(disclosure_id)):
                counts[organisation].last += 1
                yield counts[organisation].last, one


_STANDING_EVENTS = sa.select(entry.c.disclosure_id, entry.c.source, entry.c.event_id).where(
    entry.c.disclosure_id.in_(sa.bindparam("disclosures", expanding=True))
)


def _standing_events(connection: sa.Connection, disclosure_ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """By disclosure, source and id of the event that stands in an inbox."""
    found = connection.execute(_STANDING_EVENTS, {"disclosures": disclosure_ids}) if disclosure_ids else ()
    return {row.disclosure_id: (row.source, row.event_id) for row in found}


def _is_new(one: Telling, stands: tuple[str, str] | None) -> bool:
    """Another worker may have recorded the same event. Another event's is refused before (decide.py)."""
    if stands and stands != (one.envelope.source, one.envelope.id):
        log.error("disclosure_not_told", reason="disclosure_id_reused", event_id=one.envelope.id)
    return stands is None
