"""The end of a shift: each matter of its side is handed on, closed, or kept by somebody who says so; then ShiftClosed.

A matter that comes while a shift is being closed belongs to whoever is on duty then, and to that shift's end.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from services.bus.events import CardAct, CardFact, FactKind, HandoverAct, MatterChanged, MatterState, ShiftClosed, Team
from services.handover_feed.acting.acts import NOT_RECORDED
from services.handover_feed.acting.ids import event_id
from services.handover_feed.acting.letters import NotRecorded
from services.handover_feed.acting.tables import letter
from services.handover_feed.acting.who import Staff, worker
from services.handover_feed.board import reading
from services.handover_feed.board.reading import Passage
from services.handover_feed.shifts import Shift, shift_of
from services.handover_feed.wiring import duty_of

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

NOT_YET = "{} of this shift's matters are still open: hand each on, close it, or say that it stays."
HANDED = {Team.DAY: HandoverAct.HANDED_TO_NIGHT, Team.NIGHT: HandoverAct.HANDED_TO_DAY}


@dataclass(frozen=True, slots=True)
class Closing:
    """What became of closing a shift. It is closed if `refused` is None."""

    shift: Shift
    unaddressed: list[MatterChanged]
    """Worst first."""
    refused: str | None = None
    """Why it is not closed, in a sentence."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What one shift brought, as far as it has gone: for the page that is printed."""

    shift: Shift
    closed: bool
    """Somebody has closed it."""
    came: list[tuple[MatterChanged, CardFact]]
    """Everything that was heard, without notes and decisions."""
    notes: list[tuple[MatterChanged, CardFact]]
    decided: list[tuple[MatterChanged, CardFact]]
    taken: list[tuple[MatterChanged, CardAct]]
    """With those that were let go."""
    ended: list[tuple[MatterChanged, CardAct]]
    handed_on: list[tuple[MatterChanged, CardAct]]
    """With those that were taken back."""
    lowered: list[tuple[MatterChanged, CardAct]]
    """Risks that a worker judged to hold no longer."""
    waiting: list[tuple[MatterChanged, timedelta]]
    """What nobody sees to now, and for how long it has waited, or will have at the shift's end."""
    escalated: list[MatterChanged]
    """Those for which the on-call manager was paged during the shift, or could not be."""


def own_shift(board: Board, team: Team) -> Shift:
    """The shift of that side that is on now, or else the one that ended last."""
    duty, now = duty_of(board.settings), board.clock.now()
    shift = shift_of(now, duty)
    return shift if shift.team is team else shift_of(shift.began_at - timedelta(microseconds=1), duty)


async def unaddressed(board: Board, team: Team, stays: Collection[str] = ()) -> list[MatterChanged]:
    """What this side must still hand on, close or keep, worst first.

    Args:
        stays: ids of the matters of which somebody said that they stay.
    """
    cards = await board.access.read(lambda connection: reading.cards(connection, team=team, order=board.order))
    return [card for card in cards if not (may_stay(card) and card.matter_id in stays)]


def may_stay(card: MatterChanged) -> bool:
    """Whether a side may keep it beyond its shift: what somebody sees to; by day also what waits for the next day.

    What nobody sees to at night would be seen by nobody, and immediate danger never waits (H7).
    """
    return card.state is MatterState.TAKEN or (card.team is Team.DAY and not card.interrupts)


async def close(board: Board, staff: Staff, *, stays: Collection[str] = ()) -> Closing:
    """Close this worker's shift, once: of two who close it, the first has closed it for both.

    Args:
        stays: ids of the matters of which the worker said that they stay with this side.
    """
    shift, team = own_shift(board, staff.team), staff.team
    if await is_closed(board, shift):
        return Closing(shift, [], None)
    if left := await unaddressed(board, team, stays):
        return Closing(shift, left, NOT_YET.format(len(left)))
    since_us, until_us = _us(shift.began_at), board.now_us
    passages = await board.access.read(
        lambda connection: reading.summary(connection, since_us, until_us + 1, order=board.order)
    )
    event = ShiftClosed(
        shift_id=shift.shift_id,
        team=team,
        began_at=shift.began_at,
        ended_at=shift.ends_at,
        closed_at=datetime.fromtimestamp(until_us / 1_000_000, UTC),
        by=worker(staff),
        handed_on=[p.card.matter_id for p in passages if p.card.team is not team and _did(p, HANDED.get(team))],
        closed=[p.card.matter_id for p in passages if _did(p, HandoverAct.CLOSED)],
        stays=sorted(stays),
    )
    try:
        await board.letters.say((event, _event_id(shift)))
    except NotRecorded:
        return Closing(shift, [], NOT_RECORDED)
    return Closing(shift, [])


async def is_closed(board: Board, shift: Shift) -> bool:
    """Whether Kafka has it that somebody closed this shift."""
    done = sa.select(letter.c.event_id).where(letter.c.event_id == _event_id(shift), letter.c.content.is_(None))
    return await board.access.read(lambda connection: connection.execute(done).first()) is not None


async def summary(board: Board, shift: Shift) -> Summary:
    """What the shift brought until now, or until its end."""
    until = min(board.clock.now(), shift.ends_at)
    since_us, until_us = _us(shift.began_at), _us(until)
    passages = await board.access.read(
        lambda connection: reading.summary(connection, since_us, until_us, order=board.order)
    )
    waiting = await board.access.read(
        lambda connection: reading.cards(connection, state=MatterState.OPEN, order=board.order)
    )
    facts = [(passage.card, fact) for passage in passages for fact in passage.facts]
    done = [(passage.card, act) for passage in passages for act in passage.acts]

    def acts(*kinds: HandoverAct) -> list[tuple[MatterChanged, CardAct]]:
        return sorted([one for one in done if one[1].act in kinds], key=lambda one: one[1].acted_at)

    def told(*kinds: FactKind) -> list[tuple[MatterChanged, CardFact]]:
        return sorted([one for one in facts if one[1].kind in kinds], key=lambda one: one[1].heard_at)

    notes = (FactKind.NOTE, FactKind.ASKED, FactKind.HAZARD)
    return Summary(
        shift=shift,
        closed=await is_closed(board, shift),
        came=told(*(kind for kind in FactKind if kind not in (*notes, FactKind.DECISION))),
        notes=told(*notes),
        decided=told(FactKind.DECISION),
        taken=acts(HandoverAct.TAKEN, HandoverAct.LET_GO),
        ended=acts(HandoverAct.CLOSED),
        handed_on=acts(HandoverAct.HANDED_TO_DAY, HandoverAct.HANDED_TO_NIGHT, HandoverAct.TAKEN_BACK),
        lowered=acts(HandoverAct.RISK_CHANGED),
        waiting=[(card, shift.ends_at - card.waiting_since) for card in waiting if card.waiting_since],
        escalated=[p.card for p in passages if p.card.escalation],
    )


def _did(passage: Passage, act: HandoverAct | None) -> bool:
    return any(done.act is act for done in passage.acts)


def _event_id(shift: Shift) -> str:
    return event_id(ShiftClosed, shift.shift_id)


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
