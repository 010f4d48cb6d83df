"""A note is on both sides' board at once, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from services.bus.events import HandoverNoted, NoteKind, Team
from services.handover_feed.acting import acts, notes
from services.handover_feed.acting.ids import event_id
from services.handover_feed.board import reading
from services.handover_feed.door.context import Board
from tests.handover_feed.cards import NIGHT_WORKER, act, card
from tests.handover_feed.conftest import tell
from tests.handover_feed.log import events, on_kafka


async def test_a_note_is_said_once_and_its_writer_told_that_it_is_there(board: Board) -> None:
    """To the day, with the time by which something must be done."""
    one, note_id = card(str(uuid4())), str(uuid4())
    by = board.clock.now().replace(microsecond=0) + timedelta(hours=3)
    noted = act(note_id)
    await tell(board, one, one.model_copy(update={"version": 2, "acts": [noted]}))
    for _ in range(2):
        result = await notes.note(
            board, NIGHT_WORKER, one.matter_id, one.child_id, NoteKind.ASKED, " Visit first. ", Team.DAY, by,
            note_id=note_id,
        )  # fmt: skip
        assert result.accepted
    records = await on_kafka(board.settings, HandoverNoted.topic, [event_id(HandoverNoted, note_id)])
    [event] = await events(board.settings, records)
    assert isinstance(event, HandoverNoted)
    assert (event.text, event.to, event.due_by, event.kind) == ("Visit first.", Team.DAY, by, NoteKind.ASKED)
    assert (event.by, event.matter_id, event.child_id) == (NIGHT_WORKER, one.matter_id, one.child_id)


NOW = datetime.fromisoformat("2026-11-20T20:00:00+00:00")


@pytest.mark.parametrize(
    ("kind", "text", "to", "due_by", "says"),
    [
        (NoteKind.NOTE, "", Team.DAY, None, "empty"),
        (NoteKind.UNKNOWN, "x", Team.DAY, None, "kind"),
        (NoteKind.NOTE, "x", Team.UNKNOWN, None, "side"),
        (NoteKind.NOTE, "x", Team.DAY, NOW + timedelta(hours=1), "asked"),
        (NoteKind.ASKED, "x", Team.DAY, NOW, "passed"),
    ],
)
def test_what_a_note_lacks_is_said_in_a_sentence(
    kind: NoteKind, text: str, to: Team, due_by: datetime | None, says: str
) -> None:
    """Nobody is left to guess what the form wants."""
    found = notes.lacking(kind, text, to, due_by, NOW)
    assert found
    assert says in found


async def test_another_note_under_the_same_form_is_refused(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who goes back in the browser, writes something else and sends it again is told, and nothing is lost silently."""
    monkeypatch.setattr(acts, "TOLD_WITHIN", 0.1)
    one, note_id = card(str(uuid4())), str(uuid4())
    await tell(board, one)
    said = [
        await notes.note(
            board, NIGHT_WORKER, one.matter_id, one.child_id, NoteKind.NOTE, text, Team.DAY, note_id=note_id
        )
        for text in ("One.", "Another.")
    ]
    assert said[0].unknown
    assert said[1].refused
    assert await board.access.read(lambda c: reading.act(c, note_id)) is None
