"""What was typed and not sent: the page's script keeps it as it is typed, and the form shows it again to its writer."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.bus.events import HandoverActed, HandoverNoted
from services.handover_feed import drafts
from services.handover_feed.acting.ids import event_id
from services.handover_feed.acting.letters import was_sent
from services.handover_feed.door.context import board_of
from services.handover_feed.drafts import Draft
from services.handover_feed.pages import forms, words
from services.handover_feed.pages.forms import Form, Typed
from services.handover_feed.pages.frame import Frame
from services.handover_feed.pages.shown import Shown
from services.handover_feed.people.site import PAGES, SITE
from services.handover_feed.people.visit import Visit, Watch
from services.people.visit import form_of as sent_by

router = APIRouter(route_class=PAGES.route, include_in_schema=False)


@router.post("/board/draft")
async def keep(request: Request, visit: Watch) -> Response:
    """Typing keeps a session alive by `/still-there`, as any use; this does not."""
    sent, board = await sent_by(SITE, request, visit.staff.csrf), board_of(request)
    path, form_id = str(sent.get("path") or ""), str(sent.get("act_id") or "")

    def unless_sent(connection: sa.Connection) -> None:
        # What was typed last may come after the form itself: then it was sent, and is no draft.
        if not any(was_sent(connection, event_id(kind, form_id)) for kind in (HandoverActed, HandoverNoted)):
            drafts.keep(connection, visit.staff.person_id, path, drafts.typed_in(sent), board.now_us)

    if drafts.is_form(path):
        await board.access.write(unless_sent)
    return Response(status_code=204)


@router.post("/board/draft/discard")
async def discard(request: Request, visit: Visit) -> Response:
    """By a button beside what is shown again."""
    sent = await sent_by(SITE, request, visit.staff.csrf)
    path = str(sent.get("path") or "")
    if not drafts.is_form(path):
        return RedirectResponse("/board", 303)
    await gone(request, visit.staff.person_id, path)
    return RedirectResponse(path, 303)


async def gone(request: Request, person_id: str, path: str) -> None:
    """The form was sent, or is not wanted any more."""
    await board_of(request).access.write(partial(drafts.drop, person_id=person_id, path=path))


async def begun(around: Frame, path: str, asked: Form) -> tuple[Typed, dict[str, Any]]:
    """What this person had typed into that form, and when, in words."""
    found = next((one for one in await _mine(around) if one.path == path), None)
    if found is None:
        return Typed(), {"kept": None}
    typed = forms.read(asked, found.sent)
    typed.errors.clear()
    return typed, {"kept": {"path": path, "at": words.near(words.from_us(found.at_us), around.now)}}


async def unsent(around: Frame, m: Shown) -> list[tuple[str, str]]:
    """The forms of a matter into which this person has typed something: what each is called, and where it is."""
    names = {"decision": "Record a decision", "lower": "A risk no longer holds", "match": "Say who this child is"}
    names |= {path: form.heading for path, form in forms.FORMS.items()}
    found = ((one.path.rpartition("/"), one.path) for one in await _mine(around))
    return [(names[what], path) for (matter, _, what), path in found if matter == m.href and what in names]


async def at_shifts_end(around: Frame, began_at: datetime) -> tuple[dict[str, str], set[str]]:
    """What this person has typed since then as a reason, by the address of its form; and of which matters they ticked
    that they stay. The page has a form for each matter, and to send one loads all of it again."""
    mine = [one for one in await _mine(around) if words.from_us(one.at_us) >= began_at]
    stays = (one.typed.get("stays", ()) for one in mine if one.path == "/board/shift")
    return {one.path: " ".join(one.typed.get("reason", ())) for one in mine}, {
        own_id for ids in stays for own_id in ids
    }


async def _mine(around: Frame) -> list[Draft]:
    board, person_id = around.board, around.staff.person_id
    return await board.access.read(partial(drafts.of, person_id=person_id, now_us=board.now_us))
