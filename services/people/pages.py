"""How a page is made: Jinja2 with escaping always on, and every error a page in plain words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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
from services.people.sessions import forget
from services.people.site import LOCKED, Site
from services.people.static import LOCKING, Static

log = structlog.get_logger()

TEMPLATES = Path(__file__).resolve().parent / "templates"
"""What every site's pages share; a site's own of the same name come first."""


class SignInFirst(Exception):
    """Nobody is signed in. `entry` is what to come back to; `ended` says that a session was there before.

    `locked` says that it is there still, and shows nothing.
    """

    def __init__(self, entry: str | None, *, ended: bool, locked: bool = False) -> None:
        super().__init__()
        self.entry, self.ended, self.locked = entry, ended, locked

    def response(self, site: Site[Any], request: Request) -> Response:
        said = [*([f"entry={self.entry}"] if self.entry else []), *(["ended=yes"] if self.ended else [])]
        answer = RedirectResponse((LOCKED if self.locked else "/sign-in") + ("?" + "&".join(said) if said else ""), 303)
        if self.ended:
            forget(site, site.ground(request).settings, answer)
        return answer


class Refused(Exception):
    """An error page of its own words."""

    def __init__(self, status: int, heading: str, *said: str) -> None:
        super().__init__(heading)
        self.status, self.heading, self.said = status, heading, said


class Pages:
    """Those of one site. `route` is the class of its routes: whatever goes wrong in one is a page as well."""

    def __init__(self, site: Site[Any]) -> None:
        self.site = site
        self.static = Static(site.folder / "static", *([LOCKING] if site.holds else []))
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader([site.folder / "templates", TEMPLATES]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals.update(static=self.static.address, site=site, words=site.words)
        self.templates.filters.update(site.filters)
        self._errors = errors(site)
        self.route = _route_of(self)

    def render(self, request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
        """A page. `request.state.person` is who is signed in, if somebody is."""
        minutes = self.site.terms(self.site.ground(request).settings).minutes
        seconds = int(minutes * 60) + 1  # by then it is over
        person, entry = getattr(request.state, "person", None), getattr(request.state, "entry", None)
        leaves_for = LOCKED + (f"?entry={entry}" if entry else "")
        always = {"person": person, "minutes": f"{minutes:g}", "error": None}
        shown = always | {"seconds": seconds, "leaves_for": leaves_for, "locked": False} | shown
        return HTMLResponse(self.templates.get_template(template).render(shown), status)

    def error(self, request: Request, status: int, heading: str = "", *said: str) -> HTMLResponse:
        known_heading, known = self._errors.get(status, self._errors[400])
        return self.render(request, "error.html", status, heading=heading or known_heading, said=said or (known,))


def errors(site: Site[Any]) -> dict[int, tuple[str, str]]:
    """By status: the page's heading, and what to do."""
    return {
        400: ("The page could not be sent", "What your browser sent could not be read. Nothing was recorded."),
        403: ("You cannot do this", "You may not see this page or do what you asked for. Nothing was recorded."),
        404: ("Page not found", site.words.nothing),
        405: ("The page could not be sent", "This address does not work in that way. Nothing was recorded."),
        413: ("The page could not be sent", "What your browser sent is too large. Nothing was recorded."),
        429: ("Please wait a moment", "Too many pages were asked for in a short time. Wait a minute and try again."),
        503: (
            "Try again in a few minutes",
            f"The {site.words.name} cannot do this now. We do not know if what you sent was recorded: "
            "do it again in a few minutes. Doing it twice does no harm.",
        ),
    }


def _route_of(pages: Pages) -> type[APIRoute]:
    class Page(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            handle = super().get_route_handler()

            async def page(request: Request) -> Response:
                try:
                    return await handle(request)
                except SignInFirst as first:
                    return first.response(pages.site, request)
                except Refused as refused:
                    return pages.error(request, refused.status, refused.heading, *refused.said)
                except pages.site.problems as problem:
                    return pages.error(request, problem.status)  # type: ignore[attr-defined]
                except RequestValidationError:
                    return pages.error(request, 404)
                except HTTPException as error:
                    return pages.error(request, error.status_code)
                except Surroundings as error:
                    log.warning("waiting", reason=str(error))
                    return pages.error(request, 503)

            return page

    return Page
