"""A signed-in person's request at the board, and what their role may: denied unless a route says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.handover_feed.people.site import PAGES, SITE, Role, Staff
from services.people import locking, sign_in
from services.people.pages import Refused, SignInFirst
from services.people.visit import signed_in
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
