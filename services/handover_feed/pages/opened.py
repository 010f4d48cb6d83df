"""One matter opened by one worker: found, or refused; nobody sees what they must declare on first (H3)."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from fastapi import Request
from pydantic_core import from_json
from starlette.datastructures import FormData

from services.bus.events import HandoverAct, SeenWhat
from services.bus.tables import upsert
from services.handover_feed.acting import seen
from services.handover_feed.acting.acts import NOT_YET
from services.handover_feed.board import reading, tables
from services.handover_feed.door.context import Board
from services.handover_feed.pages.frame import Frame, frame
from services.handover_feed.pages.shown import Shown
from services.handover_feed.people.site import Staff
from services.handover_feed.tables import declared
from services.people.pages import Refused


@dataclass(frozen=True, slots=True)
class Told:
    """What became of what a worker just did."""

    kind: str
    """done, refused or unknown."""
    heading: str
    said: list[str]


async def opened(request: Request, staff: Staff, matter_id: str, known: set[str] | None = None) -> tuple[Frame, Shown]:
    """The matter, and the page around it.

    Args:
        known: the facts and acts that the worker has seen.

    Raises:
        Refused: there is none, or this worker said that there is or may be a conflict.
    """
    around, m = await found(request, staff, matter_id, known)
    if m.barred:
        raise Refused(
            403, "This is not open to you", "Nothing was done. Go back to the board, and pass it on unopened."
        )
    return around, m


async def found(request: Request, staff: Staff, matter_id: str, known: set[str] | None = None) -> tuple[Frame, Shown]:
    """The same, also if it is not open to this worker: then nothing of it may be shown.

    Raises:
        Refused: there is none.
    """
    around = await frame(request, staff)
    card = await around.board.access.read(lambda connection: reading.card(connection, matter_id))
    if card is None:
        raise Refused(404, "Page not found", "There is nothing at this address on the board.")
    return around, around.show(card, known)


async def declare(around: Frame, m: Shown, *, conflicted: bool) -> None:
    """Record what the worker says; what was said first stands."""
    board, staff = around.board, around.staff
    values = {
        "person_id": staff.person_id, "matter_id": m.id, "no_conflict": not conflicted, "at_us": board.now_us,
    }  # fmt: skip

    def insert(connection: sa.Connection) -> None:
        connection.execute(upsert(connection, declared).values(values).on_conflict_do_nothing())

    await board.access.write(insert)
    what = SeenWhat.CONFLICT_DECLARED if conflicted else SeenWhat.NO_CONFLICT_DECLARED
    seen.saw(board, staff.person_id, staff.team, what, m.id)


def addressed(sent: FormData) -> list[str]:
    """The facts that the form's page showed.

    Raises:
        Refused: it is not as our own page wrote it.
    """
    try:
        found = from_json(str(sent.get("addresses") or "[]"))
        assert isinstance(found, list)
        assert all(isinstance(one, str) for one in found)
    except (ValueError, AssertionError) as error:
        raise Refused(400, "The page could not be sent", "Open it again and repeat what you did.") from error
    return found


def act_id(sent: FormData) -> str:
    """The form's own id.

    Raises:
        Refused: it has none.
    """
    found = str(sent.get("act_id") or "")
    if not 8 <= len(found) <= 64:
        raise Refused(400, "The page could not be sent", "Open it again and repeat what you did.")
    return found


def came_meanwhile(m: Shown, addresses: list[str]) -> bool:
    """Whether something is open that the worker's page did not show."""
    return any(one.fact_id not in addresses for one in m.unaddressed)


DONE = {
    "take": "You have taken this",
    "let-go": "You have let this go",
    "make-let-go": "Released",
    "to-day": "Handed to the day team",
    "to-night": "Handed to the night team",
    "back": "Your side has this back",
    "close": "Closed",
    "lower": "The risk is lowered",
    "note": "Your note is on the board",
    "decision": "The decision is recorded, and whoever must know is told",
    "ask-manager": "The on-call manager is asked",
    "pass-on": "Passed on unopened",
    "match": "Your answer is recorded",
}
"""By what was done: its result."""

THEN = {
    "let-go": ["Somebody else must take it. It stands among what is open now."],
    "make-let-go": ["It stands among what is open now. Tell whoever had taken it."],
    "to-day": ["The day team sees it at once. If anything else happens, it opens again."],
    "to-night": ["The night team sees it at once. If anything else happens, it opens again."],
    "close": ["If anything else happens, it opens again."],
    "ask-manager": ["It stays open until somebody takes it. Telephone as well if it cannot wait."],
    "pass-on": ["The other side sees it at once. If anything else happens, it opens again."],
    "match": [
        "If it stands, this card says so, whoever must know is told, and the rest is on the child’s own card. "
        "If somebody answered otherwise first, it does not stand: that is on the board as held for a person.",
        "If you find that it was wrong, telephone at once each of those who were told, and the on-call manager.",
    ],
}


DOES = {
    "take": {HandoverAct.TAKEN},
    "let-go": {HandoverAct.LET_GO},
    "make-let-go": {HandoverAct.LET_GO},
    "to-day": {HandoverAct.HANDED_TO_DAY},
    "to-night": {HandoverAct.HANDED_TO_NIGHT},
    "back": {HandoverAct.TAKEN_BACK},
    "close": {HandoverAct.CLOSED},
    "lower": {HandoverAct.RISK_CHANGED},
    "note": {HandoverAct.NOTED},
    "decision": {HandoverAct.CLOSED, HandoverAct.HANDED_TO_DAY, HandoverAct.HANDED_TO_NIGHT},
    "ask-manager": {HandoverAct.PASSED_ON},
    "pass-on": {HandoverAct.PASSED_ON},
    "match": {HandoverAct.IDENTIFIED},
}
"""By path: the acts that it does."""


async def told_of(board: Board, request: Request, staff: Staff, matter_id: str | None = None) -> Told | None:
    """What a page says of an act that its address names: it is what the board has, whatever the address says.

    Only whoever did it is told, and only of what the address says was done.

    Args:
        matter_id: the matter that the page shows; None on a page of many.
    """
    path = next((path for path in DONE if path in request.query_params), None)
    if path is None:
        return None
    own_id = request.query_params[path]
    found = await board.access.read(lambda connection: reading.act(connection, own_id))
    if found is None:
        return Told("unknown", "Wait a moment", [NOT_YET, "Refresh this page to see it."])
    did = await board.access.read(lambda connection: act_of(connection, own_id, staff, matter_id))
    if did not in DOES[path]:
        return None
    if found.refused:
        return Told("refused", "This was not done", [found.refused])
    return Told("done", DONE[path], THEN.get(path, []))


def act_of(connection: sa.Connection, own_id: str, staff: Staff, matter_id: str | None) -> HandoverAct | None:
    """What this person did by the form of that id, to that matter if one is given; None if they did nothing by it."""
    columns = tables.act.c
    query = sa.select(columns.act).where(columns.act_id == own_id, columns.person_id == staff.person_id)
    if matter_id is not None:
        query = query.where(columns.matter_id == matter_id)
    found = connection.execute(query).scalar()
    return None if found is None else HandoverAct(found)
