"""The manager's measures of a shift: simple counts, from what the board has."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.bus.events import SeenWhat, Team
from services.handover_feed.acting import seen, shifts
from services.handover_feed.board import reading
from services.handover_feed.pages import words
from services.handover_feed.pages.frame import Frame, frame, shift_in_full
from services.handover_feed.people.site import PAGES
from services.handover_feed.people.visit import Visited, may
from services.handover_feed.shifts import Shift, shift_of
from services.handover_feed.wiring import duty_of

router = APIRouter(route_class=PAGES.route, include_in_schema=False)

Counts = list[tuple[str, str]]


@router.get("/board/measures")
async def measures(request: Request, visit: Annotated[Visited, Depends(may("manager"))]) -> Response:
    """How things stand now, and what this shift and the one before it brought."""
    around = await frame(request, visit.staff)
    seen.saw(around.board, visit.staff.person_id, visit.staff.team, SeenWhat.MEASURES)
    last = shift_of(around.shift.began_at - around.shift.began_at.resolution, duty_of(around.board.settings))
    return PAGES.render(
        request, "measures.html", now=await _now(around),
        by_shift=[(shift_in_full(one), await _of(around, one)) for one in (around.shift, last)], **around.context,
    )  # fmt: skip


async def _now(around: Frame) -> Counts:
    cards = await around.board.access.read(lambda connection: reading.cards(connection, order=around.board.order))
    shown = [around.show(card) for card in cards]
    waits = [around.now - m.card.waiting_since for m in shown if not m.taken and m.card.waiting_since]
    return [
        ("Open, with the night team", str(sum(not m.taken and m.card.team is Team.NIGHT for m in shown))),
        ("Open, with the day team", str(sum(not m.taken and m.card.team is Team.DAY for m in shown))),
        ("Taken", str(sum(m.taken for m in shown))),
        ("In immediate danger, nobody has taken it", str(sum(m.danger for m in shown))),
        ("Longest wait of what is open", words.span(max(waits)) if waits else "nothing waits"),
    ]


async def _of(around: Frame, shift: Shift) -> Counts:
    found = await shifts.summary(around.board, shift)
    return [
        ("Came", str(len({card.matter_id for card, _ in found.came}))),
        ("Taken", str(len({card.matter_id for card, act in found.taken if act.act == "TAKEN"}))),
        ("Decisions", str(len(found.decided))),
        ("Closed", str(len({card.matter_id for card, _ in found.ended}))),
        ("Handed on", str(len({card.matter_id for card, act in found.handed_on if act.act != "TAKEN_BACK"}))),
        ("Risks lowered by a person", str(len(found.lowered))),
        ("Escalated to the on-call manager", str(len(found.escalated))),
        ("Shift closed", "yes" if found.closed else "no"),
    ]
