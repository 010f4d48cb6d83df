"""The board is the latest card of each matter, read worst first, and quick however many stand open."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.bus.events import HandoverAct, MatterState, Team
from services.handover_feed.board import reading
from services.handover_feed.door.context import Board
from tests.handover_feed.cards import EVENING, NIGHT_WORKER, act, card, fact
from tests.handover_feed.conftest import tell


async def read_card(board: Board, matter_id: str) -> int | None:
    found = await board.access.read(lambda c: reading.card(c, matter_id))
    return found.version if found else None


async def test_the_highest_version_stands(board: Board) -> None:
    """Whatever order they are heard in, in one batch or in several: a recovery replays them all."""
    await tell(board, card(version=2), card(version=1))
    assert await read_card(board, "child-1") == 2
    await tell(board, card(version=1))
    assert await read_card(board, "child-1") == 2
    await tell(board, card(version=3), card("child-2"))
    assert (await read_card(board, "child-1"), await read_card(board, "child-2")) == (3, 1)
    assert await read_card(board, "child-3") is None


async def test_a_card_is_read_as_it_was_said(board: Board) -> None:
    """Every field, to the microsecond."""
    said = card(acts=[act("act-1", reason="Visiting now.")], taken_by=NIGHT_WORKER, state=MatterState.TAKEN)
    await tell(board, said)
    assert await board.access.read(lambda c: reading.card(c, "child-1")) == said


async def test_each_change_has_the_next_number(board: Board) -> None:
    """No number is left out, and a card that is not new has none."""
    await tell(board, card("a"), card("b"))
    await tell(board, card("a"))
    await tell(board, card("a", 2))
    found = await board.access.read(lambda c: (reading.changes_after(c, 0, 10), reading.last(c)))
    assert ([(change.no, change.card.matter_id) for change in found[0]], found[1]) == ([(2, "b"), (3, "a")], 3)
    later = await board.access.read(lambda c: reading.changes_after(c, 2, 10))
    assert [(change.no, change.card.version) for change in later] == [(3, 2)]


async def test_only_what_is_asked_for_is_listed(board: Board) -> None:
    """Open ones, of one side or of both; closed ones when they are asked for."""
    await tell(
        board,
        card("night"),
        card("day", team=Team.DAY),
        card("taken", state=MatterState.TAKEN, taken_by=NIGHT_WORKER),
        card("closed", state=MatterState.CLOSED),
    )

    async def listed(**asked: object) -> set[str]:
        found = await board.access.read(lambda c: reading.cards(c, **asked))  # type: ignore[arg-type]
        return {one.matter_id for one in found}

    assert await listed() == {"night", "day", "taken"}
    assert await listed(team=Team.NIGHT) == {"night", "taken"}
    assert await listed(team=Team.NIGHT, state=MatterState.OPEN) == {"night"}
    assert await listed(state=MatterState.CLOSED) == {"closed"}
    assert await board.access.read(lambda c: reading.holds(c, NIGHT_WORKER.person_id)) == ["taken"]


async def test_what_changed_is_read_anew(board: Board) -> None:
    """What is kept parsed never hides a newer card."""
    await tell(board, card("a"), card("b"))
    first = await board.access.read(reading.cards)
    await tell(board, card("a", 2))
    second = await board.access.read(reading.cards)
    assert {(one.matter_id, one.version) for one in second} == {("a", 2), ("b", 1)}
    assert {id(one) for one in first if one.matter_id == "b"} <= {id(one) for one in second}


async def test_an_act_is_found_by_its_id(board: Board) -> None:
    """Accepted, refused with the reason, or not known yet; also when a later card no longer tells of it."""
    refused = "Nia Night has taken this matter."
    await tell(board, card(acts=[act("first"), act("second", refused=refused)]))
    await tell(board, card(version=2))
    found = await board.access.read(lambda c: [reading.act(c, one) for one in ("first", "second", "third")])
    assert [one and (one.accepted, one.refused) for one in found] == [(True, None), (False, refused), None]


async def test_the_summary_tells_what_a_stretch_of_time_brought(board: Board) -> None:
    """Facts heard and acts done within it, by matter; what was refused was not done."""
    us = int(EVENING.timestamp() * 1_000_000)
    await tell(
        board,
        card("a", facts=[fact("f1")], acts=[act("x"), act("y", HandoverAct.CLOSED, refused="No.")]),
        card("b", facts=[]),
    )
    found = await board.access.read(lambda c: reading.summary(c, us, us + 1))
    assert [(p.card.matter_id, [f.fact_id for f in p.facts], [a.act_id for a in p.acts]) for p in found] == [
        ("a", ["f1"], ["x"])
    ]
    assert await board.access.read(lambda c: reading.summary(c, us + 1, us + 2)) == []


async def test_no_act_is_forgotten_that_a_card_has_no_room_for(board: Board) -> None:
    """A card keeps its latest acts; the summary and the log tell of every one, the log of refused ones too."""
    us = int(EVENING.timestamp() * 1_000_000)
    first = act("first", reason="On my way.")
    refused = act("refused", refused="No.", acted_at=EVENING + timedelta(seconds=1))
    late = act("late", HandoverAct.NOTED, acted_at=EVENING + timedelta(seconds=2))
    await tell(board, card(acts=[first, refused]))
    await tell(board, card(version=2, acts=[late]))
    until = us + 10_000_000
    assert await board.access.read(lambda c: reading.acts(c, us, until)) == [
        ("child-1", first), ("child-1", refused), ("child-1", late),
    ]  # fmt: skip
    [passage] = await board.access.read(lambda c: reading.summary(c, us, until))
    assert passage.acts == [first, late]


@pytest.mark.parametrize("when", ["before", "after", "long after"])
async def test_whoever_acted_is_told_as_soon_as_the_board_knows(board: Board, when: str) -> None:
    """Whether it knew before it was asked, a moment later, or only while the answer was waited for."""
    if when == "before":
        await tell(board, card(acts=[act("mine")]))
    waiting = asyncio.create_task(board.hub.wait_for_act("mine", 20))
    await asyncio.sleep(0.2 if when == "long after" else 0)
    if when != "before":
        await tell(board, card("other"))
        await tell(board, card(acts=[act("mine")]))
    found = await waiting
    assert found
    assert (found.accepted, found.matter_id) == (True, "child-1")


async def test_an_act_of_which_nothing_is_heard_is_not_waited_for_for_ever(board: Board) -> None:
    """None, after the seconds that were given."""
    assert await board.hub.wait_for_act("nobody's", 0.1) is None
