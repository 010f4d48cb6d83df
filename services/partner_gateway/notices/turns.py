"""Who may be owed an e-mail, what waits for them, whose turn it is to send it, and what became of it: plain SQL.

A person's row says what the last e-mail spoke of. Nothing is e-mailed but by whoever holds the row's lease, which is
taken before the e-mail goes and ends with its record: what was sent and not recorded is sent once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.bus.tables import upsert
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.tables import counter, entry
from services.partner_gateway.inbox.urgency import IN_DANGER, READ
from services.partner_gateway.notices.decide import MINUTE_US, REMIND_US, SHORTEST_US, Waiting
from services.partner_gateway.tables import conflict, mail_notice, partner, person

LEASE_US = 3 * MINUTE_US
"""An e-mail takes a minute at most: a turn that lasts longer is a dead process's."""

FIRST_US, LONGEST_US = MINUTE_US, 360 * MINUTE_US

_NEW = {"epoch": "", "number": 0, "sent_us": 0, "failing": 0, "next_us": 0, "leased_until_us": 0}


_OWED = entry.c.urgency < READ
"""Nobody has read it, or filed it if it is a health record (H11). A range: SQLite reads the whole inbox for a list."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has an e-mail address, and what their last e-mail spoke of."""

    person_id: str
    organisation: str
    email: str
    epoch: str
    number: int
    sent_us: int
    failing: int
    """E-mails in a row that failed."""


def candidates(connection: sa.Connection, *, every_us: int, now_us: int, limit: int) -> Sequence[Person]:
    """Those to whom something may be owed now: whoever else looks at the same time finds the same."""
    now = reading.epoch(connection)
    number = _or(sa.case((mail_notice.c.epoch == now, mail_notice.c.number), else_=0), 0)
    sent, remind = _or(mail_notice.c.sent_us, 0), mail_notice.c.remind_us
    hasty = sa.exists().where(
        entry.c.organisation == person.c.organisation,
        entry.c.number > number,
        (entry.c.due_us < sent + every_us) | (entry.c.urgency == IN_DANGER),
        _OWED,
    )
    rested = sent + every_us <= now_us
    new = (counter.c.last > number) & (rested | ((sent + SHORTEST_US <= now_us) & hasty))
    free = (_or(mail_notice.c.leased_until_us, 0) <= now_us) & (_or(mail_notice.c.next_us, 0) <= now_us)
    query = _people().where(free, new | (rested & (remind <= now_us))).order_by(sent).limit(limit)
    return [_person(row) for row in connection.execute(query)]


def waiting(connection: sa.Connection, who: Person, *, now_us: int) -> Waiting:
    """What is owed yet, but for what the person may not open (H3)."""
    epoch = reading.epoch(connection)
    number = who.number if who.epoch == epoch else 0
    due, fresh = entry.c.due_us, entry.c.number > number
    soon = now_us + REMIND_US
    connected = sa.exists().where(
        conflict.c.disclosure_id == entry.c.disclosure_id, conflict.c.person_id == who.person_id
    )
    found = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.min(due),
            sa.func.sum(sa.case((fresh, 1), else_=0)),
            sa.func.sum(sa.case((fresh & (entry.c.urgency == IN_DANGER), 1), else_=0)),
            sa.func.min(sa.case((fresh, due))),
            sa.func.sum(sa.case(((due > who.sent_us + REMIND_US) & (due <= soon), 1), else_=0)),
            sa.func.min(sa.case((due > soon, due))),
        ).where(entry.c.organisation == who.organisation, _OWED, ~connected)
    ).one()
    count, earliest, new, danger, new_due, due_soon, later = found
    return Waiting(
        epoch=epoch,
        last=reading.last(connection, who.organisation),
        count=count,
        earliest_us=earliest,
        fresh=int(new or 0),
        fresh_due_us=new_due,
        danger=bool(danger),
        soon=bool(due_soon),
        later_us=later,
    )


def pass_over(connection: sa.Connection, who: Person, waits: Waiting, *, now_us: int) -> None:
    """Nothing is owed: what there is was read already, and need not be looked at again."""
    _begin(connection, who)
    free = _as_known(who) & (mail_notice.c.leased_until_us <= now_us)
    values = {"epoch": waits.epoch, "number": waits.last, "remind_us": waits.remind_us}
    connection.execute(mail_notice.update().where(free).values(values))


def take(connection: sa.Connection, who: Person, holder: str, *, now_us: int) -> bool:
    """The right to e-mail this person now; not if another process has it or was quicker, or the person is gone."""
    _begin(connection, who)
    still = _people().with_only_columns(person.c.person_id)
    still = still.where(person.c.person_id == who.person_id, person.c.email == who.email)
    if connection.execute(still).first() is None:
        return False
    free = _as_known(who) & (mail_notice.c.leased_until_us <= now_us)
    mine = mail_notice.update().where(free).values(leased_by=holder, leased_until_us=now_us + LEASE_US)
    return connection.execute(mine).rowcount == 1


def sent(connection: sa.Connection, who: Person, holder: str, waits: Waiting, *, now_us: int) -> None:
    """The e-mail went, and spoke of this."""
    said = {"epoch": waits.epoch, "number": waits.last, "sent_us": now_us, "remind_us": waits.remind_us, "failing": 0}
    _end(connection, who, holder, said)


def failed(connection: sa.Connection, who: Person, holder: str, *, now_us: int) -> None:
    """It did not go: others come first, and it is tried again after a minute, three … to six hours."""
    after = min(FIRST_US * 3 ** min(who.failing, 10), LONGEST_US)
    _end(connection, who, holder, {"failing": who.failing + 1, "next_us": now_us + after})


def _people() -> sa.Select[Any]:
    """Named people now, of partners who are open, with an e-mail address."""
    joined = (
        person.join(partner, partner.c.organisation == person.c.organisation)
        .outerjoin(mail_notice, mail_notice.c.person_id == person.c.person_id)
        .outerjoin(counter, counter.c.organisation == person.c.organisation)
    )
    columns = (person.c.person_id, person.c.organisation, person.c.email, mail_notice)
    query = sa.select(*columns[:3], *(c for c in mail_notice.c if c.name != "person_id")).select_from(joined)
    return query.where(person.c.closed_us.is_(None), partner.c.closed_us.is_(None), person.c.email != "")


def _person(row: sa.Row[Any]) -> Person:
    return Person(
        person_id=row.person_id, organisation=row.organisation, email=row.email, epoch=row.epoch or "",
        number=row.number or 0, sent_us=row.sent_us or 0, failing=row.failing or 0,
    )  # fmt: skip


def _begin(connection: sa.Connection, who: Person) -> None:
    connection.execute(upsert(connection, mail_notice).values(person_id=who.person_id, **_NEW).on_conflict_do_nothing())


def _as_known(who: Person) -> sa.ColumnElement[bool]:
    """Nobody has recorded an e-mail since we looked."""
    return sa.and_(
        mail_notice.c.person_id == who.person_id,
        mail_notice.c.epoch == who.epoch,
        mail_notice.c.number == who.number,
        mail_notice.c.sent_us == who.sent_us,
    )


def _end(connection: sa.Connection, who: Person, holder: str, values: dict[str, Any]) -> None:
    mine = (mail_notice.c.person_id == who.person_id) & (mail_notice.c.leased_by == holder)
    free = {"leased_by": None, "leased_until_us": 0}
    connection.execute(mail_notice.update().where(mine).values(values | free))


def _or(value: Any, otherwise: int) -> sa.ColumnElement[int]:
    return sa.func.coalesce(value, otherwise)
