"""Tells whoever waits for an inbox what is new in it (services/web/hub.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa
from pydantic_core import to_json

from services.bus.access import Access
from services.bus.clock import Clock
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.tables import counter
from services.web import hub
from services.web.hub import Found, Frame

COUNTERS_AT_ONCE = 1000
INBOXES_AT_ONCE = 100
"""What one statement asks for: neither database plans a longer one well."""


class Hub(hub.Hub):
    """A channel for each organisation's inbox, by the organisation's id."""

    def __init__(self, access: Access, clock: Clock) -> None:
        super().__init__(access, lambda connection, known: _news(connection, known, _now_us(clock)))


def _now_us(clock: Clock) -> int:
    return int(clock.now().timestamp() * 1_000_000)


def _news(
    connection: sa.Connection, known: Mapping[str, tuple[str, int]], now_us: int
) -> tuple[str, Mapping[str, Found]]:
    """The epoch, and what is new of the inboxes of which (epoch, last) are known."""
    epoch, found, wanted = reading.epoch(connection), dict[str, Found](), []
    frames: dict[str, list[Frame]] = {}
    for name, last in _lasts(connection, list(known)):
        was, after = known[name]
        if was != epoch or last > after:
            found[name] = Found(last, frames.setdefault(name, []))
        if was == epoch and after < last <= after + hub.KEEP:
            wanted.append(reading.Stretch(name, after, last))
    for start in range(0, len(wanted), INBOXES_AT_ONCE):
        for row in reading.stretches(connection, wanted[start : start + INBOXES_AT_ONCE], now_us):
            frames[row.organisation].append(Frame(row.number, frame(row, epoch)))
    return epoch, found


_LASTS = sa.select(counter.c.organisation, counter.c.last).where(
    counter.c.organisation.in_(sa.bindparam("names", expanding=True))
)


def _lasts(connection: sa.Connection, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The number given last, 0 if none was."""
    for start in range(0, len(names), COUNTERS_AT_ONCE):
        some = names[start : start + COUNTERS_AT_ONCE]
        lasts = dict(map(tuple, connection.execute(_LASTS, {"names": some})))
        yield from ((name, lasts.get(name, 0)) for name in some)


def frame(row: reading.Row, epoch: str) -> bytes:
    """One entry as a Server-Sent Event. JSON has no line breaks of its own, so that one data line holds it."""
    return b"id: %s.%d\nevent: disclosure\ndata: %b\n\n" % (
        epoch.encode(),
        row.number,
        to_json(reading.as_json(row, epoch)),
    )
