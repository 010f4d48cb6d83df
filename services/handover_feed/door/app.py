"""The board's web application: every router, the headers that protect a browser, and the errors in one form."""

from __future__ import annotations

from fastapi import FastAPI

from services.handover_feed.door import api, stream
from services.handover_feed.door.context import Board
from services.handover_feed.pages import routes as pages
from services.handover_feed.people import visit as people
from services.handover_feed.people.site import PAGES
from services.people.errors import ErrorPages
from services.web import problems
from services.web.limits import Limits
from services.web.measured import Measured
from services.web.protect import Protect
from services.web.traced import Traced

ROUTERS = (stream.router, api.router, people.router, pages.router)

MOST_BODY = 200_000
"""Bytes of a form: a decision with all of its reasons."""


def application(board: Board) -> FastAPI:
    """The whole application over one board."""
    app = FastAPI(title="safebus handover board", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.board = board
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)

    at = board.settings
    app.add_middleware(Limits, rate=at.board_rate, burst=at.board_burst, most=lambda _path: MOST_BODY)
    app.add_middleware(problems.Faults)
    app.add_middleware(ErrorPages, pages=PAGES, programs=("/v1",))
    app.add_middleware(Protect)
    app.add_middleware(Traced)
    app.add_middleware(Measured, streams=board.streams.open.total)
    return app
