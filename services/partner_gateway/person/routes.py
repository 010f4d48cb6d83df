"""The inbox of a school's or practice's named safeguarding people: what waits, one entry, what they say they did."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.bus.events import BY_TOPIC, HealthUpdated, MinutesDistributed
from services.bus.tables import upsert
from services.partner_gateway.documents.routes import hand_out
from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.door.who import INBOX, RECEIPTS, authorise
from services.partner_gateway.inbox.reading import Row
from services.partner_gateway.inbox.receipts import Said, give_receipt
from services.partner_gateway.person import listing
from services.partner_gateway.person.explain import TITLES, explain, why
from services.partner_gateway.person.site import PAGES, SITE
from services.partner_gateway.person.visit import Visit, Visited, entry_of, number_of, visited
from services.partner_gateway.tables import conflict, opening
from services.people import sign_in
from services.people.pages import Refused
from services.people.visit import form_of
from services.people.words import by_when, by_when_in_full, from_us, moment

log = structlog.get_logger()
router = APIRouter()
pages = APIRouter(route_class=PAGES.route, include_in_schema=False)
render = PAGES.render

CONFLICT_ERROR = ("Choose whether this could be about you or somebody close to you", "no-conflict")
HIDDEN_ERROR = ("Confirm that the record is hidden from online access, or hide it first", "hidden")


@pages.get("/")
async def beginning() -> Response:
    return RedirectResponse("/inbox", 303)


@pages.get("/inbox")
async def inbox(request: Request, visit: Visit, page: str = "1") -> Response:
    """What is not finished, the most urgent first. Nothing on it tells whom it is about."""
    authorise(visit.caller, INBOX)
    gateway, organisation = gateway_of(request), visit.person.organisation
    now_us, on = gateway.now_us, min(number_of(page) or 1, 1000)
    listed, count = await gateway.access.read(lambda c: listing.waiting(c, organisation, now_us, page=on))
    last = max(1, -(-count // listing.PAGE))
    shown = [_line(one, now_us) for one in listed]
    return render(request, "inbox.html", lines=shown, count=count, page=on, last=last)


@pages.get("/inbox/finished")
async def finished(request: Request, visit: Visit, before: Annotated[str, Query()] = "") -> Response:
    authorise(visit.caller, INBOX)
    gateway, organisation, below = gateway_of(request), visit.person.organisation, number_of(before)
    listed, more = await gateway.access.read(lambda c: listing.finished(c, organisation, before=below))
    shown = [_line(one, gateway.now_us) for one in listed]
    return render(request, "finished.html", lines=shown, older=listed[-1].number if more else None, first=below is None)


@pages.get("/inbox/{number}")
async def opened(request: Request, visit: Visit, number: str) -> Response:
    """One entry; before it opens, the question about a conflict where the disclosure asks for it (H3)."""
    authorise(visit.caller, INBOX)
    row = await _entry(request, visit, number)
    if row.withheld:
        return render(request, "conflict.html", row=row, title=TITLES[row.type])
    log.info("opened", organisation=row.organisation, by=visit.caller.by, disclosure=row.disclosure_id)
    return _open(request, row)


@pages.post("/inbox/{number}/conflict")
async def declare(request: Request, visit: Visit, number: str) -> Response:
    """No conflict: it opens, to this person. A conflict, or not sure: it never does."""
    authorise(visit.caller, INBOX)
    form = await form_of(SITE, request, visit.person.csrf)
    row = await _entry(request, visit, number)
    answer = form.get("conflict")
    if answer not in ("no", "yes"):
        return render(request, "conflict.html", 422, row=row, title=TITLES[row.type], error=CONFLICT_ERROR)
    if row.declare_no_conflict:
        await _declare(request, visit, row, conflicted=answer == "yes")
    return RedirectResponse(f"/inbox/{row.number}", 303)


@pages.get("/inbox/{number}/document")
async def minutes(request: Request, visit: Visit, number: str) -> Response:
    """The minutes as a document, if the organisation may have them at this moment (H4)."""
    authorise(visit.caller, INBOX)
    row = await _entry(request, visit, number)
    told = None if row.withheld else BY_TOPIC[row.type].model_validate_json(row.content)
    if not isinstance(told, MinutesDistributed) or told.document is None:
        raise Refused(404, "Page not found", "There is no document here, or none for your organisation.")
    return await hand_out(gateway_of(request), visit.caller, told.document.sha256)


@pages.post("/inbox/{number}/read")
async def read(request: Request, visit: Visit, number: str) -> Response:
    return await _receipt(request, visit, number, "READ")


@pages.post("/inbox/{number}/acted")
async def acted(request: Request, visit: Visit, number: str) -> Response:
    return await _receipt(request, visit, number, "ACTED")


@pages.get("/inbox/{number}/recorded")
async def recorded(request: Request, visit: Visit, number: str, what: str = "") -> Response:
    """That it was recorded, and what is still to do."""
    authorise(visit.caller, INBOX)
    row = await _entry(request, visit, number)
    is_record = row.type == HealthUpdated.topic
    return render(request, "recorded.html", row=row, title=TITLES[row.type], acted=what == "acted", is_record=is_record)


@pages.get("/inbox/{number}/{rest:path}")
async def back(_visit: Visit, number: str, rest: str) -> Response:
    """The address of a form, typed in or loaded again, leads to its entry."""
    if rest not in ("read", "acted", "conflict") or number_of(number) is None:
        raise HTTPException(404)
    return RedirectResponse(f"/inbox/{number}", 303)


async def _receipt(request: Request, visit: Visited, number: str, state: Literal["READ", "ACTED"]) -> Response:
    """As POST /v1/receipts, in the name of who is signed in; saying it twice is saying it once."""
    authorise(visit.caller, RECEIPTS)
    form = await form_of(SITE, request, visit.person.csrf)
    row = await _entry(request, visit, number)
    if row.withheld:
        return RedirectResponse(f"/inbox/{row.number}", 303)
    confirms = row.type == HealthUpdated.topic and state == "ACTED"
    if confirms and form.get("hidden") != "yes":
        return _open(request, row, status=422, error=HIDDEN_ERROR)
    said = Said(
        disclosure_id=row.disclosure_id,
        state=state,
        practitioner=visit.person.name,
        hidden_from_online_access=True if confirms else None,
        person_id=visit.person.person_id,
    )
    await give_receipt(gateway_of(request), visit.person.organisation, said)
    return RedirectResponse(f"/inbox/{row.number}/recorded?what={state.lower()}", 303)


async def _entry(request: Request, visit: Visited, number: str) -> Row:
    """The entry, unless this person has said that they are or may be connected with an adult in the case (H3)."""
    row = await entry_of(request, visit, number)
    mine = (conflict.c.disclosure_id == row.disclosure_id) & (conflict.c.person_id == visit.person.person_id)
    query = sa.select(conflict.c.declared_us).where(mine)
    if await gateway_of(request).access.read(lambda c: c.execute(query).first()):
        raise Refused(
            403,
            "This is not open to you",
            "You said that you are, or may be, connected with an adult in this case, so its content is not shown "
            "to you.",
            "Do not speak about it with anybody who may be involved. Telephone the MASH at your local authority now "
            f"and say that number {row.number} in your inbox needs another named person.",
            "If you chose the wrong answer, the MASH can help you: it cannot be changed here.",
        )
    return row


async def _declare(request: Request, visit: Visited, row: Row, *, conflicted: bool) -> None:
    gateway = gateway_of(request)
    table, when = (conflict, "declared_us") if conflicted else (opening, "no_conflict_us")
    values = {"disclosure_id": row.disclosure_id, "person_id": visit.person.person_id, when: gateway.now_us}

    def insert(connection: sa.Connection) -> None:
        connection.execute(upsert(connection, table).values(values).on_conflict_do_nothing())

    await gateway.access.write(insert)
    what = "conflict_declared" if conflicted else "no_conflict_declared"
    log.info(what, organisation=row.organisation, by=visit.caller.by, disclosure=row.disclosure_id)


def _open(request: Request, row: Row, status: int = 200, error: tuple[str, str] | None = None) -> Response:
    told: Any = BY_TOPIC[row.type].model_validate_json(row.content)
    now = from_us(gateway_of(request).now_us)
    return render(
        request,
        "entry.html",
        status,
        row=row,
        account=explain(told),
        why=why(told.disclosure),
        replaces=told.disclosure.supersedes is not None,
        sent=moment(from_us(row.time_us)),
        due=by_when_in_full(from_us(row.due_us), now) if row.due_us else None,
        overdue=bool(row.due_us and now > from_us(row.due_us)),
        read=moment(from_us(row.read_us)) if row.read_us else None,
        acted=moment(from_us(row.acted_us)) if row.acted_us else None,
        now=moment(now),
        error=error,
    )


def _line(one: listing.Listed, now_us: int) -> dict[str, Any]:
    now = from_us(now_us)
    return {
        "number": one.number,
        "title": TITLES[one.type],
        "rank": one.rank,
        "sent": moment(from_us(one.time_us)),
        "due": by_when(from_us(one.due_us), now) if one.due_us else None,
        "due_today": bool(one.due_us and by_when(from_us(one.due_us), now).startswith("today")),
        "read": moment(from_us(one.read_us)) if one.read_us else None,
        "acted": moment(from_us(one.acted_us)) if one.acted_us else None,
        "asks_first": one.asks_first,
    }


pages.include_router(sign_in.routes(PAGES, visited))
pages.include_router(PAGES.static.router())
router.include_router(pages)
