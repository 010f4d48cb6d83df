"""GET /v1/board and /v1/board/{matter_id}: the cards, for a team that has a screen of its own."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request
from pydantic_core import to_json
from starlette.responses import Response

from services.bus.events import MatterChanged, MatterState, Team
from services.handover_feed.board import reading
from services.handover_feed.board.shown import as_json
from services.handover_feed.door.context import board_of
from services.handover_feed.door.keys import Screen, screen, showed, used
from services.web.problems import Problem

router = APIRouter()


@router.get("/v1/board", response_class=Response)
async def cards(
    request: Request,
    who: Annotated[Screen, Depends(screen)],
    team: Annotated[Team | None, Query()] = None,
    state: Annotated[MatterState | None, Query()] = None,
) -> Response:
    """What is open, the worst first, and the cursor from which a stream goes on."""

    def look(connection: sa.Connection) -> tuple[str, int, list[MatterChanged]]:
        found = reading.cards(connection, team=team, state=state, order=board.order)
        return reading.epoch(connection), reading.last(connection), found

    board = board_of(request)
    epoch, no, found = await board.access.read(look)
    used(board, who)
    showed(board, who, (one.matter_id for one in found))
    return _json({"epoch": epoch, "no": no, "next": f"{epoch}.{no}", "cards": [as_json(card) for card in found]})


@router.get("/v1/board/{matter_id}", response_class=Response)
async def card(request: Request, matter_id: str, who: Annotated[Screen, Depends(screen)]) -> Response:
    """One card, open or closed."""
    board = board_of(request)
    found = await board.access.read(lambda connection: reading.card(connection, matter_id))
    if found is None:
        raise Problem(404, "not-found", "the board has no such matter")
    used(board, who, matter_id)
    return _json(as_json(found))


def _json(content: Any) -> Response:
    return Response(to_json(content), media_type="application/json")
