"""Documents up and down, by claim check. A caller never learns what other organisations have uploaded or may have."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from services.bus.events import ClaimCheck
from services.bus.tables import upsert
from services.partner_gateway.documents import kinds
from services.partner_gateway.documents.entitled import entitled
from services.partner_gateway.documents.references import carriers, location_of
from services.partner_gateway.door.context import Gateway, gateway_of
from services.partner_gateway.door.who import INBOX, Caller, authorise, caller
from services.partner_gateway.tables import document
from services.web.problems import Problem

log = structlog.get_logger()
router = APIRouter()

TO_BE_SAVED = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
"""A browser saves a document, and neither guesses what it is nor runs anything in it."""

SHA256 = re.compile(r"[0-9a-f]{64}")


@router.post("/v1/documents", status_code=201)
async def upload(request: Request, who: Annotated[Caller, Depends(caller)]) -> JSONResponse:
    """Take a document, the body as it is, and answer with its claim check, to be put into an event.

    The same bytes are the same document, and the answer is the same whether or not anybody had uploaded them before.
    Whoever may post an event type that can refer to a document may upload. How large it may be, and how slow, is
    the door's to say (door/limits.py).
    """
    gateway = gateway_of(request)
    may_upload = carriers(gateway.catalogue)
    authorise(who, min(may_upload & who.scopes or may_upload))
    media_type = _declared(request)
    try:
        stored = await gateway.claims.put_stream(request.stream(), media_type, partial(kinds.check, media_type))
    except kinds.Refused as refused:
        raise Problem(422, "document-refused", str(refused)) from None
    except ClientDisconnect:
        raise Problem(400, "broken-off", "the document did not arrive whole") from None
    await _remember(gateway, who.organisation, stored)
    log.info("document_taken", organisation=who.organisation, by=who.by, document=stored.sha256[:12])
    location = location_of(stored.sha256)
    answer = {"sha256": stored.sha256, "size": stored.size, "media_type": media_type, "location": location}
    return JSONResponse(answer, 201, headers={"Location": location})


@router.get("/v1/documents/{sha256}")
async def download(sha256: str, request: Request, who: Annotated[Caller, Depends(caller)]) -> StreamingResponse:
    """The document, for whoever uploaded it, and whoever's inbox says at this moment that it may have it (H4)."""
    authorise(who, INBOX)
    return await hand_out(gateway_of(request), who, sha256)


async def hand_out(gateway: Gateway, who: Caller, sha256: str) -> StreamingResponse:
    """The document as something to be saved, once its bytes have been compared with their hash.

    Raises:
        Problem: 404 if the caller may not have it, whether or not it exists; 410 if what is stored has changed.
    """
    found = None
    if SHA256.fullmatch(sha256):
        ask = partial(entitled, organisation=who.organisation, sha256=sha256, person_id=who.person_id)
        found = await gateway.access.read(ask)
    if found is None:
        log.info("document_denied", organisation=who.organisation, by=who.by)
        raise Problem(404, "not-found", "there is nothing here, or nothing for you")
    try:
        size = await gateway.claims.verify(sha256)
    except ValueError:
        log.warning("document_changed", document=sha256[:12])
        detail = "what is stored is no longer what was uploaded; whoever uploaded it may upload it again"
        raise Problem(410, "document-changed", detail) from None
    log.info("document_handed_out", organisation=who.organisation, by=who.by, document=sha256[:12])
    _, ending = kinds.KINDS.get(found.media_type, (None, "bin"))
    headers = TO_BE_SAVED | {
        "Content-Length": str(size),
        "Content-Type": found.media_type if found.media_type in kinds.KINDS else "application/octet-stream",
        "Content-Disposition": f'attachment; filename="document-{sha256[:12]}.{ending}"',
    }
    return StreamingResponse(gateway.claims.stream(sha256), headers=headers)


def _declared(request: Request) -> str:
    """The kind of document that it is said to be. A name, whoever says one, is not taken."""
    media_type, _, more = request.headers.get("content-type", "").partition(";")
    media_type, charset = media_type.strip().lower(), more.strip().lower()
    if media_type not in kinds.KINDS:
        raise Problem(415, "unsupported-type", f"send one document as the body, of one of: {', '.join(kinds.KINDS)}")
    if charset not in ("", "charset=utf-8", 'charset="utf-8"') or "content-encoding" in request.headers:
        raise Problem(415, "unsupported-type", "send the document itself, unpacked; plain text in UTF-8")
    return media_type


async def _remember(gateway: Gateway, organisation: str, stored: ClaimCheck) -> None:
    row = {
        "sha256": stored.sha256,
        "organisation": organisation,
        "size": stored.size,
        "media_type": stored.media_type,
        "at_us": gateway.now_us,
    }

    def insert(connection: sa.Connection) -> None:
        connection.execute(upsert(connection, document).values(row).on_conflict_do_nothing())

    await gateway.access.write(insert)
