"""A signed-in person's request at the performance pages: without a session there is nothing."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request

from services.people import sign_in
from services.people.visit import signed_in
from services.performance_data.pages.people.site import PAGES, SITE, Reader

log = structlog.get_logger()


async def visited(request: Request) -> Reader:
    """Who is signed in.

    Raises:
        SignInFirst: nobody is, or their session has ended.
    """
    reader, _ = await signed_in(SITE, request, request.path_params.get("period"))
    path = getattr(request.scope.get("route"), "path", "")
    log.info("allowed", action=f"{request.method} {path}", by=f"person {reader.person_id}")
    return reader


Visit = Annotated[Reader, Depends(visited)]

router = APIRouter(route_class=PAGES.route, include_in_schema=False)
router.include_router(sign_in.routes(PAGES, visited))
router.include_router(PAGES.static.router())
