"""The board's pages: its lists, one matter, and the forms by which a worker acts; every act is an event."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from services.bus.events import FamilyTold, HandoverAct, NoteKind, Outcome, RiskCriterion, SeenWhat, Team, Threshold
from services.handover_feed.acting import acts, decisions, matches, notes, seen
from services.handover_feed.acting.decisions import Decided
from services.handover_feed.board import reading
from services.handover_feed.board.reading import ActResult
from services.handover_feed.door.context import board_of
from services.handover_feed.pages import barred, forms, kept, lists, log, matching, measures, shift
from services.handover_feed.pages import notes as by_itself
from services.handover_feed.pages.can import can, child, form_of
from services.handover_feed.pages.forms import Form, Typed
from services.handover_feed.pages.frame import Frame, banner, frame
from services.handover_feed.pages.lists import Listing
from services.handover_feed.pages.opened import act_id, addressed, came_meanwhile, declare, found, opened, told_of
from services.handover_feed.pages.shown import Shown, mark
from services.handover_feed.pages.words import CRITERIA
from services.handover_feed.people.site import PAGES, SITE
from services.handover_feed.people.visit import Visit, Visited, Watch
from services.people.pages import Refused
from services.people.visit import form_of as sent_by

router = APIRouter(route_class=PAGES.route, include_in_schema=False)

PATHS = {*forms.FORMS, *barred.PATHS, "decision", "lower", "conflict", "match"}
CONFLICT_ERROR = ("Choose whether this could be about you or somebody close to you", "no-conflict")
CAME = "Something new came in while you had this open: read it, then send this again"


@router.get("/board")
async def open_now(request: Request, visit: Visit, page: int = 1) -> Response:
    around = await frame(request, visit.staff)
    return _list(request, around, await lists.open_now(around, page))


@router.get("/board/mine")
async def mine(request: Request, visit: Visit, page: int = 1) -> Response:
    around = await frame(request, visit.staff)
    return _list(request, around, await lists.taken(around, page))


@router.get("/board/waiting")
async def waiting(request: Request, visit: Visit, page: int = 1) -> Response:
    around = await frame(request, visit.staff)
    return _list(request, around, await lists.waiting(around, page))


@router.get("/board/done")
async def done(request: Request, visit: Visit, page: int = 1) -> Response:
    around = await frame(request, visit.staff)
    return _list(request, around, await lists.done(around, page))


def _list(request: Request, around: Frame, listing: Listing) -> Response:
    reader = (around.board, around.staff.person_id, around.staff.team, SeenWhat.BOARD)
    seen.saw(*reader)
    seen.saw_each(*reader, (m.id for group in listing.groups for m in group.matters if not m.withheld))
    return PAGES.render(
        request, "board.html", listing=listing, act_ids=listing.act_ids, size=lists.SIZE,
        order=[CRITERIA[each] for each in around.board.order], **around.context,
    )  # fmt: skip


@router.get("/board/danger")
async def danger(request: Request, visit: Watch) -> Response:
    """The banner alone, for the page's script."""
    return PAGES.render(request, "danger.html", **await banner(request, visit.staff))


@router.post("/board/printed")
async def printed(request: Request, visit: Visit) -> Response:
    """The page's script says that somebody prints it."""
    sent = await sent_by(SITE, request, visit.staff.csrf)
    matter_id = str(sent.get("matter_id") or "") or None
    seen.saw(board_of(request), visit.staff.person_id, visit.staff.team, SeenWhat.PRINTED, SITE.valid(matter_id))
    return Response(status_code=204)


@router.get("/board/matters/{matter_id:path}/{what}")
async def form(request: Request, visit: Visit, matter_id: str, what: str) -> Response:
    """The page of a form; the address of what a button alone sends leads to its matter."""
    if what not in PATHS:  # an id with a slash in it
        return await matter(request, visit, f"{matter_id}/{what}")
    around, m = await found(request, visit.staff, matter_id)
    asked = form_of(what, m, visit.staff)
    if m.withheld or asked is None or not asked.fields:
        return RedirectResponse(m.href, 303)
    seen.saw(around.board, visit.staff.person_id, visit.staff.team, SeenWhat.MATTER, m.id)
    typed, again = await kept.begun(around, f"{m.href}/{what}", asked)
    return _form(request, around, m, asked, typed, **again)


@router.get("/board/matters/{matter_id:path}")
async def matter(request: Request, visit: Visit, matter_id: str) -> Response:
    """One matter; before it opens, the question about a conflict where it asks for one (H3)."""
    known = set(request.query_params["seen"].split("-")) if "seen" in request.query_params else None
    around, m = await found(request, visit.staff, matter_id, known)
    if m.barred:
        return await barred.page(request, visit, around, m)
    if m.withheld:
        return PAGES.render(request, "conflict.html", m=m, **around.context)
    seen.saw(around.board, visit.staff.person_id, visit.staff.team, SeenWhat.MATTER, m.id)
    buttons = [(one, str(uuid4()) if one.at_once else None) for one in can(m, visit.staff)]
    return PAGES.render(
        request,
        "matter.html",
        m=m,
        told=await told_of(around.board, request, visit.staff, m.id),
        can=buttons,
        unsent=await kept.unsent(around, m),
        child=child(m),
        **{**around.context, "here": f"{m.href}?seen={m.seen_now}"},
    )


