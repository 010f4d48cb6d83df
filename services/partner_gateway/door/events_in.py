"""POST /v1/events/{type}: one CloudEvent, structured or binary, or a batch whose items each have their own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from services.bus.codec import event_types
from services.bus.envelope import Event
from services.partner_gateway.documents.references import only_own_documents
from services.partner_gateway.door.cloudevents import (
    BATCH,
    BINARY,
    STRUCTURED,
    Bounds,
    binary,
    event_of,
    json_of,
    structured,
)
from services.partner_gateway.door.context import Gateway, gateway_of
from services.partner_gateway.door.disclosures import let_go, only_new_disclosures
from services.partner_gateway.door.posting import Posted
from services.partner_gateway.door.who import RECEIPTS, Caller, authorise, caller
from services.web.problems import Problem

MOST = 1000
"""Events in one batch."""

BREATH = 50
"""Events of a batch after which others have their turn."""

AGAIN = {"Retry-After": "2"}

router = APIRouter()


@router.post("/v1/events/{topic}")
async def post_events(topic: str, request: Request, who: Annotated[Caller, Depends(caller)]) -> JSONResponse:
    """202 once Kafka has the event, or 207 with the results of a batch."""
    gateway = gateway_of(request)
    known(topic)
    authorise(who, topic)
    if topic == RECEIPTS:
        raise Problem(403, "not-here", "a receipt is given to POST /v1/receipts, which knows whose the disclosure is")
    kind = media_type(request)
    body = await request.body()
    if kind == BATCH:
        return await _batch(gateway, topic, json_of(body), who)
    said = binary(request.headers.raw, body) if kind == BINARY else structured(json_of(body))
    event = event_of(said, topic, _bounds(gateway, who))
    await only_own_documents(gateway, who.organisation, event)
    [refused] = await only_new_disclosures(gateway, [event])
    if refused:
        raise refused
    [posted] = await gateway.postbox.post([event], who.organisation)
    if refused := refusal(posted):
        await let_go(gateway, [event] if posted.state == "invalid" else [])
        raise refused
    location = location_of(topic, posted)
    return JSONResponse(accepted(topic, posted) | {"location": location}, 202, headers={"Location": location})


def known(topic: str) -> None:
    """Before anything is logged or answered by that name.

    Raises:
        Problem: 404, there is no such event type.
    """
    if topic not in event_types():
        raise Problem(404, "unknown-type", "there is no event type of that name; GET /v1/asyncapi.json lists them")


def media_type(request: Request) -> str:
    """How the event was sent.

    Raises:
        Problem: 415, in a way that is not taken.
    """
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    kind, parameters = kind.strip().lower(), parameters.replace('"', "").strip().lower()
    coded = request.headers.get("content-encoding", "identity").lower() != "identity"
    if coded or kind not in (STRUCTURED, BATCH, BINARY) or parameters not in ("", "charset=utf-8"):
        detail = f"send {STRUCTURED}, {BATCH}, or {BINARY} with ce- headers, in UTF-8 and not compressed"
        raise Problem(
            415, "unsupported-media-type", detail, headers={"Accept-Post": f"{STRUCTURED}, {BATCH}, {BINARY}"}
        )
    return kind


def accepted(topic: str, posted: Posted) -> dict[str, Any]:
    """The same for the first time and for every repeat."""
    return {"id": posted.id, "source": posted.source, "type": topic, "state": "accepted"}


def location_of(topic: str, posted: Posted) -> str:
    return f"/v1/events/{topic}/{quote(posted.id, safe='')}?source={quote(posted.source, safe='')}"


def refusal(posted: Posted) -> Problem | None:
    """Why the event was not accepted; None if it was."""
    match posted.state:
        case "id_reused":
            detail = "this source and id stand for an event with another content; a new event needs a new id"
            return Problem(409, "id-reused", detail, errors=[("/id", "stands for another content")])
        case "invalid":
            return Problem(422, "invalid-event", posted.detail, errors=[("/data", posted.detail)])
        case "unknown":
            detail = "no acknowledgement came in time, so nobody knows; send the same event again, with the same id"
            return Problem(503, "try-again", detail, headers=AGAIN)
    return None


async def _batch(gateway: Gateway, topic: str, items: Any, who: Caller) -> JSONResponse:
    """Those that are sound go together; what is wrong with the others holds nobody back."""
    if not isinstance(items, list):
        raise Problem(400, "malformed-json", "a batch is a JSON array of events")
    if len(items) > MOST:
        raise Problem(413, "too-large", f"a batch may have {MOST} events")
    bounds = _bounds(gateway, who)
    results: list[dict[str, Any]] = []
    sound: list[tuple[dict[str, Any], Event]] = []
    for index, item in enumerate(items):
        if index % BREATH == BREATH - 1:
            await asyncio.sleep(0)
        said = structured(item)
        result: dict[str, Any] = {"index": index, "id": said.id}
        results.append(result)
        try:
            event = event_of(said, topic, bounds)
            await only_own_documents(gateway, who.organisation, event)
            sound.append((result, event))
        except Problem as problem:
            result |= {"status": problem.status, "problem": problem.body()}
    told = await only_new_disclosures(gateway, [event for _, event in sound])
    for (result, _), refused in zip(sound, told, strict=True):
        if refused:
            result |= {"status": refused.status, "problem": refused.body()}
    await _post_batch(gateway, [one for one, refused in zip(sound, told, strict=True) if not refused], who)
    return JSONResponse({"results": results}, 207)


async def _post_batch(gateway: Gateway, sound: Sequence[tuple[dict[str, Any], Event]], who: Caller) -> None:
    if not sound:
        return
    events = [event for _, event in sound]
    outcomes = await gateway.postbox.post(events, who.organisation)
    for (result, _), posted in zip(sound, outcomes, strict=True):
        refused = refusal(posted)
        result["status"] = refused.status if refused else 202
        if refused:
            result["problem"] = refused.body()
    unsent = [event for event, posted in zip(events, outcomes, strict=True) if posted.state == "invalid"]
    await let_go(gateway, unsent)


def _bounds(gateway: Gateway, who: Caller) -> Bounds:
    now = gateway.clock.now()
    return Bounds(who.organisation, now, now - timedelta(days=gateway.settings.keep_ids_days))
