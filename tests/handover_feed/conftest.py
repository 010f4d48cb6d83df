"""A board for a test, on the session's stack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.bus.envelope import Envelope
from services.bus.events import MatterChanged
from services.bus.heard import Heard
from services.bus.memory import MemoryRecord
from services.bus.settings import Settings
from services.handover_feed.board.projection import BOARD
from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import board_for, open_board


@pytest.fixture
def at(stack: Settings, tmp_path: Path) -> Settings:
    """Settings of one board: a data folder and an SQLite database of its own, any free port."""
    return stack.model_copy(update={"data_dir": tmp_path, "board_port": 0})


@pytest.fixture
async def board(at: Settings) -> AsyncIterator[Board]:
    """A board without its loop: fill it with `tell`."""
    async with board_for(at) as made:
        yield made


@pytest.fixture
async def client(board: Board) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the board's application directly, without a socket (streams: use `door`)."""
    transport = httpx.ASGITransport(application(board), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as made:
        yield made


@pytest.fixture
async def door(at: Settings) -> AsyncIterator[str]:
    """The address of a board that really listens, without its loop."""
    async with open_board(at) as address:
        yield address


async def tell(board: Board, *cards: MatterChanged) -> None:
    """What the loop does with cards that it hears: one batch, then the bell."""
    for card in cards:
        if not card.is_said:
            own_id = f"{card.matter_id} {card.version}"
            card.enveloped(Envelope(own_id, "urn:safebus:handover-feed", card.topic, card.changed_at))
    done = [Heard(MemoryRecord(c.topic, 0, 0, b"", b"", [], 0), event=c, envelope=c.envelope) for c in cards]
    await board.access.write(lambda connection: list(BOARD.record(connection, done)))
    BOARD.committed()
