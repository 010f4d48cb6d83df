"""Who saw what is said in ids alone, delays no page, and outlives the process that noted it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from services.bus.events import HandoverSeen, SeenWhat, Team
from services.bus.settings import Settings
from services.handover_feed.acting import seen
from services.handover_feed.acting.letters import Letters
from services.handover_feed.acting.tables import outgoing
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import board_for
from tests.handover_feed.log import said_about


async def said_by(at: Settings, person_id: str, number: int) -> list[HandoverSeen]:
    async with asyncio.timeout(30):
        while True:
            found = [
                one for one in await said_about(at, HandoverSeen.topic, person_id) if isinstance(one, HandoverSeen)
            ]
            if len(found) >= number:
                return found
            await asyncio.sleep(0.1)


async def test_everything_that_is_seen_is_said_in_order_and_nothing_of_it_is_kept(board: Board) -> None:
    """Once each, with who, for which side, what and when; once Kafka has it, the board keeps nothing."""
    person, matter = f"person-{uuid4()}", str(uuid4())
    for what in (SeenWhat.SIGNED_IN, SeenWhat.BOARD):
        seen.saw(board, person, Team.NIGHT, what)
    for _ in range(1000):
        seen.saw(board, person, Team.NIGHT, SeenWhat.MATTER, matter)
    found = await said_by(board.settings, person, 1002)
    assert len({one.seen_id for one in found}) == 1002
    assert {(one.what, one.matter_id) for one in found} == {
        (SeenWhat.SIGNED_IN, None), (SeenWhat.BOARD, None), (SeenWhat.MATTER, matter),
    }  # fmt: skip
    async with asyncio.timeout(20):
        while await board.access.read(lambda connection: connection.execute(outgoing.select()).first()):
            await asyncio.sleep(0.05)


async def test_what_was_seen_just_before_an_orderly_end_is_said_by_the_next_process(
    at: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent yet when the board ended."""
    person = f"person-{uuid4()}"

    async def away(*_: object) -> None:
        await asyncio.sleep(3600)

    with monkeypatch.context() as broken:
        broken.setattr(Letters, "_send", away)
        async with board_for(at) as board:
            for _ in range(3):
                seen.saw(board, person, Team.NIGHT, SeenWhat.BOARD)
    assert await said_about(at, HandoverSeen.topic, person) == []
    async with board_for(at):
        assert len(await said_by(at, person, 3)) == 3


async def test_a_board_whose_database_is_away_for_long_loses_the_oldest_and_counts_them(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has an end, and a page must not wait: what is lost is counted and said, never silent."""
    monkeypatch.setattr(seen, "MOST", 5)
    before = seen.LOST._value.get()
    for _ in range(8):
        seen.saw(board, "person", Team.NIGHT, SeenWhat.BOARD)
    assert seen.LOST._value.get() - before == 3
