"""Nothing at the board's door is open but the way in: every route asks who it is, also one that will be added."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import httpx
from fastapi.routing import APIRoute, APIRouter
from starlette.routing import BaseRoute

from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from tests.handover_feed.cards import card
from tests.handover_feed.conftest import tell

WAY_IN = {"/sign-in", "/sign-in/start", "/sign-in/callback", "/sign-in/link/{token}", "/sign-in/link", "/signed-out"}
"""For whoever is nobody yet."""

OWN = {("GET", "/sign-out"), ("GET", "/still-there")}
"""About the own session alone: without one, there is nothing to say."""


def routes(of: Sequence[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and pattern of each, those of routers within routers too."""
    for route in of:
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in sorted(route.methods or ()))
        elif isinstance(within := getattr(route, "original_router", None), APIRouter):
            yield from routes(within.routes)


async def test_nobody_gets_further_than_the_way_in(board: Board, client: httpx.AsyncClient) -> None:
    """Without a session or key: a refusal, or the way to the sign-in, and nothing of any card, whatever the route."""
    await tell(board, card("a"))
    asked = 0
    for method, pattern in routes(application(board).routes):
        if pattern in WAY_IN or pattern.startswith("/static") or (method, pattern) in OWN:
            continue
        path = re.sub(r"\{\w+(:path)?\}", "a", pattern)
        answer = await client.request(method, path)
        sent_on = answer.status_code == 303 and "/sign-in" in answer.headers["location"]
        assert answer.status_code in (401, 403) or sent_on, (method, pattern, answer.status_code)
        assert "Example" not in answer.text
        asked += 1
    assert asked > 15
