"""What the board's own page hears: that something changed, while somebody is signed in, and nothing of anybody."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from services.bus.health import PROCESS
from services.bus.settings import Settings
from services.handover_feed.door import stream as pages
from services.handover_feed.door.context import Board
from services.handover_feed.people import staff
from services.web import stream
from tests.handover_feed.cards import card
from tests.handover_feed.conftest import tell
from tests.handover_feed.doorway import named, signs_in
from tests.handover_feed.screens import Client, changed


async def signed_in(board: Board, door: str) -> tuple[Client, str]:
    """The page of an out-of-hours worker, and who that is."""
    person_id = await named(board)
    async with httpx.AsyncClient(base_url=door) as browser:
        await signs_in(board, browser, person_id)
        cookie = "; ".join(f"{one.name}={one.value}" for one in browser.cookies.jar)
    return Client(door, {"Cookie": cookie}, "/board/stream"), person_id


async def test_a_page_hears_that_a_card_changed_and_nothing_about_anybody(board: Board, door: str) -> None:
    """Ids and whether it interrupts; it goes on where it was by Last-Event-ID, and begins with what comes."""
    await tell(board, card("before"))
    page, _ = await signed_in(board, door)
    async with asyncio.timeout(20), page.open() as told:
        heard = changed(told)
        await tell(board, card("a", interrupts=True))
        first = await anext(heard)
        await tell(board, card("a", 2))
        second = await anext(heard)
    assert first.data == {"no": 2, "matter_id": "a", "version": 1, "interrupts": True}
    assert second.data == {"no": 3, "matter_id": "a", "version": 2, "interrupts": False}
    assert (await page.read(1, last=first.id))[0].data == second.data
    assert (await page.read(1, after=first.id))[0].data == second.data


async def test_only_somebody_who_is_signed_in_hears_it(board: Board, door: str) -> None:
    """No session, no stream; a key of a screen is none."""
    async with httpx.AsyncClient(base_url=door) as nobody:
        assert (await nobody.get("/board/stream")).status_code in (303, 401, 403)


async def test_a_stream_ends_with_the_session(board: Board, door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody removed hears nothing more."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    monkeypatch.setattr(stream, "AGAIN", 0.1)
    page, person_id = await signed_in(board, door)
    async with asyncio.timeout(20), page.open() as told:
        await anext(told)
        await board.access.write(lambda c: staff.remove(c, person_id, now_us=board.now_us))
        ends = [one.data async for one in told if one.kind == "goodbye"]
    assert ends == [{"reason": "not-identified"}]


async def test_nobody_has_more_streams_than_a_few(at: Settings, board: Board, door: str) -> None:
    """A page that is opened again and again does not take the board from the others."""
    page, _ = await signed_in(board, door)
    async with asyncio.timeout(20), AsyncExitStack() as opened:
        for _ in range(at.board_streams):
            await opened.enter_async_context(page.open())
        assert await page.first() == 429
        other, _ = await signed_in(board, door)
        assert await other.first() == 200


async def test_a_page_is_not_live_while_the_board_hears_nothing(
    board: Board, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Kafka away its stream ends and none begins, so that it says how old it is; then it goes on by itself."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    monkeypatch.setattr(stream, "AGAIN", 0.1)
    monkeypatch.setattr(pages, "DEAF", 0.3)
    page, _ = await signed_in(board, door)
    async with asyncio.timeout(20), page.open() as told:
        await anext(told)
        PROCESS.waiting("the broker is away")
        try:
            assert [one.kind async for one in told][-1] == "goodbye"
            assert await page.first() == 503
        finally:
            PROCESS.ready()
    async with asyncio.timeout(20), page.open() as told:
        await anext(told)
