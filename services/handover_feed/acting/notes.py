"""A note at the board → HandoverNoted, which both sides see at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.bus.events import HandoverNoted, NoteKind, Team
from services.handover_feed.acting.acts import said
from services.handover_feed.acting.ids import event_id
from services.handover_feed.acting.who import Staff, worker
from services.handover_feed.board.reading import ActResult

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board


async def note(
    board: Board,
    staff: Staff,
    matter_id: str,
    child_id: str | None,
    kind: NoteKind,
    text: str,
    to: Team,
    due_by: datetime | None = None,
    *,
    note_id: str,
) -> ActResult:
    """Record the note and say whether it is on the board. Whoever sends the same form again writes one note.

    Args:
        matter_id: the matter; of a note about no child that the board knows, the note's own id.
        to: for which side it is meant above all.
        due_by: until when what is asked must be done, UTC; only of ASKED.
        note_id: the form's own id.
    """
    text = text.strip()
    if refused := lacking(kind, text, to, due_by, board.clock.now()):
        return ActResult(note_id, matter_id, refused)
    event = HandoverNoted(
        note_id=note_id,
        matter_id=matter_id,
        child_id=child_id,
        by=worker(staff),
        to=to,
        written_at=datetime.fromtimestamp(board.now_us / 1_000_000, UTC),
        kind=kind,
        due_by=due_by,
        text=text,
    )
    return await said(board, note_id, matter_id, (event, event_id(HandoverNoted, note_id)))


def lacking(kind: NoteKind, text: str, to: Team, due_by: datetime | None, now: datetime) -> str | None:
    """What such a note lacks, in a sentence; None if nothing."""
    if not text:
        return "Write the note: it is empty."
    if kind is NoteKind.UNKNOWN or to is Team.UNKNOWN:
        return "Choose what kind of note it is, and for which side."
    if due_by is not None and kind is not NoteKind.ASKED:
        return "Only what is asked of somebody has a time: choose that kind, or leave the time out."
    if due_by is not None and due_by <= now:
        return "That time has passed already: give one that is still to come, or none."
    return None
