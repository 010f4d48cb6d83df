"""The board as a site that named people sign in to (services/people): its cookie, tables, words, and what is held."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from fastapi import Request

from services.bus.events import SeenWhat, Team
from services.bus.settings import Settings
from services.handover_feed.acting.seen import saw
from services.handover_feed.board import reading
from services.handover_feed.board.tables import card
from services.handover_feed.door.context import board_of
from services.handover_feed.pages.words import FILTERS
from services.handover_feed.people.tables import link, session, staff
from services.people.pages import Pages
from services.people.site import Seen, Site, Terms, Words
from services.web.problems import Problem

Role = Literal["worker-night", "worker-day", "manager", "auditor"]
ROLES: dict[str, Team | None] = {"worker-night": Team.NIGHT, "worker-day": Team.DAY, "manager": None, "auditor": None}
"""Each role, and for which side it is, if for one alone."""


@dataclass(frozen=True, slots=True)
class Staff:
    """The member of staff who is signed in."""

    person_id: str
    name: str
    post: str
    team: Team
    role: Role
    csrf: str
    """What each of their forms must carry."""


def _staff(row: sa.Row[Any]) -> Staff:
    return Staff(row.person_id, row.name, row.post, Team(row.team), row.role, row.csrf)


def _terms(at: Settings) -> Terms:
    return Terms(
        url=at.board_url,
        cert=at.board_tls_cert,
        minutes=at.board_session_minutes,
        hours=at.board_session_hours,
        client_id=at.board_oidc_client_id or at.oidc_client_id,
        client_secret=at.board_oidc_client_secret or at.oidc_client_secret,
    )


async def _seen(request: Request, what: Seen, person_id: str) -> None:
    board, mine = board_of(request), sa.select(staff.c.team).where(staff.c.person_id == person_id)
    team = await board.access.read(lambda connection: connection.execute(mine).scalar_one())
    saw(board, person_id, Team(team), SeenWhat(what))


def _danger(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).where(card.c.interrupts)).scalar_one()


SITE = Site(
    cookie="safebus-board",
    home="/",
    goes_to="/board/matters/{}",
    entry=re.compile(r"[A-Za-z0-9][A-Za-z0-9:_-]{0,119}"),
    ground=board_of,
    terms=_terms,
    people=sa.select(staff).where(staff.c.closed_us.is_(None)),
    person=_staff,
    session=session,
    link=link,
    folder=Path(__file__).resolve().parent.parent / "pages",
    words=Words(
        name="handover board",
        short="board",
        whom="This board is for the named people of the out-of-hours and day teams.",
        stranger="You have signed in, but you are not one of the named people of the out-of-hours and day teams.",
        ask="whoever looks after the board at your local authority",
        nothing="There is nothing at this address, or nothing for you.",
        home="Go to the board",
    ),
    filters=FILTERS,
    holds=reading.holds,
    held="/board/mine",
    danger=_danger,
    seen=_seen,
    problems=(Problem,),
)

PAGES = Pages(SITE)
