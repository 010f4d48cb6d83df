"""A shift is closed once every matter of its side is handed on, closed, or kept by somebody who says so (N7, N8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.bus.clock import Clock
from services.bus.envelope import Event
from services.bus.events import HandoverAct, ShiftClosed, Team
from services.bus.settings import Settings
from services.handover_feed.acting import acts, shifts
from services.handover_feed.board import reading
from services.handover_feed.door.context import Board
from services.handover_feed.shifts import shift_of
from tests.handover_feed.cards import NIGHT_WORKER, card
from tests.handover_feed.conftest import tell
from tests.handover_feed.fold import Fold, folded
from tests.handover_feed.night import NOW, danger, police

DAY_WORKER = NIGHT_WORKER.model_copy(update={"person_id": "person-day", "name": "Dee Day", "team": Team.DAY})
OTHER = NIGHT_WORKER.model_copy(update={"person_id": "person-other", "name": "Ola Other"})
LATE = datetime(2026, 11, 24, 8, 5, tzinfo=UTC)
"""Towards the end of the night."""
MORNING = datetime(2026, 11, 24, 8, 35, tzinfo=UTC)


@pytest.fixture
async def night(tmp_path: Any) -> AsyncIterator[tuple[Board, Fold, list[ShiftClosed]]]:
    """A board of which everything is real but Kafka, at 3:05am; and the shifts that were closed."""
    at = Settings(data_dir=tmp_path, clock_file=tmp_path / "clock")
    Clock.of(at).step(NOW)
    closed: list[ShiftClosed] = []
    async with folded(at) as (board, fold):
        hear = fold.hear

        async def noting(event: Event) -> None:
            if isinstance(event, ShiftClosed):
                closed.append(event)
            await hear(event)

        fold.hear = noting  # type: ignore[method-assign]
        yield board, fold, closed


async def did(board: Board, matter_id: str, act: HandoverAct, by: Any = NIGHT_WORKER) -> None:
    card = await board.access.read(lambda connection: reading.card(connection, matter_id))
    assert card
    seen = [fact.fact_id for fact in card.facts]
    result = await acts.do(board, by, matter_id, act, act_id=str(uuid4()), addresses=seen, reason="seen to")
    assert result.accepted, result.refused


async def test_a_shift_is_not_closed_while_one_matter_is_unaddressed(night: Any) -> None:
    """Taken ones need somebody's word that they stay; what nobody sees to may not stay at night."""
    board, fold, closed = night
    board.clock.step(LATE)
    for name in "abcd":
        await fold.hear(police(f"child-{name}", "Ada Example"))
    await did(board, "child-a", HandoverAct.HANDED_TO_DAY)
    await did(board, "child-b", HandoverAct.CLOSED)
    await did(board, "child-c", HandoverAct.TAKEN)
    for stays, left in (
        ([], {"child-c", "child-d"}),
        (["child-c"], {"child-d"}),
        (["child-c", "child-d"], {"child-d"}),
    ):
        closing = await shifts.close(board, NIGHT_WORKER, stays=stays)
        assert closing.refused
        assert str(len(left)) in closing.refused
        assert {one.matter_id for one in closing.unaddressed} == left
    assert closed == []

    await did(board, "child-d", HandoverAct.HANDED_TO_DAY)
    closing = await shifts.close(board, NIGHT_WORKER, stays=["child-c"])
    assert (closing.refused, closing.unaddressed) == (None, [])
    [event] = closed
    assert (event.shift_id, event.team, event.by) == ("NIGHT-2026-11-23", Team.NIGHT, NIGHT_WORKER)
    assert (event.began_at, event.ended_at) == (closing.shift.began_at, closing.shift.ends_at)
    assert (sorted(event.handed_on), event.closed, event.stays) == (["child-a", "child-d"], ["child-b"], ["child-c"])
    assert await shifts.is_closed(board, closing.shift)


async def test_a_shift_is_closed_once_whoever_closes_it_again(night: Any) -> None:
    """Two workers at once, or one form twice: the first has closed it for both."""
    board, _, closed = night
    board.clock.step(LATE)
    for worker in (NIGHT_WORKER, OTHER, NIGHT_WORKER):
        assert (await shifts.close(board, worker)).refused is None
    assert [event.by for event in closed] == [NIGHT_WORKER]


async def test_a_shift_that_has_hardly_begun_is_not_closed(night: Any) -> None:
    """Nobody leaves a night at 3:05 of which nothing happens to be open: what comes until its end must be seen to."""
    board, _, closed = night
    for at, said in ((NOW, shifts.TOO_EARLY), (LATE - timedelta(minutes=6), shifts.TOO_EARLY), (LATE, None)):
        board.clock.step(at)
        assert (await shifts.close(board, NIGHT_WORKER)).refused == (
            said and said.format("08:30 on Tuesday", "08:00 on Tuesday")
        )
    assert len(closed) == 1


