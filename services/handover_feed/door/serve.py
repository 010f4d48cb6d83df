"""Opens the board's door beside its loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.bus.access import Access
from services.bus.catalogue import load
from services.bus.clock import Clock
from services.bus.health import PROCESS
from services.bus.run import codec_for
from services.bus.settings import Settings
from services.handover_feed.acting.letters import Letters
from services.handover_feed.acting.seen import Seen
from services.handover_feed.board.hub import Hub
from services.handover_feed.board.order import order_of
from services.handover_feed.board.projection import BOARD
from services.handover_feed.board.recorded import Cues
from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from services.handover_feed.door.keys import Keys
from services.handover_feed.numbers import numbered
from services.handover_feed.paging.hearing import Hearing
from services.handover_feed.paging.pager import Pager
from services.handover_feed.tables import metadata
from services.web.serving import Place, listen, make_tables, serving
from services.web.serving import where as serving_at
from services.web.stream import Few

NAME = "handover-feed"

DOOR = "board.json"
"""Below the data directory: where the board is, for commands on this machine."""


@asynccontextmanager
async def open_board(at: Settings) -> AsyncIterator[str]:
    """Serve until the block ends; the address it serves at.

    Raises:
        UserMistake: the port is taken, or there is a certificate without a key.
    """
    place = place_of(at)
    listening = listen(place)
    async with AsyncExitStack() as stack:
        board = await stack.enter_async_context(board_for(at))
        yield await stack.enter_async_context(serving(application(board), listening, place, board.hub.close))


@asynccontextmanager
async def board_for(at: Settings) -> AsyncIterator[Board]:
    """Everything that the routes work with, ended with the block."""
    access = Access(at, NAME)
    async with AsyncExitStack() as stack:
        stack.callback(access.close)
        await make_tables(access, NAME, BOARD, [metadata])
        clock, codec = Clock.of(at), codec_for(at)
        hub = Hub(access)
        letters = await stack.enter_async_context(Letters(at, access, clock, codec))
        board = Board(
            settings=at,
            access=access,
            catalogue=load(at.catalogue),
            clock=clock,
            codec=codec,
            order=order_of(at),
            letters=letters,
            seen=await stack.enter_async_context(Seen(letters)),
            hub=hub,
            keys=Keys(access, clock),
            streams=Few(at.board_streams),
        )
        BOARD.listeners.append(hub.ring)
        stack.callback(BOARD.listeners.remove, hub.ring)
        await stack.enter_async_context(hub)
        await stack.enter_async_context(Pager(board))
        await stack.enter_async_context(Hearing(board, PROCESS))
        cues = await stack.enter_async_context(Cues(board))
        BOARD.listeners.append(cues.ring)
        stack.callback(BOARD.listeners.remove, cues.ring)
        stack.enter_context(numbered(board))
        yield board


def where(at: Settings) -> str | None:
    """The address of the board that was opened last in this data directory; None if none is open."""
    return serving_at(place_of(at).file)


def place_of(at: Settings) -> Place:
    """Where the settings want it."""
    return Place(
        "the handover board",
        "BOARD",
        at.board_host,
        at.board_port,
        at.board_url,
        at.board_tls_cert,
        at.board_tls_key,
        at.data_dir / DOOR,
    )
