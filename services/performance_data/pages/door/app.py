"""The performance pages' web application: its routers, the headers that protect a browser, and errors as pages."""

from __future__ import annotations

from fastapi import FastAPI

from services.people.errors import ErrorPages
from services.performance_data.pages import routes
from services.performance_data.pages.door.context import ReadingRoom
from services.performance_data.pages.people import visit
from services.performance_data.pages.people.site import PAGES
from services.web import problems
from services.web.limits import Limits
from services.web.protect import Protect

MOST_BODY = 10_000
"""Bytes of a form: signing in and out, and nothing else."""


def application(room: ReadingRoom) -> FastAPI:
    """The whole application."""
    app = FastAPI(title="safebus performance", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.reading_room = room
    problems.install(app)
    app.include_router(visit.router)
    app.include_router(routes.router)

    at = room.settings
    app.add_middleware(Limits, rate=at.performance_rate, burst=at.performance_burst, most=lambda _path: MOST_BODY)
    app.add_middleware(problems.Faults)
    app.add_middleware(ErrorPages, pages=PAGES, programs=())
    app.add_middleware(Protect)
    return app
