"""The end of a shift: each matter that is still open is asked about; then the summary, to be read and printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.bus.events import CardAct, CardFact, MatterChanged, SeenWhat, Team
from services.handover_feed.acting import seen, shifts
from services.handover_feed.pages import forms, kept
from services.handover_feed.pages.frame import OTHER, Frame, frame, shift_in_full
from services.handover_feed.pages.opened import told_of
from services.handover_feed.pages.shown import Shown
from services.handover_feed.pages.words import near
from services.handover_feed.people.site import PAGES, SITE
from services.handover_feed.people.visit import Visit
from services.handover_feed.shifts import Shift, shift_of
from services.handover_feed.wiring import duty_of
from services.people.visit import form_of as sent_by

router = APIRouter(route_class=PAGES.route, include_in_schema=False)


@router.get("/board/shift")
async def asks(request: Request, visit: Visit) -> Response:
    """What is left to hand on, to close, or to say of that it stays."""
    around = await frame(request, visit.staff)
    return await _left(request, around)


@router.post("/board/shift")
async def close(request: Request, visit: Visit) -> Response:
    """Close it; while anything is unaddressed, the page says what."""
    sent = await sent_by(SITE, request, visit.staff.csrf)
    around = await frame(request, visit.staff)
    stays = {str(one) for one in sent.getlist("stays")}
    closing = await shifts.close(around.board, visit.staff, stays=stays)
    if closing.refused is None:
        await kept.gone(request, visit.staff.person_id, request.url.path)
        return RedirectResponse(_summary_of(around, closing.shift), 303)
    return await _left(request, around, stays, closing.refused, closing.unaddressed)


async def _left(
    request: Request,
    around: Frame,
    stays: set[str] | None = None,
    refused: str = "",
    still: Sequence[MatterChanged] = (),
) -> Response:
    board, staff = around.board, around.staff
    shift = shifts.own_shift(board, staff.team)
    cards = await shifts.unaddressed(board, staff.team)
    left = [(around.show(card), shifts.may_stay(card), str(uuid4())) for card in cards]
    reader = (board, staff.person_id, staff.team, SeenWhat.SUMMARY)
    seen.saw(*reader)
    seen.saw_each(*reader, (m.id for m, _, _ in left if not m.withheld))
    typed, ticked = await kept.at_shifts_end(around, shift.began_at)
    to = "day" if OTHER.get(staff.team, Team.DAY) is Team.DAY else "night"
    anchors = {m.id: f"left-{n}" for n, (m, _, _) in enumerate(left, 1)}
    wrong = [(f"{around.show(card).title}: still open", anchors.get(card.matter_id, "left")) for card in still]
    return PAGES.render(
        request,
        "shift.html",
        422 if refused else 200,
        left=left,
        typed=typed,
        stays=ticked if stays is None else stays,
        own=shift_in_full(shift),
        closed=await shifts.is_closed(board, shift),
        summary=_summary_of(around, shift),
        closes_from=from_when if (from_when := shifts.closes_from(shift)) > around.now else None,
        near=lambda at: near(at, around.now),
        to=to,
        asks=forms.FORMS[f"to-{to}"].fields[0].label,
        told=await told_of(board, request, staff),
        **{**around.context, "error": [(refused, "left"), *wrong] if refused else None},
    )


@router.get("/board/shift/summary")
async def summary(request: Request, visit: Visit, before: Annotated[int, Query(ge=0, le=30)] = 0) -> Response:
    """What the shift brought, or one before it: for whoever takes over, on screen and on paper."""
    around = await frame(request, visit.staff)
    shift = _before(around, before)
    found = await shifts.summary(around.board, shift)
    # What began to wait after an earlier shift had ended is no matter of that shift.
    found = replace(found, waiting=[(card, long) for card, long in found.waiting if long > timedelta()])
    by_matter = _by_matter(around, found)
    shown = [m for m, _ in by_matter] + [around.show(card) for card, _ in found.waiting]
    reader = (around.board, visit.staff.person_id, visit.staff.team, SeenWhat.SUMMARY)
    seen.saw(*reader)
    seen.saw_each(*reader, (m.id for m in shown if not m.withheld))
    return PAGES.render(
        request, "summary.html", summary=found, by_matter=by_matter, own=shift_in_full(shift),
        before=before, show=around.show, **around.context,
    )  # fmt: skip


def _summary_of(around: Frame, shift: Shift) -> str:
    """The address of the summary of a side's own shift: the one that is on, or the one before."""
    return "/board/shift/summary" + ("" if shift.shift_id == around.shift.shift_id else "?before=1")


def _before(around: Frame, number: int) -> Shift:
    shift = around.shift
    for _ in range(number):
        shift = shift_of(shift.began_at - (shift.began_at.resolution), duty_of(around.board.settings))
    return shift


def _by_matter(around: Frame, found: shifts.Summary) -> list[tuple[Shown, list[CardFact | CardAct]]]:
    """Each matter with what came and what was done, in one story, the oldest first; what a reader may not see is left
    to its link."""
    told: dict[str, list[tuple[datetime, CardFact | CardAct]]] = {}
    cards: dict[str, MatterChanged] = {}
    for card, fact in (*found.came, *found.notes, *found.decided):
        cards[card.matter_id] = card
        told.setdefault(card.matter_id, []).append((fact.heard_at, fact))
    for card, act in (*found.taken, *found.ended, *found.handed_on, *found.lowered):
        cards[card.matter_id] = card
        told.setdefault(card.matter_id, []).append((act.acted_at, act))
    return [
        (around.show(card), [one for _, one in sorted(told[own_id], key=lambda pair: pair[0])])
        for own_id, card in cards.items()
    ]
