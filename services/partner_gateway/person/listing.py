"""The order in which an inbox asks for attention: danger, late, due soonest, information only; then what is done."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from services.bus.events import DeadlineMissed
from services.partner_gateway.inbox import urgency
from services.partner_gateway.inbox.tables import counter, entry, reading

PAGE = 50
IN_DANGER, LATE, DUE, INFORMATION, READ = range(5)
"""Ranks of what is not finished."""

_RANKS = {
    urgency.IN_DANGER: IN_DANGER,
    urgency.DUE: DUE,
    urgency.INFORMATION: INFORMATION,
    urgency.READ: READ,
    urgency.FINISHED: READ,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry in a list: what it is, never whom it is about. Moments are µs since 1970, UTC."""

    number: int
    type: str
    time_us: int
    due_us: int | None
    read_us: int | None
    acted_us: int | None
    asks_first: bool
    """Whether the reader is asked for a conflict before it opens (H3)."""
    rank: int


_NO_NUMBER = 2**63 - 1

_read = reading.alias("read")
_acted = reading.alias("acted")


def waiting(connection: sa.Connection, organisation: str, now_us: int, *, page: int = 1) -> tuple[list[Listed], int]:
    """One page of what is not finished, the most urgent first, and how much there is in all.

    However much that is: its order is kept as it changes (inbox/urgency.py), and so is the count.
    """
    mine = _entries().where(entry.c.organisation == organisation, entry.c.urgency < urgency.FINISHED)
    order = (entry.c.urgency, entry.c.order_us, entry.c.number)
    rows = connection.execute(mine.order_by(*order).limit(PAGE).offset((page - 1) * PAGE)).all()
    count = connection.execute(sa.select(counter.c.unfinished).where(counter.c.organisation == organisation)).scalar()
    return [_listed(row, now_us) for row in rows], count or 0


def finished(connection: sa.Connection, organisation: str, *, before: int | None = None) -> tuple[list[Listed], bool]:
    """What is finished, the newest first, from below the number `before`; and whether there is more."""
    below = entry.c.number < (_NO_NUMBER if before is None else before)  # always: without it SQLite goes by number
    mine = _entries().where(
        entry.c.organisation == organisation, entry.c.urgency == urgency.FINISHED, entry.c.order_us == 0, below
    )
    rows = connection.execute(mine.order_by(entry.c.number.desc()).limit(PAGE + 1)).all()
    return [_listed(row, 0) for row in rows[:PAGE]], len(rows) > PAGE


def in_danger(connection: sa.Connection, organisation: str) -> list[int]:
    """The unread police notifications of a child who is, or for all that is known may be, in danger now (H7)."""
    mine = (entry.c.organisation == organisation) & (entry.c.urgency == urgency.IN_DANGER)
    return list(connection.execute(sa.select(entry.c.number).where(mine)).scalars())


def _entries() -> sa.Select[tuple[object, ...]]:
    def of(table: sa.FromClause, state: str) -> sa.ColumnElement[bool]:
        return (table.c.disclosure_id == entry.c.disclosure_id) & (table.c.state == state)

    columns = (entry.c.number, entry.c.type, entry.c.time_us, entry.c.due_us, entry.c.declare_no_conflict)
    query = sa.select(*columns, entry.c.urgency, _read.c.at_us.label("read_us"), _acted.c.at_us.label("acted_us"))
    return query.select_from(entry.outerjoin(_read, of(_read, "READ")).outerjoin(_acted, of(_acted, "ACTED")))


def _listed(row: sa.Row[tuple[object, ...]], now_us: int) -> Listed:
    late = row.type == DeadlineMissed.topic or (row.due_us is not None and row.due_us < now_us)
    return Listed(
        number=row.number, type=row.type, time_us=row.time_us, due_us=row.due_us, read_us=row.read_us,
        acted_us=row.acted_us, asks_first=row.declare_no_conflict,
        rank=LATE if late and row.urgency == urgency.DUE else _RANKS[row.urgency],
    )  # fmt: skip