@router.post("/board/matters/{matter_id:path}/conflict")
async def conflict(request: Request, visit: Visit, matter_id: str) -> Response:
    """No conflict: it opens, to this worker. A conflict, or not sure: it never does."""
    sent = await sent_by(SITE, request, visit.staff.csrf)
    around, m = await opened(request, visit.staff, matter_id)
    answer = sent.get("conflict")
    if answer not in ("no", "yes"):
        return PAGES.render(request, "conflict.html", 422, m=m, **{**around.context, "error": CONFLICT_ERROR})
    if m.card.declare_no_conflict:
        await declare(around, m, conflicted=answer == "yes")
    return RedirectResponse(m.href, 303)


router.include_router(barred.router)


@router.post("/board/matters/{matter_id:path}/{what}")
async def act(request: Request, visit: Visit, matter_id: str, what: str) -> Response:
    """What a form says is done, if nothing is missing; what was typed is kept if something is."""
    sent = await sent_by(SITE, request, visit.staff.csrf)
    around, m = await opened(request, visit.staff, matter_id)
    if m.withheld:
        return RedirectResponse(m.href, 303)
    addresses, own_id, asked = addressed(sent), act_id(sent), form_of(what, m, visit.staff)
    if asked is None and what == "match":
        return await _answered(visit, around, m, sent, own_id)
    if asked is None:
        raise Refused(404, "Page not found", SITE.words.nothing)
    typed = forms.read(asked, sent)
    due = forms.due(typed, around.now) if what == "note" else None
    if not typed.errors and asked.closes and came_meanwhile(m, addresses):
        typed.errors["addressed"] = CAME
    if typed.errors:
        again = around.show(m.card, {mark(one) for one in addresses})
        return _form(request, around, again, asked, typed, own_id, 422)
    if what == "note":
        result = await notes.note(
            around.board, visit.staff, m.id, m.card.child_id, NoteKind(typed.one("kind")), typed.text("text"),
            Team(typed.one("to")), due, note_id=own_id,
        )  # fmt: skip
    elif what == "decision":
        result = await decisions.decide(
            around.board, visit.staff, m.id, _decided(typed), act_id=own_id, addresses=addresses,
            then=HandoverAct(typed.one("then")),
        )  # fmt: skip
    elif what == "match":
        result = await matches.match(
            around.board, visit.staff, m.id, typed.one("child_id"), typed.text("reason"), act_id=own_id,
            addresses=addresses,
        )  # fmt: skip
    else:
        result = await acts.do(
            around.board, visit.staff, m.id, asked.act or HandoverAct.UNKNOWN, act_id=own_id, addresses=addresses,
            reason=typed.text("reason") or None,
            no_longer=[RiskCriterion(one) for one in typed.many("no_longer")],
        )  # fmt: skip
    return await _answer(request, visit, around, m, asked, typed, result)


async def _answered(visit: Visited, around: Frame, m: Shown, sent: FormData, own_id: str) -> Response:
    """On to the matter, if it was this form that said who the child is; else somebody has said so meanwhile."""
    reason = forms.read(matching.form(m), sent).text("reason")
    result = await matches.match(
        around.board, visit.staff, m.id, "", reason, act_id=own_id, addresses=addressed(sent)
    )  # fmt: skip
    if result.refused == matches.NOBODY_ASKS:
        raise Refused(409, "This was not done", f"{result.refused} Go back to the board and open it there.")
    if result.unknown and not result.recorded:
        raise Refused(503, "This is not certain", acts.NOT_RECORDED)
    return RedirectResponse(f"{m.href}?match={own_id}", 303)


async def _answer(
    request: Request, visit: Visited, around: Frame, m: Shown, asked: Form, typed: Typed, result: ActResult
) -> Response:
    """On to the matter, which says what became of it; back to the form if it lacks something or may not be recorded."""
    if result.unknown and not result.recorded:
        status, said = 503, acts.NOT_RECORDED
    elif result.refused and not await around.board.access.read(lambda c: reading.act(c, result.act_id)):
        status, said = 422, result.refused
    else:
        await kept.gone(request, visit.staff.person_id, f"{m.href}/{asked.path}")
        back = "/board/shift" if request.query_params.get("from") == "shift" else m.href
        return RedirectResponse(f"{back}?{asked.path}={result.act_id}", 303)
    typed.errors["addressed"] = said
    return _form(request, around, m, asked, typed, result.act_id, status)


def _form(
    request: Request,
    around: Frame,
    m: Shown,
    asked: Form,
    typed: Typed,
    own_id: str = "",
    status: int = 200,
    **more: Any,
) -> Response:
    wrong = [(said, name) for name, said in typed.errors.items()]
    shown = {**around.context, "kept": None, "error": wrong or None, **more}
    template = "form.html"
    if asked.path == "match" and m.card.question:
        template = "match.html"
        shown |= {"evidence": matching.evidence(m), "candidates": m.card.question.candidates}
    return PAGES.render(
        request, template, status, m=m, form=asked, typed=typed.values, errors=typed.errors,
        act_id=own_id or str(uuid4()), **shown,
    )  # fmt: skip


def _decided(typed: Typed) -> Decided:
    return Decided(
        outcome=Outcome(typed.one("outcome")),
        threshold=Threshold(typed.one("threshold")),
        family_told=FamilyTold(typed.one("family_told")),
        what_happens_next=typed.text("what_happens_next"),
        rationale=typed.text("rationale"),
        reasons=forms.reasons(typed),
        closes=typed.one("closes") == "yes",
        approved_by=typed.text("approved_by"),
    )


router.include_router(kept.router)
router.include_router(by_itself.router)
router.include_router(shift.router)
router.include_router(measures.router)
router.include_router(log.router)
