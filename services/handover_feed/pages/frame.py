"""What every page of the board has around it: the danger that interrupts, the places with their numbers, the shift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from fastapi import Request
from pydantic_core import to_json

from services.bus.events import MatterChanged, MatterState, Team
from services.handover_feed.acting import shifts
from services.handover_feed.board import reading, tables
from services.handover_feed.door.context import Board, board_of
from services.handover_feed.pages import words
from services.handover_feed.pages.shown import Shown
from services.handover_feed.people.site import Staff
from services.handover_feed.shifts import Shift, next_morning, shift_of
from services.handover_feed.tables import declared
from services.handover_feed.wiring import duty_of

OTHER = {Team.NIGHT: Team.DAY, Team.DAY: Team.NIGHT}
WAITING = {Team.DAY: "Waiting for the day", Team.NIGHT: "With the night team"}
"""What the other side has, by that side."""


@dataclass(frozen=True, slots=True)
class Place:
    """One link of the board's navigation."""

    href: str
    name: str
    count: int | None
    here: bool


@dataclass(frozen=True)
class Frame:
    """What one worker's page shows, and at which moment."""

    board: Board
    staff: Staff
    path: str
    now: datetime
    shift: Shift
    morning: datetime
    danger: list[Shown]
    places: list[Place]
    after: str
    """The number of the latest change that the page shows, for the stream to go on from."""
    left: list[MatterChanged]
    """What the other side went off duty with, which nobody sees to: it is open now as well."""
    declared: dict[str, bool]
    """What this worker declared, by matter: true when there is no conflict (H3)."""

    def show(self, card: MatterChanged, seen: set[str] | None = None) -> Shown:
        return _shown(card, self.now, self.morning, self.staff, self.declared, seen)

    @property
    def shift_before(self) -> Shift:
        """The other side's, which ended as this one began."""
        return shift_of(self.shift.began_at - self.shift.began_at.resolution, duty_of(self.board.settings))

    @property
    def context(self) -> dict[str, Any]:
        """For the templates."""
        return {
            **_banner(self.danger),
            "places": self.places,
            "shift": shift_words(self.shift, self.now),
            "after": self.after,
            "shown_at": words.clock(self.now),
            "now_s": int(self.now.timestamp()),
            "here": self.path,
        }


def _shown(
    card: MatterChanged, now: datetime, morning: datetime, staff: Staff, said: dict[str, bool], seen: set[str] | None
) -> Shown:
    answer = said.get(card.matter_id)
    likely = card.question.candidates if card.question else ()
    # Who may not see a child's matter does not say either that an unmatched child is that one (H3, H12).
    may_be = any(said.get(one.child_id) is False for one in likely)
    return Shown(
        card=card,
        now=now,
        morning=morning,
        person_id=staff.person_id,
        withheld=may_be or (card.declare_no_conflict and answer is not True),
        barred=may_be or (card.declare_no_conflict and answer is False),
        seen=seen,
    )


async def frame(request: Request, staff: Staff) -> Frame:
    """What stands around the page that this person asks for."""
    board = board_of(request)
    now, duty = board.clock.now(), duty_of(board.settings)
    shift, morning = shift_of(now, duty), next_morning(now, duty)
    path = request.url.path

    def look(connection: sa.Connection) -> tuple[str, list[MatterChanged], dict[str, bool], dict[str, int]]:
        after = f"{reading.epoch(connection)}.{reading.last(connection)}"
        return (
            after,
            reading.interrupting(connection, order=board.order),
            _declared(connection, staff),
            _counts(connection, staff),
        )

    after, cards, said, counts = await board.access.read(look)
    left = await _left(board, staff, shift)
    counts["open"] += len(left)
    return Frame(
        board=board,
        staff=staff,
        path=path,
        now=now,
        shift=shift,
        morning=morning,
        danger=[_shown(card, now, morning, staff, said, None) for card in cards],
        places=_places(staff, counts, path),
        after=after,
        left=left,
        declared=said,
    )


async def banner(request: Request, staff: Staff) -> dict[str, Any]:
    """Immediate danger alone, for its template: every page asks for it at once when something interrupts."""
    board = board_of(request)
    now = board.clock.now()
    cards, said = await board.access.read(lambda c: (reading.interrupting(c, order=board.order), _declared(c, staff)))
    morning = next_morning(now, duty_of(board.settings))
    return _banner([_shown(card, now, morning, staff, said, None) for card in cards])


def _banner(danger: list[Shown]) -> dict[str, Any]:
    return {"danger": danger, "danger_by": to_json({m.id: m.danger_by for m in danger}).decode()}


async def _left(board: Board, staff: Staff, shift: Shift) -> list[MatterChanged]:
    """What the side that is off duty neither took nor handed on, while nobody closed its shift: else nobody sees to it
    until that side is back. What was handed to it since waits for it rightly."""
    other = OTHER.get(staff.team)
    if other is None or shift.team is not staff.team:
        return []
    theirs = shifts.own_shift(board, other)
    if await shifts.is_closed(board, theirs):
        return []
    cards = await board.access.read(
        lambda connection: reading.cards(connection, team=other, state=MatterState.OPEN, order=board.order)
    )
    return [
        card
        for card in cards
        if not card.interrupts and not (card.handed_on_at and card.handed_on_at >= theirs.ends_at)
    ]


def _declared(connection: sa.Connection, staff: Staff) -> dict[str, bool]:
    mine = sa.select(declared.c.matter_id, declared.c.no_conflict).where(declared.c.person_id == staff.person_id)
    return {row.matter_id: row.no_conflict for row in connection.execute(mine)}


def _counts(connection: sa.Connection, staff: Staff) -> dict[str, int]:
    columns, team = tables.card.c, staff.team.value
    is_open = columns.state == MatterState.OPEN.value

    def count(*where: Any) -> sa.ColumnElement[int]:
        return sa.func.count().filter(sa.and_(*where))

    query = sa.select(
        count(is_open, sa.or_(columns.team == team, columns.interrupts)).label("open"),
        count(columns.taken_by == staff.person_id).label("mine"),
        count(columns.team != team, sa.not_(columns.interrupts)).label("other"),
    ).where(columns.open)
    return dict(connection.execute(query).one()._mapping)


def _places(staff: Staff, counts: dict[str, int], path: str) -> list[Place]:
    other = OTHER.get(staff.team, Team.DAY)
    places = [
        ("/board", "Open now", counts["open"]),
        ("/board/mine", "Taken", counts["mine"]),
        ("/board/waiting", WAITING[other], counts["other"]),
        ("/board/done", "Done", None),
        ("/board/shift", "End of shift", None),
    ]
    if staff.role == "manager":
        places.append(("/board/measures", "Measures", None))
    return [Place(href, name, count, path == href) for href, name, count in places]


def shift_words(shift: Shift, now: datetime) -> str:
    """Night shift, until 08:30"""
    name = "Night shift" if shift.team is Team.NIGHT else "Day shift"
    return f"{name}, until {words.near(shift.ends_at, now)}"


def shift_in_full(shift: Shift) -> str:
    """Night shift from Monday 23 November 2026 at 17:00 to Tuesday 24 November 2026 at 08:30"""
    name = "Night shift" if shift.team is Team.NIGHT else "Day shift"
    return f"{name} from {words.moment(shift.began_at)} to {words.moment(shift.ends_at)}"
