"""A matter that this worker must not see (H3): nothing of it is shown, and it is passed on unopened.

Else one that nobody else of the shift can take would wait until somebody happens to look.
"""

from __future__ import annotations

from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.bus.events import HandoverAct, Team
from services.handover_feed.acting import acts
from services.handover_feed.pages.frame import OTHER, Frame
from services.handover_feed.pages.opened import act_id, found, told_of
from services.handover_feed.pages.shown import Shown
from services.handover_feed.people.site import PAGES, SITE
from services.handover_feed.people.visit import Visit, Visited
from services.people.visit import form_of as sent_by

router = APIRouter(route_class=PAGES.route, include_in_schema=False)

MANAGER, SIDE = "ask-manager", "pass-on"
PATHS = (MANAGER, SIDE)


@router.post("/board/matters/{matter_id:path}/" + MANAGER)
async def ask_manager(request: Request, visit: Visit, matter_id: str) -> Response:
    """The on-call manager is paged at once."""
    return await _pass_on(request, visit, matter_id, MANAGER, None)


@router.post("/board/matters/{matter_id:path}/" + SIDE)
async def pass_on(request: Request, visit: Visit, matter_id: str) -> Response:
    """The other side has it. Immediate danger waits for no other side's hours (H7)."""
    return await _pass_on(request, visit, matter_id, SIDE, OTHER.get(visit.staff.team, Team.DAY))


async def page(
    request: Request, visit: Visited, around: Frame, m: Shown, error: str = "", status: int = 403
) -> Response:
    """That it is not open to this worker, and what they can do."""
    return PAGES.render(
        request, "barred.html", status, m=m, act_ids=[str(uuid4()), str(uuid4())],
        to="day" if OTHER.get(visit.staff.team, Team.DAY) is Team.DAY else "night",
        told=await told_of(around.board, request, visit.staff, m.id),
        **{**around.context, "error": (error, "pass") if error else None},
    )  # fmt: skip


async def _pass_on(request: Request, visit: Visited, matter_id: str, path: str, to: Team | None) -> Response:
    sent = await sent_by(SITE, request, visit.staff.csrf)
    around, m = await found(request, visit.staff, matter_id)
    if not m.barred or (to and m.danger):
        return RedirectResponse(m.href, 303)
    # What stands there now, though this worker has not seen it: what comes later is for whoever is on duty then.
    standing = [fact.fact_id for fact in m.card.facts]
    result = await acts.do(
        around.board, visit.staff, m.id, HandoverAct.PASSED_ON, act_id=act_id(sent), addresses=standing, to=to
    )
    if result.unknown and not result.recorded:
        return await page(request, visit, around, m, acts.NOT_RECORDED, 503)
    return RedirectResponse(f"{m.href}?{path}={result.act_id}", 303)
