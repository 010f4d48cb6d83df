"""No page, batch or look of the board reads more than it is about: closed cards and what was done stay for years."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.bus.envelope import Envelope
from services.bus.events import EscalatedBecause, EscalationState, HandoverEscalated, MatterState, Team
from services.bus.heard import Heard
from services.bus.memory import MemoryRecord
from services.bus.settings import Settings
from services.handover_feed.acting import letters
from services.handover_feed.board import projection, reading, recorded, tables
from services.handover_feed.board.projection import BOARD
from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from services.handover_feed.paging import pages
from services.handover_feed.tables import metadata
from tests.bus.plain import child
from tests.handover_feed import night
from tests.handover_feed.cards import act, card
from tests.handover_feed.conftest import tell
from tests.handover_feed.fold import folded
from tests.handover_feed.test_pages import LISTS, hidden, sign_in
from tests.plans import plans

SMALL = {
    "board_epoch", "board_counter", "board_staff", "board_session", "board_key", "board_deaf", "board_outgoing",
    "board_sending",
}  # fmt: skip
"""Tables of one row, of a row for each person or screen, and of what is about to be sent and is gone then."""

GROWING = {table.name for each in (metadata, tables.metadata) for table in each.sorted_tables} - SMALL
SCAN = re.compile(r"SCAN (\w+)")


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Board]:
    (tmp_path / "clock").write_text(night.NOW.isoformat())
    async with folded(Settings(data_dir=tmp_path, clock_file=tmp_path / "clock")) as (made, _):
        yield made


def gone_through(found: list[str]) -> list[str]:
    """Steps that go through all the rows of a table that grows."""
    assert any(step.startswith("SEARCH board_") for step in found)
    return [step for step in found if (it := SCAN.match(step)) and it[1] in GROWING]


def heard(event: HandoverEscalated) -> Heard:
    return Heard(MemoryRecord(event.topic, 0, 0, b"", b"", [], 0), event=event, envelope=event.envelope)


def escalated(state: EscalationState) -> Heard:
    event = HandoverEscalated(
        escalation_id="escalation", matter_id="child-a", child_id="child-a", state=state,
        waiting_since=night.NOW, happened_at=night.NOW, attempts=0, why=EscalatedBecause.DANGER,
    )  # fmt: skip
    return heard(event.enveloped(Envelope(state.value, "urn:safebus:test", event.topic, night.NOW)))


@pytest.mark.parametrize("role", ["worker-night", "worker-day", "manager", "auditor"])
async def test_every_page(board: Board, role: str) -> None:
    """Lists, a matter, its forms, what is kept of them, the banner, the end of a shift, measures and log."""
    await tell(board, card("child-a", acts=[act("one")], interrupts=True), card("child-b", state=MatterState.CLOSED))
    transport = httpx.ASGITransport(application(board), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as client:
        matter, csrf = "/board/matters/child-a", ""
        with plans(board.access.engine) as found:
            if role == "auditor":
                await sign_in(board, client, role)
                assert (await client.get("/board/log")).status_code == 200
            else:
                csrf = await sign_in(board, client, role)
                more = ["/board/measures"] if role == "manager" else []
                for path in (*LISTS, matter, f"{matter}/close", "/board/danger", "/board/note", *more):
                    assert (await client.get(path)).status_code == 200, path
                typed = {"csrf": csrf, "path": f"{matter}/close", "reason": "She is"}
                assert (await client.post("/board/draft", data=typed)).status_code == 204
                form = hidden(await client.get(f"{matter}/close"), f"{matter}/close")
                assert (await client.post(f"{matter}/close", data={**form, "reason": ""})).status_code == 422
    assert gone_through(found) == []


async def test_a_batch(board: Board) -> None:
    """A card that changes, an escalation, and a directory that says something else of children on the board."""
    await tell(board, card("child-a", interrupts=True), card("unmatched:b", child_id=None))
    with plans(board.access.engine) as found:
        await tell(board, card("child-a", 2, acts=[act("one")]))
        for state in (EscalationState.DUE, EscalationState.PAGED):
            await board.access.write(lambda c, state=state: list(BOARD.record(c, [escalated(state)])))  # type: ignore[misc]
        await board.access.write(partial(projection._locked, matter_ids=["child-a"]))
        await board.access.write(lambda c: recorded._note_likely(c, {"child-a": child("child-a", 1)}))
    assert gone_through(found) == []


async def test_what_looks_again_and_again(board: Board) -> None:
    """Who is to be paged, what changed, who is to be cued, what is to be sent, what may be forgotten."""
    await tell(board, card("child-a", interrupts=True))
    await board.access.write(lambda c: list(BOARD.record(c, [escalated(EscalationState.DUE)])))
    now_us = board.now_us
    with plans(board.access.engine) as found:
        assert await board.access.read(partial(pages.due, now_us=now_us)) == ["escalation"]
        turn = await board.access.write(partial(pages.take, escalation_id="escalation", holder="one", now_us=now_us))
        assert turn
        await board.access.write(partial(pages.record, turn=turn, tried=True, reached=True, now_us=now_us))
        await board.access.read(partial(reading.changes_after, no=0, limit=32))
        await board.access.read(lambda c: reading.holds(c, "person-night"))
        await board.access.read(recorded._due)
        assert await board.access.read(letters._anything)
        await board.access.write(partial(letters._claimed, holder="one", now_us=now_us))
        await board.letters.known(["one"])
        await board.access.write(board.letters._forget_now)
    assert gone_through(found) == []


async def test_of_years_of_closed_cards_only_the_last_are_listed(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen that asks for them gets those that changed last, however many there are."""
    monkeypatch.setattr(reading, "MOST_CLOSED", 2)
    for n in range(4):
        await tell(board, card(f"child-{n}", state=MatterState.CLOSED))
    await tell(board, card("child-0", 2, state=MatterState.CLOSED), card("child-open"))
    with plans(board.access.engine) as found:
        shown = await board.access.read(lambda c: reading.cards(c, state=MatterState.CLOSED))
        await board.access.read(lambda c: reading.cards(c, team=Team.NIGHT, state=MatterState.CLOSED))
    assert {one.matter_id for one in shown} == {"child-0", "child-3"}
    assert gone_through(found) == []
