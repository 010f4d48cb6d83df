"""A signed-in person's request at the board, and what their role may: denied unless a route says otherwise."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.handover_feed import drafts
from services.handover_feed.door.context import board_of
from services.handover_feed.people.site import PAGES, SITE, Role, Staff
from services.people import locking, sessions, sign_in
from services.people.pages import Refused, SignInFirst
from services.people.visit import form_of, signed_in, token_of
from services.web.problems import Problem

log = structlog.get_logger()

WATCHES: tuple[Role, ...] = ("worker-night", "worker-day", "manager")
"""Who sees matters and acts on them, a manager who is paged too. An auditor sees who saw what, and no child."""


@dataclass(frozen=True, slots=True)
class Visited:
    """Who is signed in, by which session."""

    staff: Staff
    token: str


@dataclass(frozen=True, slots=True)
class May:
    """A FastAPI dependency: whoever is signed in, in one of these roles. Without any, nobody."""

    roles: frozenset[Role]
    by_hand: bool = True
    """Whether a person asks. What a page's script asks for by itself keeps no session alive, and is refused as to a
    program."""

    async def __call__(self, request: Request) -> Visited:
        """
        Raises:
            SignInFirst: nobody is signed in, or their session has ended or is locked.
            Refused: their role may not.
            Problem: one of both, to a script.
        """
        try:
            return await self._visited(request)
        except (SignInFirst, Refused) as refused:
            if isinstance(refused, SignInFirst) and refused.locked:
                await _rescued(request)
            if self.by_hand:
                raise
            status, code = (401, "not-signed-in") if isinstance(refused, SignInFirst) else (403, "not-allowed")
            raise Problem(status, code, "load the page again: it says what to do") from None

    async def _visited(self, request: Request) -> Visited:
        entry = request.path_params.get("matter_id")
        visit = Visited(*await signed_in(SITE, request, entry, by_hand=self.by_hand))
        allowed = visit.staff.role in self.roles
        path, by = getattr(request.scope.get("route"), "path", ""), f"person {visit.staff.person_id}"
        log.info("allowed" if allowed else "denied", action=f"{request.method} {path}", by=by)
        if not allowed:
            raise Refused(403, "You cannot see this", "Your role does not open this page. Nothing was recorded.")
        return visit


async def _rescued(request: Request) -> None:
    """What was sent from a page that was locked meanwhile is kept for its writer, who finds it in the form again."""
    path = request.url.path
    if request.method != "POST" or not drafts.is_form(path):
        return
    board, token = board_of(request), token_of(SITE, request)
    found = await board.access.read(lambda c: sessions.find(SITE, c, board.settings, token, board.now_us))
    if found is None:
        return
    with suppress(Refused):  # a form from elsewhere
        typed = drafts.typed_in(await form_of(SITE, request, found.person.csrf))
        person_id = found.person.person_id
        await board.access.write(lambda c: drafts.keep(c, person_id, path, typed, board.now_us))


def may(*roles: Role, by_hand: bool = True) -> May:
    """`visit: Annotated[Visited, Depends(may("manager"))]`: for a route that has roles of its own."""
    return May(frozenset(roles), by_hand)


anybody = may("worker-night", "worker-day", "manager", "auditor")
"""Whoever is signed in: for what is not about a matter, such as the way out."""

Visit = Annotated[Visited, Depends(may(*WATCHES))]
"""Of a route about matters."""

Watch = Annotated[Visited, Depends(may(*WATCHES, by_hand=False))]
"""As `Visit`, of what the page's script asks for by itself, such as a stream; `left` (services/people/visit.py) says
when that ends."""

router = APIRouter(route_class=PAGES.route, include_in_schema=False)


@router.get("/")
async def beginning(visit: Annotated[Visited, Depends(anybody)]) -> Response:
    """Each role's first page."""
    return RedirectResponse("/board/log" if visit.staff.role == "auditor" else "/board", 303)


router.include_router(sign_in.routes(PAGES, anybody))
router.include_router(locking.routes(PAGES, anybody))
router.include_router(PAGES.static.router())
