"""Who an unmatched child is → ChildMatched, as the MASH says it by day, and the act that tells who said so (H12).

A certain match needs no person; this one has only a likely one, and a wrong answer tells the wrong school. So it is one
of those whom the index offers, with both pieces of evidence before the worker, and a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.bus.events import ChildMatched, HandoverAct, HandoverActed, MatterChanged
from services.handover_feed.acting import acts
from services.handover_feed.acting.ids import event_id
from services.handover_feed.acting.who import Staff, worker
from services.handover_feed.board import reading
from services.handover_feed.board.reading import ActResult

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

NOBODY_ASKS = "Nobody asks who this child is any more: it has been said already."


async def match(
    board: Board, staff: Staff, matter_id: str, child_id: str, reason: str, *, act_id: str, addresses: Sequence[str]
) -> ActResult:
    """Record who the child is, and what became of saying so. Whoever sends the same form again says it once."""
    done = await board.access.read(lambda connection: reading.act(connection, act_id))
    if done is not None:
        return done
    card = await board.access.read(lambda connection: reading.card(connection, matter_id))
    if card and card.question is None and await board.letters.sent(event_id(ChildMatched, act_id)):
        # The answer stands, and whoever gave it was told that nothing is certain: what is missing is who said so.
        act = acts.acted(board, staff, card, HandoverAct.IDENTIFIED, act_id, addresses, reason.strip())
        return await acts.said(board, act_id, matter_id, (act, event_id(HandoverActed, act_id)))
    refused = acts.NO_SUCH_MATTER if card is None else lacking(card, staff, child_id, reason)
    if refused or card is None or card.question is None:
        return ActResult(act_id, matter_id, refused)
    answer = ChildMatched(
        incident_id=card.question.incident_id,
        child_reference=card.question.child_reference,
        child_id=child_id,
        decided_by=worker(staff).post,
        reason=reason.strip(),
    )
    act = acts.acted(board, staff, card, HandoverAct.IDENTIFIED, act_id, addresses, reason.strip())
    events = (answer, event_id(ChildMatched, act_id)), (act, event_id(HandoverActed, act_id))
    return await acts.said(board, act_id, matter_id, *events)


def lacking(card: MatterChanged, staff: Staff, child_id: str, reason: str) -> str | None:
    """Why it cannot be said, in a sentence; None if it can."""
    if card.question is None:
        return NOBODY_ASKS
    if card.taken_by is not None and card.taken_by.person_id != staff.person_id:
        return f"{card.taken_by.name}, {card.taken_by.post}, has this: nothing was said."
    if child_id not in {one.child_id for one in card.question.candidates}:
        return "Choose one of the children whom the index offers."
    return None if reason.strip() else "Give a reason: whoever checks this must know how it is known."
