"""For a site where nobody may leave what they hold: a screen that nobody attends shows nothing, and nothing is lost.

A session that was not used for long is locked: whatever it asks for leads to a page that says who holds what is held,
and shows none of it, until that person proves again who they are. It says too, as a number alone, that somebody is in
danger: danger interrupts at a screen that nobody has used as well (DOMAIN.md H7). At its longest a session ends, unless
its person holds something: then it stays locked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.responses import Response

from services.people import sessions
from services.people.pages import Pages, SignInFirst
from services.people.site import HAND_ON, LOCKED
from services.people.visit import form_of, person_of, tell, token_of


def routes(pages: Pages, visited: Callable[..., Awaitable[object]]) -> APIRouter:
    """Of one site, as the ways in and out (sign_in.py)."""
    router, lock = APIRouter(route_class=pages.route, include_in_schema=False), Lock(pages)
    signed_in = [Depends(visited)]
    router.add_api_route(LOCKED, lock.locked, methods=["GET"])
    router.add_api_route("/lock", lock.lock, methods=["POST"], dependencies=signed_in)
    router.add_api_route(HAND_ON, lock.hand_on, methods=["GET"], dependencies=signed_in)
    router.add_api_route("/still-there", lock.how_long, methods=["GET"])
    router.add_api_route("/still-there", lock.still_there, methods=["POST"], dependencies=signed_in)
    return router


class Lock:
    """What its routes do."""

    def __init__(self, pages: Pages) -> None:
        assert pages.site.holds, "a site where nothing is held has nothing to lock for"
        self._pages, self._site, self._holds = pages, pages.site, pages.site.holds

    async def locked(self, request: Request, entry: str = "") -> Response:
        """Where a page goes by itself once its time is over: whether the session's is over, is asked here."""
        site, ground, token = self._site, self._site.ground(request), token_of(self._site, request)
        at, now_us, entry_id = ground.settings, ground.now_us, site.valid(entry)
        found = await ground.access.read(lambda c: sessions.find(site, c, at, token, now_us)) if token else None
        if found is None:
            raise SignInFirst(entry_id, ended=bool(token))
        if not found.locked:
            return RedirectResponse(site.after(entry_id), 303)
        person_id = found.person.person_id
        if await ground.access.write(lambda c: sessions.lock(site, c, token)):
            await tell(site, request, "LOCKED", person_id)
        held, danger = await ground.access.read(lambda c: (self._holds(c, person_id), self._danger(c)))
        by_issuer = bool(at.oidc_issuer)
        request.state.entry = entry_id
        return self._pages.render(
            request, "locked.html", who=found.person, count=len(held), in_danger=danger, by_issuer=by_issuer,
            entry=entry_id, locked=True,
        )  # fmt: skip

    async def lock(self, request: Request) -> Response:
        """By a button, for who goes away for a while."""
        site, ground, person = self._site, self._site.ground(request), person_of(request)
        await form_of(site, request, person.csrf)
        token = token_of(site, request)
        if await ground.access.write(lambda c: sessions.lock(site, c, token)):
            await tell(site, request, "LOCKED", person.person_id)
        return RedirectResponse(LOCKED, 303)

    async def hand_on(self, request: Request) -> Response:
        """Instead of a sign-out: what is held must be handed on first."""
        person_id = person_of(request).person_id
        held = await self._site.ground(request).access.read(lambda c: self._holds(c, person_id))
        return self._pages.render(request, "hand_on.html", count=len(held))

    async def how_long(self, request: Request) -> Response:
        """For the page's script: seconds until the session ends or is locked. Asking does not put it off.

        To a locked page also the number of those in danger; 404 to whoever has no session.
        """
        site, ground, token = self._site, self._site.ground(request), token_of(self._site, request)
        at, now_us = ground.settings, ground.now_us
        found = await ground.access.read(lambda c: sessions.find(site, c, at, token, now_us)) if token else None
        if found is None:
            return JSONResponse({"seconds": 0}, 404)
        danger = await ground.access.read(self._danger) if found.locked else 0
        return JSONResponse({"seconds": max(0, round(found.left)), "danger": danger})

    async def still_there(self, request: Request) -> Response:
        """For the page's script: somebody is there. Coming here was use (`signed_in`), if the form is our own."""
        await form_of(self._site, request, person_of(request).csrf)
        return await self.how_long(request)

    def _danger(self, connection: sa.Connection) -> int:
        return self._site.danger(connection) if self._site.danger else 0
