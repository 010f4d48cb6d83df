"""Whatever answers a browser with a problem outside the pages' own routes: it gets a page as well, and never JSON."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.people.pages import Pages
from services.web.problems import MEDIA_TYPE

KEPT = ("retry-after", "allow", "connection", "www-authenticate")
"""Headers of the problem that its page has too."""

MORE = {
    408: ("The page could not be sent", "What your browser sent did not arrive in time. Nothing was recorded."),
    414: ("Page not found", "No page has so long an address."),
    500: (
        "Sorry, something went wrong",
        "We do not know if what you sent was recorded: do it again in a few minutes. Doing it twice does no harm.",
    ),
}
"""Heading and what to do, of what no page's route answers itself."""


class ErrorPages:
    """ASGI middleware. What asks for HTML gets HTML, but for the interface of programs, whose problems are JSON."""

    def __init__(self, app: ASGIApp, *, pages: Pages, programs: tuple[str, ...]) -> None:
        """
        Args:
            programs: the first parts of paths that are left alone, such as `/v1`.
        """
        self._app, self._pages, self._programs = app, pages, programs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_a_browsers(scope):
            await self._app(scope, receive, send)
            return
        problem: Message | None = None

        async def instead(message: Message) -> None:
            nonlocal problem
            if message["type"] == "http.response.start" and _is_problem(message):
                problem = message
            elif problem is None:
                await send(message)
            elif not message.get("more_body"):
                await self._page(scope, problem)(scope, receive, send)

        await self._app(scope, receive, instead)

    def _is_a_browsers(self, scope: Scope) -> bool:
        path = scope["path"]
        if any(path == first or path.startswith(f"{first}/") for first in self._programs):
            return False
        return "text/html" in Headers(scope=scope).get("accept", "").lower()

    def _page(self, scope: Scope, problem: Message) -> Any:
        status = problem["status"]
        page = self._pages.error(Request(scope), status, *MORE.get(status, ()))
        was = Headers(raw=problem["headers"])
        page.headers.update({name: was[name] for name in KEPT if name in was})
        return page


def _is_problem(started: Message) -> bool:
    return Headers(raw=started["headers"]).get("content-type", "").startswith(MEDIA_TYPE)
