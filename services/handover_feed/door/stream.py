"""The board as it changes: GET /v1/board/stream for teams' own screens, /board/stream for the board's own page.

Each card is sent as it stands, with the number of its latest change: one that changes more than once before it is sent
is sent once (services/web/stream.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from services.bus.health import PROCESS
from services.handover_feed.board import reading
from services.handover_feed.board.hub import PAGES, SCREENS, frames_of
from services.handover_feed.board.reading import Change
from services.handover_feed.door.context import Board, board_of
from services.handover_feed.door.keys import Screen, screen, showed, token_of, used
from services.handover_feed.people.site import SITE
from services.handover_feed.people.visit import Watch
from services.people.visit import left
from services.web.cursor import Cursor, cursor_of
from services.web.hub import Piece, piece_of
from services.web.problems import Problem
from services.web.stream import OneOfFew

CATCH_UP = 32
"""Cards read at once for a stream that is behind."""

BEAT = b"event: beat\ndata: {}\n\n"
"""By which a page knows that its stream stands: without one for a while, it says that the connection is lost."""

DEAF = 15.0
"""Seconds without the bus after which a page may not say that it is live: its stream ends, and none begins."""

router = APIRouter()


@router.get("/v1/board/stream", response_class=Response)
async def screens(
    request: Request,
    who: Annotated[Screen, Depends(screen)],
    after: Annotated[str | None, Query()] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Cards as they change, from a cursor on; without one, first every card that is not closed."""
    board, token = board_of(request), token_of(request)

    async def may() -> bool:
        return await board.keys.screen(token) is not None

    cursor = cursor_of(last_event_id or after)
    await _beyond(board, cursor)
    used(board, who)
    return ToScreen(board, who, Cards(board, SCREENS, who.by, may), cursor)


@router.get("/board/stream", response_class=Response, include_in_schema=False)
async def pages(
    request: Request,
    visit: Watch,
    after: Annotated[str | None, Query()] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Which cards change, from a cursor on; without one, from now on."""
    board = board_of(request)

    async def may() -> bool:
        return PROCESS.deaf_for <= DEAF and await left(SITE, request) > 0

    if PROCESS.deaf_for > DEAF:
        raise Problem(503, "try-again", "the board hears nothing new now", headers={"Retry-After": "5"})

    cursor = cursor_of(last_event_id or after) or await board.access.read(_now)
    await _beyond(board, cursor)
    by = f"person {visit.staff.person_id}"
    return OneOfFew(board.hub, Cards(board, PAGES, by, may), cursor, board.streams, by, BEAT)


def _now(connection: sa.Connection) -> Cursor:
    return Cursor(reading.epoch(connection), reading.last(connection))


async def _beyond(board: Board, cursor: Cursor | None) -> None:
    """Refuse a cursor of this epoch with a number that was never given: it would wait for ever."""
    now = await board.access.read(_now)
    if cursor is not None and cursor.epoch == now.epoch and cursor.number > now.number:
        raise Problem(
            422, "invalid-cursor", "no change of the board has had that number yet",
            errors=[("/query/after", "is beyond the last change")],
        )  # fmt: skip


class Cards:
    """The board, for one who watches it."""

    def __init__(self, board: Board, channel: str, by: str, may: Callable[[], Awaitable[bool]]) -> None:
        self._board, self.channel, self._by, self._may = board, channel, by, may
        self._begun_at = 0  # the number given last when it began: up to it, whoever has nothing needs no closed card

    @property
    def who(self) -> dict[str, str]:
        return {"by": self._by}

    async def missed(self, after: int) -> tuple[str, Piece | None]:
        """The cards that changed next, from the database."""

        def look(connection: sa.Connection) -> tuple[Cursor, list[Change]]:
            now = _now(connection)
            self._begun_at = self._begun_at if after else now.number
            return now, reading.changes_after(connection, after, CATCH_UP, open_until=self._begun_at)

        now, changes = await self._board.access.read(look)
        if changes:
            return now.epoch, piece_of(frames_of(self.channel, changes, now.epoch))
        return now.epoch, Piece(b"", self._begun_at) if after < self._begun_at else None

    async def still_may(self) -> bool:
        return await self._may()


class ToScreen(OneOfFew):
    """A stream of whole cards, of which is recorded whose they were."""

    def __init__(self, board: Board, who: Screen, cards: Cards, cursor: Cursor | None) -> None:
        super().__init__(board.hub, cards, cursor, board.streams, who.by)
        self._board, self._screen = board, who

    def _showing(self, about: Sequence[str]) -> None:
        showed(self._board, self._screen, about)
