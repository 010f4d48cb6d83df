"""Which escalations are to be paged now, whose turn it is, and what became of each attempt: plain SQL.

What was sent and not recorded is sent again, under the same id: the manager is paged twice rather than never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from services.bus.events import EscalatedBecause, EscalationState, HandoverEscalated, MatterState
from services.bus.heard import Heard
from services.bus.tables import upsert
from services.handover_feed.acting import letters
from services.handover_feed.acting.ids import event_id
from services.handover_feed.board.tables import card
from services.handover_feed.paging.tables import escalation, page, passed_on

SECOND_US = 1_000_000

LEASE_US = 30 * SECOND_US
"""An attempt takes at most 10 s and its record some more: a turn that lasts longer is a dead process's."""

FIRST_US, LONGEST_US = 5 * SECOND_US, 120 * SECOND_US
"""After a failed attempt comes the next, each pause twice as long as the one before."""

NEVER = -1


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to page for one escalation now."""

    escalation_id: str
    matter_id: str
    child_id: str | None
    waiting_us: int
    attempts: int
    """Before this one."""
    said: int
    passed_on: bool
    """A worker may not open it (H3): it need not be danger."""
    holder: str


def note(connection: sa.Connection, done: Sequence[Heard]) -> None:
    """Write down the escalations among what was heard: a part of the board's projection."""
    for event in (h.event for h in done):
        if isinstance(event, HandoverEscalated):
            reached = event.state is EscalationState.PAGED
            row = {
                "escalation_id": event.escalation_id,
                "matter_id": event.matter_id,
                "child_id": event.child_id,
                "reached": reached,
                "waiting_us": _us(event.waiting_since),
                "due_us": _us(event.happened_at),
            }
            connection.execute(upsert(connection, escalation).on_conflict_do_nothing(), row)
            if event.why is EscalatedBecause.PASSED_ON:
                own_id = {"escalation_id": event.escalation_id}
                connection.execute(upsert(connection, passed_on).on_conflict_do_nothing(), own_id)
            if reached:
                this = escalation.c.escalation_id == event.escalation_id
                connection.execute(escalation.update().where(this).values(reached=True))


def escalated(connection: sa.Connection, since_us: int, until_us: int) -> list[str]:
    """Ids of the matters for which the on-call manager was to be paged from one moment to before another."""
    within = sa.and_(escalation.c.due_us >= since_us, escalation.c.due_us < until_us)
    found = sa.select(escalation.c.matter_id).where(within).distinct()
    return list(connection.execute(found.order_by(escalation.c.matter_id)).scalars())


def due(connection: sa.Connection, now_us: int) -> Sequence[str]:
    """Escalations that nobody was reached for, of danger that nobody has taken, whose time has come; and of what was
    passed on unopened, while nobody has taken it (H3).

    Danger that came to a matter which somebody holds, and which that one has not seen, waits as much as any other (H7).

    Of one matter only the latest: whoever is paged for it again need not hear of the time before.
    """
    later = escalation.alias()
    same = _passed_on(later) == _passed_on(escalation)
    followed = sa.exists().where(
        later.c.matter_id == escalation.c.matter_id, later.c.due_us > escalation.c.due_us, same
    )
    free = sa.and_(page.c.reached.is_(False), page.c.next_us <= now_us, page.c.leased_until_us <= now_us)
    query = (
        sa.select(escalation.c.escalation_id)
        .join(card, card.c.matter_id == escalation.c.matter_id)
        .join(page, page.c.escalation_id == escalation.c.escalation_id, isouter=True)
        .where(card.c.open, sa.not_(escalation.c.reached), _waits())
        .where(page.c.escalation_id.is_(None) | free, ~followed)
    )
    return connection.execute(query.order_by(escalation.c.waiting_us)).scalars().all()


def take(connection: sa.Connection, escalation_id: str, holder: str, *, now_us: int) -> Turn | None:
    """Begin a turn; None if another process has it, or nothing is to be done any more."""
    if not _still_waits(connection, escalation_id):
        return None
    new = {"attempts": 0, "said": NEVER, "reached": False, "next_us": 0, "leased_until_us": 0}
    connection.execute(upsert(connection, page).on_conflict_do_nothing(), {"escalation_id": escalation_id, **new})
    free = sa.and_(
        _is(escalation_id), page.c.reached.is_(False), page.c.next_us <= now_us, page.c.leased_until_us <= now_us
    )
    taken = page.update().where(free).values(leased_by=holder, leased_until_us=now_us + LEASE_US)
    if not connection.execute(taken).rowcount:
        return None
    columns = (
        escalation.c.matter_id, escalation.c.child_id, escalation.c.waiting_us, page.c.attempts, page.c.said,
        _passed_on(escalation).label("passed_on"),
    )  # fmt: skip
    both = escalation.join(page, page.c.escalation_id == escalation.c.escalation_id)
    row = connection.execute(sa.select(*columns).select_from(both).where(_is(escalation_id))).one()
    return Turn(escalation_id=escalation_id, holder=holder, **row._mapping)


def record(connection: sa.Connection, turn: Turn, *, tried: bool, reached: bool, now_us: int) -> None:
    """What became of the turn, and the event that says so, in one transaction; ring the letters afterwards.

    That nobody was reached is said after the first attempt, the second, the fourth and so on, for a card must not
    change for ever.

    Args:
        tried: whether the paging service was asked; False if there is none.
    """
    attempts = turn.attempts + tried
    tell = reached or (attempts > turn.said and attempts & (attempts - 1) == 0)
    values = {
        "attempts": attempts,
        "said": attempts if tell else turn.said,
        "reached": reached,
        "next_us": now_us + min(FIRST_US << min(turn.attempts, 10), LONGEST_US) if tried else now_us + LONGEST_US,
        "leased_by": None,
        "leased_until_us": 0,
    }
    mine = sa.and_(_is(turn.escalation_id), page.c.attempts == turn.attempts, page.c.reached.is_(False))
    if connection.execute(page.update().where(mine).values(values)).rowcount and tell:
        state = EscalationState.PAGED if reached else EscalationState.NOT_REACHED
        event = HandoverEscalated(
            escalation_id=turn.escalation_id,
            matter_id=turn.matter_id,
            child_id=turn.child_id,
            state=state,
            waiting_since=_moment(turn.waiting_us),
            happened_at=_moment(now_us),
            attempts=attempts,
            why=EscalatedBecause.PASSED_ON if turn.passed_on else EscalatedBecause.DANGER,
        )
        own_id = event_id(HandoverEscalated, f"{turn.escalation_id} {state.value} {attempts}")
        letters.keep(connection, {own_id: event}, now_us=now_us)


def _still_waits(connection: sa.Connection, escalation_id: str) -> bool:
    """Nobody was reached, and nobody has taken the danger since it was looked for."""
    waiting = sa.select(escalation.c.escalation_id).join(card, card.c.matter_id == escalation.c.matter_id)
    this = sa.and_(escalation.c.escalation_id == escalation_id, escalation.c.reached.is_(False))
    return connection.execute(waiting.where(this, _waits())).first() is not None


def _waits() -> sa.ColumnElement[bool]:
    """Of an escalation, joined to its card."""
    return sa.or_(
        sa.and_(card.c.interrupts, ~_passed_on(escalation)),
        sa.and_(card.c.state == MatterState.OPEN.value, _passed_on(escalation)),
    )


def _passed_on(one: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.exists().where(passed_on.c.escalation_id == one.c.escalation_id).correlate(one)


def _is(escalation_id: str) -> sa.ColumnElement[bool]:
    return page.c.escalation_id == escalation_id


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)