async def test_what_comes_after_a_shift_was_closed_opens_it_again(night: Any) -> None:
    """Danger ten minutes before its end is no less unaddressed because somebody closed the shift before."""
    board, fold, closed = night
    board.clock.step(LATE)
    assert (await shifts.close(board, NIGHT_WORKER)).refused is None
    board.clock.step(LATE + timedelta(minutes=15))
    await fold.hear(danger("child-a"))
    closing = await shifts.close(board, NIGHT_WORKER)
    assert [one.matter_id for one in closing.unaddressed] == ["child-a"]
    assert not await shifts.is_closed(board, closing.shift)
    board.clock.step(LATE + timedelta(minutes=18))
    await did(board, "child-a", HandoverAct.HANDED_TO_DAY)
    assert not await shifts.is_closed(board, closing.shift)
    for _ in range(2):
        assert (await shifts.close(board, NIGHT_WORKER)).refused is None
        assert await shifts.is_closed(board, closing.shift)
    assert [event.handed_on for event in closed] == [[], ["child-a"]]
    assert len({event.envelope.id for event in closed}) == 2
    board.clock.step(MORNING)
    await fold.hear(police("child-b", "Ben Example"))
    assert await shifts.is_closed(board, closing.shift)


async def test_without_an_acknowledgement_a_shift_is_not_closed(night: Any) -> None:
    """The same form again closes it."""
    board, fold, closed = night
    board.clock.step(LATE)
    fold.away = True
    closing = await shifts.close(board, NIGHT_WORKER)
    assert closing.refused == acts.NOT_RECORDED
    assert not await shifts.is_closed(board, closing.shift)
    fold.away = False
    assert (await shifts.close(board, NIGHT_WORKER)).refused is None
    assert len(closed) == 1


async def test_in_the_morning_the_night_still_closes_its_own_shift(night: Any) -> None:
    """At 8:35 the day is on duty; the night worker who stayed on closes the night's shift, not the day's."""
    board, _, closed = night
    board.clock.step(MORNING)
    await shifts.close(board, NIGHT_WORKER)
    board.clock.step(MORNING + timedelta(hours=8))
    await shifts.close(board, DAY_WORKER)
    assert [event.shift_id for event in closed] == ["NIGHT-2026-11-23", "DAY-2026-11-24"]


async def test_by_day_what_waits_for_the_next_day_may_stay_but_never_danger(night: Any) -> None:
    """Somebody says so of each; immediate danger is taken or handed to the night (H7)."""
    board, _, _ = night
    board.clock.step(MORNING + timedelta(hours=8))
    await tell(board, card("waits", team=Team.DAY), card("danger", interrupts=True, team=Team.DAY), card("night"))
    closing = await shifts.close(board, DAY_WORKER)
    assert {one.matter_id for one in closing.unaddressed} == {"waits", "danger"}
    closing = await shifts.close(board, DAY_WORKER, stays=["waits", "danger"])
    assert {one.matter_id for one in closing.unaddressed} == {"danger"}


async def test_the_summary_says_what_came_and_what_was_done_and_what_waits(night: Any) -> None:
    """Of this shift alone; with how long what nobody sees to will have waited at its end."""
    board, fold, _ = night
    await fold.hear(police("child-a", "Ada Example"))
    board.clock.step(NOW + timedelta(minutes=5))
    await fold.hear(police("child-b", "Ben Example"))
    await did(board, "child-a", HandoverAct.TAKEN)
    await did(board, "child-a", HandoverAct.HANDED_TO_DAY)
    shift = shifts.own_shift(board, Team.NIGHT)
    assert [one.matter_id for one, _ in (await shifts.summary(board, shift)).taken] == ["child-a"]  # at this moment
    board.clock.step(NOW + timedelta(minutes=30))
    found = await shifts.summary(board, shift)
    assert [one.matter_id for one, _ in found.came] == ["child-a", "child-b"]
    assert [one.matter_id for one, _ in found.taken] == ["child-a"]
    assert [(one.matter_id, act.by.name) for one, act in found.handed_on] == [("child-a", NIGHT_WORKER.name)]
    assert {one.matter_id: waits for one, waits in found.waiting}["child-b"] == shift.ends_at - NOW - timedelta(
        minutes=5
    )
    assert (found.ended, found.decided, found.notes, found.closed) == ([], [], [], False)
    before = shift_of(shift.began_at - timedelta(minutes=1))
    earlier = await shifts.summary(board, before)
    assert (earlier.came, earlier.taken, earlier.handed_on) == ([], [], [])
