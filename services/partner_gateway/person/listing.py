"""The order in which an inbox asks for attention: danger, late, due soonest, information only; then what is done."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from pydantic_core import from_json

from services.bus.events import DeadlineMissed, HealthUpdated, PoliceNotified, YesNoUnknown
from services.partner_gateway.inbox.tables import entry, reading

PAGE = 50
IN_DANGER, LATE, DUE, INFORMATION, READ = range(5)
"""Ranks of what is not finished."""


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


_read = reading.alias("read")
_acted = reading.alias("acted")
_READ_US, _ACTED_US = _read.c.at_us, _acted.c.at_us
_FINISHED = _ACTED_US.is_not(None) | (_READ_US.is_not(None) & entry.c.due_us.is_(None))
# A health record is owed until somebody has filed and hidden it (H11); anything else until it is read.
_OWED = _ACTED_US.is_(None) & (_READ_US.is_(None) | (entry.c.type == HealthUpdated.topic))


def waiting(connection: sa.Connection, organisation: str, now_us: int, *, page: int = 1) -> tuple[list[Listed], int]:
    """One page of what is not finished, the most urgent first, and how much there is in all."""
    rank = sa.case(
        (sa.not_(_OWED), READ),
        (entry.c.number.in_(in_danger(connection, organisation)), IN_DANGER),
        ((entry.c.due_us < now_us) | (entry.c.type == DeadlineMissed.topic), LATE),
        (entry.c.due_us.is_not(None), DUE),
        else_=INFORMATION,
    ).label("rank")
    mine = _entries(rank).where(entry.c.organisation == organisation, sa.not_(_FINISHED))
    count = connection.execute(sa.select(sa.func.count()).select_from(mine.subquery())).scalar_one()
    order = (rank, sa.func.coalesce(entry.c.due_us, entry.c.time_us), entry.c.number)
    rows = connection.execute(mine.order_by(*order).limit(PAGE).offset((page - 1) * PAGE))
    return [_listed(row) for row in rows], count


def finished(connection: sa.Connection, organisation: str, *, before: int | None = None) -> tuple[list[Listed], bool]:
    """What is finished, the newest first, from below the number `before`; and whether there is more."""
    mine = _entries(sa.literal(READ).label("rank")).where(entry.c.organisation == organisation, _FINISHED)
    if before is not None:
        mine = mine.where(entry.c.number < before)
    rows = connection.execute(mine.order_by(entry.c.number.desc()).limit(PAGE + 1)).all()
    return [_listed(row) for row in rows[:PAGE]], len(rows) > PAGE


def in_danger(connection: sa.Connection, organisation: str) -> list[int]:
    """The unread police notifications of a child who is, or for all that is known may be, in danger now (H7)."""
    found = _entries(entry.c.content).where(
        entry.c.organisation == organisation, entry.c.type == PoliceNotified.topic, _OWED
    )
    said = ((row.number, from_json(row.content)["immediate_danger"]) for row in connection.execute(found))
    return [number for number, danger in said if danger != YesNoUnknown.NO]


def _entries(*more: sa.ColumnElement[int] | sa.ColumnElement[bytes]) -> sa.Select[tuple[object, ...]]:
    def of(table: sa.FromClause, state: str) -> sa.ColumnElement[bool]:
        return (table.c.disclosure_id == entry.c.disclosure_id) & (table.c.state == state)

    columns = (entry.c.number, entry.c.type, entry.c.time_us, entry.c.due_us, entry.c.declare_no_conflict)
    query = sa.select(*columns, _READ_US.label("read_us"), _ACTED_US.label("acted_us"), *more)
    return query.select_from(entry.outerjoin(_read, of(_read, "READ")).outerjoin(_acted, of(_acted, "ACTED")))


def _listed(row: sa.Row[tuple[object, ...]]) -> Listed:
    return Listed(
        number=row.number, type=row.type, time_us=row.time_us, due_us=row.due_us, read_us=row.read_us,
        acted_us=row.acted_us, asks_first=row.declare_no_conflict, rank=row.rank,
    )  # fmt: skip
