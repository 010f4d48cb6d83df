"""An act at the board → HandoverActed on Kafka → what became of it, as the board's own topic says.

The order of the log decides between two who act at once, so nothing is decided here: what is refused here is what no
board would accept, and costs no event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.bus.envelope import Event
from services.bus.errors import Surroundings, UserMistake
from services.bus.events import HandoverAct, HandoverActed, MatterChanged, RiskCriterion, Team
from services.handover_feed.acting.ids import event_id
from services.handover_feed.acting.letters import NotRecorded
from services.handover_feed.acting.who import Staff, worker
from services.handover_feed.board import reading
from services.handover_feed.board.reading import ActResult

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

TOLD_WITHIN = 5.0
"""Seconds that a person waits to hear what became of an act."""

NEED_NO_REASON = (HandoverAct.TAKEN, HandoverAct.LET_GO, HandoverAct.PASSED_ON)
NO_ACT = (HandoverAct.UNKNOWN, HandoverAct.NOTED, HandoverAct.IDENTIFIED)

NO_SUCH_MATTER = "This matter is not on the board."
NOT_RECORDED = "It is not certain that this was recorded: send the same form again, which records it once."
NOT_YET = "It is recorded; whether it takes effect the board will show in a moment."


async def do(
    board: Board,
    staff: Staff,
    matter_id: str,
    act: HandoverAct,
    *,
    act_id: str,
    addresses: Sequence[str],
    reason: str | None = None,
    no_longer: Sequence[RiskCriterion] = (),
    to: Team | None = None,
) -> ActResult:
    """Record the act and say what became of it. Whoever sends the same form again gets the same answer.

    Args:
        act_id: the form's own id.
        addresses: ids of the facts that the worker had seen.
        reason: required, except of TAKEN and LET_GO.
        no_longer: criteria that hold no longer; only of RISK_CHANGED, which requires one.
        to: the side to which it is passed on unopened; only of PASSED_ON, which else asks the on-call manager.

    Returns:
        With `recorded` false, nothing is certain: the form may be sent again.
    """
    card = await board.access.read(lambda connection: reading.card(connection, matter_id))
    reason = (reason or "").strip() or None
    refused = NO_SUCH_MATTER if card is None else lacking(act, reason, no_longer)
    if refused or card is None:
        return ActResult(act_id, matter_id, refused)
    event = acted(board, staff, card, act, act_id, addresses, reason, no_longer, to=to)
    return await said(board, act_id, matter_id, (event, event_id(HandoverActed, act_id)))


def acted(
    board: Board,
    staff: Staff,
    card: MatterChanged,
    act: HandoverAct,
    act_id: str,
    addresses: Sequence[str],
    reason: str | None,
    no_longer: Sequence[RiskCriterion] = (),
    decision_id: str | None = None,
    to: Team | None = None,
) -> HandoverActed:
    """The event of an act that is done now."""
    return HandoverActed(
        act_id=act_id,
        matter_id=card.matter_id,
        child_id=card.child_id,
        act=act,
        by=worker(staff),
        acted_at=datetime.fromtimestamp(board.now_us / 1_000_000, UTC),
        reason=reason,
        addresses=list(addresses),
        no_longer=list(no_longer),
        decision_id=decision_id,
        to=to,
    )


async def said(board: Board, act_id: str, matter_id: str, *events: tuple[Event, str]) -> ActResult:
    """Publish these, of which the last is the act or the note, and wait a while for what becomes of it."""
    unknown = ActResult(act_id, matter_id, unknown=True)
    try:
        await board.letters.say(*events)
    except NotRecorded:
        return replace(unknown, recorded=False)
    except UserMistake as error:
        return ActResult(act_id, matter_id, str(error))
    try:
        return await board.hub.wait_for_act(act_id, TOLD_WITHIN) or unknown
    except Surroundings:  # the database is away: Kafka has it all the same
        return unknown


def lacking(act: HandoverAct, reason: str | None, no_longer: Sequence[RiskCriterion]) -> str | None:
    """What such an act lacks, in a sentence; None if nothing."""
    if act in NO_ACT:
        return "Choose what you do with this matter."
    if act is HandoverAct.RISK_CHANGED and not no_longer:
        return "Choose at least one risk that no longer holds."
    if reason is None and act not in NEED_NO_REASON:
        return "Give a reason: whoever sees to this next must know why."
    return None


def sentence(result: ActResult) -> str | None:
    """What the worker is told, in a sentence; None if the act took effect."""
    if not result.unknown:
        return result.refused
    return NOT_YET if result.recorded else NOT_RECORDED
