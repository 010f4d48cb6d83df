"""An inbox by pages, one entry, its proof, and receipts. Every question is about the caller's own inbox."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import Response

from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.door.cursor import EpochChanged, refuse_beyond
from services.partner_gateway.door.who import INBOX, RECEIPTS, Caller, authorise, caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.receipts import Said, give_receipt
from services.web.cursor import Cursor, cursor_of
from services.web.problems import Problem

LONGEST_WAIT = 30.0
_HIGHEST = 2**63 - 1

router = APIRouter()


@router.get("/v1/inbox")
async def page(
    request: Request,
    who: Annotated[Caller, Depends(caller)],
    after: Annotated[str | None, Query()] = None,
    limit: Annotated[int | None, Query(ge=1, le=1000)] = None,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT)] = 0,
) -> Response:
    """The entries after a cursor, in order; without one, from the first. `wait`: seconds to wait if there are none."""
    authorise(who, INBOX)
    gateway = gateway_of(request)
    size, cursor = limit or gateway.settings.gateway_page, cursor_of(after)

    def look(connection: sa.Connection) -> tuple[Cursor, list[reading.Row]]:
        epoch = reading.epoch(connection)
        if cursor is not None and cursor.epoch != epoch:
            raise EpochChanged(epoch)
        number = cursor.number if cursor else 0
        rows = reading.entries(connection, who.organisation, number, size + 1, gateway.now_us)
        if cursor is not None and not rows:
            refuse_beyond(connection, who.organisation, cursor)
        return Cursor(epoch, number), rows

    at, rows = await gateway.access.read(look)
    if not rows and wait and await gateway.hub.wait(who.organisation, at.number, wait):
        at, rows = await gateway.access.read(look)
    shown = rows[:size]
    return _json(
        {
            "epoch": at.epoch,
            "entries": [reading.as_json(row, at.epoch) for row in shown],
            "next": str(at._replace(number=shown[-1].number) if shown else at),
            "more": len(rows) > size,
        }
    )


@router.get("/v1/inbox/proof")
async def proof(request: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
    """What stands in the inbox, counted: nothing is missing if count = last - first + 1."""
    authorise(who, INBOX)
    found = await gateway_of(request).access.read(lambda connection: reading.proof(connection, who.organisation))
    return _json(found)


@router.get("/v1/inbox/{number:int}")
async def one(request: Request, number: int, who: Annotated[Caller, Depends(caller)]) -> Response:
    """One entry by its number."""
    authorise(who, INBOX)
    gateway = gateway_of(request)

    def look(connection: sa.Connection) -> tuple[str, reading.Row | None]:
        row = reading.entry(connection, who.organisation, min(number, _HIGHEST), gateway.now_us)
        return reading.epoch(connection), row

    epoch, row = await gateway.access.read(look)
    if row is None:
        raise Problem(404, "not-found", "there is no such entry in your inbox")
    return _json(reading.as_json(row, epoch))


class ReceiptAsked(BaseModel):
    """What a named person did with a disclosure."""

    model_config = ConfigDict(extra="forbid")

    disclosure_id: UUID
    state: Literal["READ", "ACTED"]
    practitioner: Annotated[str, Field(min_length=1, max_length=200)]
    happened_at: AwareDatetime | None = None
    hidden_from_online_access: bool | None = None
    no_conflict: Literal[True] | None = None


@router.post("/v1/receipts", status_code=202)
async def receipts(request: Request, asked: ReceiptAsked, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Say that a named practitioner has read a disclosure or has acted on it. Saying it again changes nothing."""
    authorise(who, RECEIPTS)
    fields = asked.model_dump() | {"disclosure_id": str(asked.disclosure_id), "no_conflict": bool(asked.no_conflict)}
    given = await give_receipt(gateway_of(request), who.organisation, Said(**fields, person_id=who.person_id))
    location = f"/v1/inbox/{given.number}"
    answer = {
        "receipt_id": given.receipt_id,
        "disclosure_id": str(asked.disclosure_id),
        "state": asked.state,
        "happened_at": given.happened_at,
        "location": location,
    }
    return _json(answer, 202, {"Location": location})


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(content), status, headers, media_type="application/json")
