"""How a page is made: Jinja2 with escaping always on, one stylesheet, and every error a page in plain words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.bus.errors import Surroundings
from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.door.problems import Problem
from services.partner_gateway.person import words
from services.partner_gateway.person.sessions import Person, forget

log = structlog.get_logger()

HERE = Path(__file__).resolve().parent
STYLESHEET = (HERE / "static" / "inbox.css").read_bytes()
STYLE_VERSION = sha256(STYLESHEET).hexdigest()[:12]

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(style_version=STYLE_VERSION)
TEMPLATES.filters.update(word=words.word, moment=words.moment, day=words.day, organisation=words.organisation)

ERRORS = {
    400: ("The page could not be sent", "What your browser sent could not be read. Nothing was recorded."),
    403: ("You cannot do this", "You may not see this page or do what you asked for. Nothing was recorded."),
    404: ("Page not found", "There is nothing at this address, or nothing for your organisation."),
    405: ("The page could not be sent", "This address does not work in that way. Nothing was recorded."),
    413: ("The page could not be sent", "What your browser sent is too large. Nothing was recorded."),
    429: ("Please wait a moment", "Too many pages were asked for in a short time. Wait a minute and try again."),
    503: (
        "Try again in a few minutes",
        "The safeguarding inbox cannot do this now. We do not know if what you sent was recorded: "
        "do it again in a few minutes. Doing it twice does no harm.",
    ),
}
"""By status: the page's heading, and what to do."""


class SignInFirst(Exception):
    """Nobody is signed in. `entry` is the number to come back to; `ended` says that a session was there before."""

    def __init__(self, entry: int | None, *, ended: bool) -> None:
        super().__init__()
        self.entry, self.ended = entry, ended

    def response(self, request: Request) -> Response:
        query = "&".join([*([f"entry={self.entry}"] if self.entry else []), *(["ended=yes"] if self.ended else [])])
        answer = RedirectResponse("/sign-in" + (f"?{query}" if query else ""), 303)
        if self.ended:
            forget(answer, gateway_of(request).settings)
        return answer


class Refused(Exception):
    """An error page of its own words."""

    def __init__(self, status: int, heading: str, *said: str) -> None:
        super().__init__(heading)
        self.status, self.heading, self.said = status, heading, said


class Page(APIRoute):
    """A route for people: whatever goes wrong is a page as well."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInFirst as first:
                return first.response(request)
            except Refused as refused:
                return error_page(request, refused.status, refused.heading, *refused.said)
            except Problem as problem:
                return error_page(request, problem.status)
            except RequestValidationError:
                return error_page(request, 404)
            except HTTPException as error:
                return error_page(request, error.status_code)
            except Surroundings as error:
                log.warning("waiting", reason=str(error))
                return error_page(request, 503)

        return page


def render(request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """A page. `request.state.person` is who is signed in, if somebody is."""
    at = gateway_of(request).settings
    person: Person | None = getattr(request.state, "person", None)
    shown = {"person": person, "minutes": f"{at.gateway_session_minutes:g}", "error": None, **shown}
    return HTMLResponse(TEMPLATES.get_template(template).render(shown), status)


def error_page(request: Request, status: int, heading: str = "", *said: str) -> HTMLResponse:
    known_heading, known = ERRORS.get(status, ERRORS[400])
    return render(request, "error.html", status, heading=heading or known_heading, said=said or (known,))
