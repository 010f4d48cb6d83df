"""The auditor's log: who did what with which matter, and who declared what; ids of matters, and no child."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.bus.events import SeenWhat
from services.handover_feed.acting import seen
from services.handover_feed.board import reading
from services.handover_feed.door.context import board_of
from services.handover_feed.pages import words
from services.handover_feed.people.site import PAGES
from services.handover_feed.people.tables import staff
from services.handover_feed.people.visit import Visited, may
from services.handover_feed.tables import declared

DAYS = 7
MOST = 200
"""Entries on one page."""
EVER = 1 << 62

router = APIRouter(route_class=PAGES.route, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody did."""

    at_us: int
    when: str
    who: str
    what: str
    matter_id: str
    refused: str


@router.get("/board/log")
async def log(
    request: Request,
    visit: Annotated[Visited, Depends(may("auditor"))],
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """What was done within the last days, the newest first, with what was tried and did not take effect."""
    board = board_of(request)
    since_us = board.now_us - int(timedelta(days=DAYS).total_seconds() * 1e6)
    found = await board.access.read(lambda connection: [*_acts(connection, since_us), *_said(connection, since_us)])
    found.sort(key=lambda entry: entry.at_us, reverse=True)
    seen.saw(board, visit.staff.person_id, visit.staff.team, SeenWhat.LOG)
    last = max(1, -(-len(found) // MOST))
    page = min(page, last)
    shown = found[(page - 1) * MOST : page * MOST]
    return PAGES.render(request, "log.html", entries=shown, days=DAYS, page=page, last=last, count=len(found))


def _acts(connection: sa.Connection, since_us: int) -> list[Entry]:
    return [
        Entry(
            int(one.acted_at.timestamp() * 1e6),
            words.moment(one.acted_at),
            f"{words.worker(one.by)} ({words.team(one.by.team)})",
            words.act(one.act, refused=one.refused is not None),
            matter_id,
            one.refused or "",
        )
        for matter_id, one in reading.acts(connection, since_us, EVER)
    ]


def _said(connection: sa.Connection, since_us: int) -> list[Entry]:
    """What was declared before a matter opened (H3)."""
    query = (
        sa.select(declared, staff.c.name, staff.c.post)
        .join(staff, staff.c.person_id == declared.c.person_id)
        .where(declared.c.at_us >= since_us)
    )
    return [
        Entry(
            row.at_us,
            words.moment(words.from_us(row.at_us)),
            f"{row.name}, {row.post}",
            "declared that there is no conflict" if row.no_conflict else "declared that there is or may be a conflict",
            row.matter_id,
            "",
        )
        for row in connection.execute(query)
    ]
