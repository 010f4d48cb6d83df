"""The end of a shift: each matter of its side is handed on, closed, or kept by somebody who says so; then ShiftClosed.

A matter that comes while a shift is being closed belongs to whoever is on duty then, and to that shift's end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from services.bus.calendar import LONDON
from services.bus.events import CardAct, CardFact, FactKind, HandoverAct, MatterChanged, MatterState, ShiftClosed, Team
from services.handover_feed.acting.acts import NOT_RECORDED
from services.handover_feed.acting.ids import event_id
from services.handover_feed.acting.letters import NotRecorded
from services.handover_feed.acting.tables import letter
from services.handover_feed.acting.who import Staff, worker
from services.handover_feed.board import reading
from services.handover_feed.board.reading import Passage
from services.handover_feed.board.tables import card
from services.handover_feed.paging import pages
from services.handover_feed.shifts import Shift, shift_of
from services.handover_feed.wiring import duty_of

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

NOT_YET = "{} of this shift's matters are still open: hand each on, close it, or say that it stays."
TOO_EARLY = "This shift ends at {}: it can be closed from {} on."
CLOSES_FROM = timedelta(minutes=30)
"""So long before its end a shift can be closed, and not earlier: nobody leaves a night that has just begun."""
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
    return [one for one in cards if not (may_stay(one) and one.matter_id in stays)]


def may_stay(card: MatterChanged) -> bool:
    """Whether a side may keep it beyond its shift: what somebody sees to; by day also what waits for the next day.

    What nobody sees to at night would be seen by nobody, and immediate danger never waits (H7).
    """
    return card.state is MatterState.TAKEN or (card.team is Team.DAY and not card.interrupts)


async def close(board: Board, staff: Staff, *, stays: Collection[str] = ()) -> Closing:
    """Close this worker's shift: of two who close it, the first has closed it for both.

    What comes after that opens it again: once it is seen to, the shift is closed anew, with an event of its own.

    Args:
        stays: ids of the matters of which the worker said that they stay with this side.
    """
    shift, team = own_shift(board, staff.team), staff.team
    if (opens := closes_from(shift)) > board.clock.now():
        return Closing(shift, [], TOO_EARLY.format(_clock(shift.ends_at), _clock(opens)))
    if left := await unaddressed(board, team, stays):
        return Closing(shift, left, NOT_YET.format(len(left)))
    closings = await _closings(board, shift)
    if await _stands(board, shift, closings):
        return Closing(shift, [])
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
        await board.letters.say((event, _event_id(shift, len(closings))))
    except NotRecorded:
        return Closing(shift, [], NOT_RECORDED)
    return Closing(shift, [])


async def is_closed(board: Board, shift: Shift) -> bool:
    """Whether Kafka has it that somebody closed this shift, and nothing came to its side since."""
    return await _stands(board, shift, await _closings(board, shift))


async def _closings(board: Board, shift: Shift) -> list[int]:
    """When it was closed, each time, as far as Kafka has it."""
    columns = letter.c

    def look(connection: sa.Connection) -> list[int]:
        found: list[int] = []
        while at_us := connection.execute(
            sa.select(columns.at_us).where(columns.event_id == _event_id(shift, len(found)), columns.content.is_(None))
        ).scalar():
            found.append(at_us)
        return found

    return await board.access.read(look)


async def _stands(board: Board, shift: Shift, closings: Sequence[int]) -> bool:
    """Whether nothing came after the latest closing: no matter for this side, and no act of this side until its next
    shift begins."""
    if not closings:
        return False
    since_us, next_us = closings[-1] + 1, _us(shift_of(shift.ends_at, duty_of(board.settings)).ends_at)
    columns = card.c
    came = sa.select(columns.matter_id).where(
        columns.team == shift.team.value,
        columns.state == MatterState.OPEN.value,
        columns.changed_us.between(since_us, _us(shift.ends_at)),
    )

    def look(connection: sa.Connection) -> bool:
        done = (one for _, one in reading.acts(connection, since_us, next_us) if one.refused is None)
        acted = any(one.by.team is shift.team and one.act is not HandoverAct.NOTED for one in done)
        return not acted and connection.execute(came).first() is None

    return await board.access.read(look)


async def summary(board: Board, shift: Shift) -> Summary:
    """What the shift brought until now, or until its end."""
    since_us, until_us = _us(shift.began_at), min(board.now_us + 1, _us(shift.ends_at))
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
        waiting=[(one, shift.ends_at - one.waiting_since) for one in waiting if one.waiting_since],
        escalated=await board.access.read(lambda connection: _escalated(connection, since_us, until_us)),
    )


def _escalated(connection: sa.Connection, since_us: int, until_us: int) -> list[MatterChanged]:
    """Within the shift, whatever a card still says of an earlier one."""
    found = (reading.card(connection, matter_id) for matter_id in pages.escalated(connection, since_us, until_us))
    return [one for one in found if one is not None]


def closes_from(shift: Shift) -> datetime:
    """From when on a shift can be closed."""
    return shift.ends_at - CLOSES_FROM


def _did(passage: Passage, act: HandoverAct | None) -> bool:
    return any(done.act is act for done in passage.acts)


def _event_id(shift: Shift, before: int) -> str:
    """Of its closing after so many others."""
    return event_id(ShiftClosed, f"{shift.shift_id} {before}" if before else shift.shift_id)


def _clock(at: datetime) -> str:
    return at.astimezone(LONDON).strftime("%H:%M on %A")


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
