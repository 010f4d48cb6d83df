"""A handover note by itself: about no child that the board has."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.bus.events import NoteKind, Team
from services.handover_feed.acting import acts, notes
from services.handover_feed.board import tables
from services.handover_feed.pages import forms, kept
from services.handover_feed.pages.forms import Typed
from services.handover_feed.pages.frame import Frame, frame
from services.handover_feed.pages.opened import act_id, act_of
from services.handover_feed.people.site import PAGES, SITE
from services.handover_feed.people.visit import Visit
from services.people.visit import form_of as sent_by

router = APIRouter(route_class=PAGES.route, include_in_schema=False)

PATH = "/board/note"
USED = "This form could not be used, and nothing was recorded: read what you wrote, then send it again"


@router.get("/board/note")
async def asks(request: Request, visit: Visit) -> Response:
    around = await frame(request, visit.staff)
    typed, again = await kept.begun(around, PATH, forms.BY_ITSELF)
    return _form(request, around, typed, str(uuid4()), **again)


@router.post("/board/note")
async def write(request: Request, visit: Visit) -> Response:
    """It is a matter of its own, by the form's id."""
    sent = await sent_by(SITE, request, visit.staff.csrf)
    around, own_id, typed = await frame(request, visit.staff), act_id(sent), forms.read(forms.BY_ITSELF, sent)
    due = forms.due(typed, around.now)
    if not await _own(around, own_id):
        typed.errors["addressed"] = USED
        return _form(request, around, typed, str(uuid4()), 422)
    if typed.errors:
        return _form(request, around, typed, own_id, 422)
    result = await notes.note(
        around.board, visit.staff, own_id, None, NoteKind(typed.one("kind")), typed.text("text"),
        Team(typed.one("to")), due, note_id=own_id,
    )  # fmt: skip
    if result.accepted or (result.unknown and result.recorded):
        await kept.gone(request, visit.staff.person_id, PATH)
        return RedirectResponse(f"/board/matters/{own_id}?note={own_id}" if result.accepted else "/board", 303)
    typed.errors["addressed"] = result.refused or acts.NOT_RECORDED
    return _form(request, around, typed, own_id, 422 if result.refused else 503)


async def _own(around: Frame, own_id: str) -> bool:
    """Whether the id is as our page makes it, and names nothing on the board but this person's note from this form.

    An id that somebody chose could be a child's: the note would stand on a matter that its writer never opened.
    """
    try:
        if str(UUID(own_id)) != own_id:
            return False
    except ValueError:
        return False

    def look(connection: sa.Connection) -> bool:
        has = connection.execute(sa.select(tables.card.c.matter_id).where(tables.card.c.matter_id == own_id)).first()
        return has is None or act_of(connection, own_id, around.staff, own_id) is not None

    return await around.board.access.read(look)


def _form(request: Request, around: Frame, typed: Typed, own_id: str, status: int = 200, **more: Any) -> Response:
    wrong = [(said, name) for name, said in typed.errors.items()]
    return PAGES.render(
        request, "note.html", status, form=forms.BY_ITSELF, typed=typed.values, errors=typed.errors, act_id=own_id,
        **{**around.context, "kept": None, "error": wrong or None, **more},
    )  # fmt: skip
