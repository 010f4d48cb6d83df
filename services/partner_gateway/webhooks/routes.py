"""Webhooks by API: each partner its own, with the scope `inbox`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.door.who import INBOX, Caller, authorise, caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.webhooks import deliveries, kept, pace
from services.partner_gateway.webhooks.kept import Of
from services.partner_gateway.webhooks.sender import way_out
from services.web.cursor import Cursor
from services.web.egress import NotAllowed, check
from services.web.problems import Problem

router = APIRouter()


async def own_webhook(webhook_id: str, who: Annotated[Caller, Depends(caller)]) -> Of:
    """The webhook that the path names, as the caller's own: nobody else's can be asked for."""
    authorise(who, INBOX)
    return Of(who.organisation, webhook_id)


Own = Annotated[Of, Depends(own_webhook)]


class WebhookAsked(BaseModel):
    """Where notices are to go."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=2_000)]


class RecoverAsked(BaseModel):
    """From which entry on notices are to be sent, again or for the first time."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[str, Field(pattern=r"^[0-9a-f]{8}\.[0-9]{1,18}$")]


@router.get("/v1/webhooks")
async def webhooks(request: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Your webhooks, and for each: open, resting (its endpoint failed) or closed, and how many notices wait."""
    authorise(who, INBOX)
    gateway = gateway_of(request)
    found = await gateway.access.read(lambda c: kept.shown(c, who.organisation, now_us=gateway.now_us))
    return JSONResponse({"webhooks": found})


@router.post("/v1/webhooks", status_code=201)
async def make(request: Request, asked: WebhookAsked, who: Annotated[Caller, Depends(caller)]) -> Response:
    """A webhook for entries from now on. `secret` is shown this once: verify signatures with it (Standard Webhooks)."""
    authorise(who, INBOX)
    gateway = gateway_of(request)
    try:
        check(way_out(gateway.settings), asked.url)
    except NotAllowed as refused:
        raise Problem(422, "url-refused", str(refused), errors=[("/url", str(refused))]) from None

    def write(connection: Any) -> dict[str, Any]:
        of, secret = kept.add(connection, who.organisation, asked.url, now_us=gateway.now_us)
        return kept.one(connection, of, now_us=gateway.now_us) | {"secret": secret}

    made = await gateway.access.write(write)
    return JSONResponse(made, 201, {"Location": f"/v1/webhooks/{made['id']}"})


@router.get("/v1/webhooks/{webhook_id}")
async def webhook(request: Request, of: Own) -> Response:
    """One webhook and how it fares."""
    gateway = gateway_of(request)
    return JSONResponse(await gateway.access.read(lambda c: kept.one(c, of, now_us=gateway.now_us)))


@router.delete("/v1/webhooks/{webhook_id}", status_code=204)
async def delete(request: Request, of: Own) -> Response:
    """Nothing more is sent there, and its secret, deliveries and attempts are forgotten."""
    await gateway_of(request).access.write(lambda c: kept.delete(c, of))
    return Response(status_code=204)


@router.get("/v1/webhooks/{webhook_id}/deliveries")
async def notices(
    request: Request,
    of: Own,
    state: Annotated[Literal["waiting", "delivered", "given-up", "renumbered"] | None, Query()] = None,
    before: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """What was sent or waits, the newest first, each with its attempts. `before`: the last id that you have."""
    found = await gateway_of(request).access.read(
        lambda c: kept.deliveries_of(c, of, state=state, before=before, limit=limit)
    )
    return JSONResponse({"deliveries": found})


@router.post("/v1/webhooks/{webhook_id}/deliveries/{notice}/resend", status_code=202)
async def resend(request: Request, of: Own, notice: str) -> Response:
    """Send one notice again, under the same webhook-id. `notice`: its id, or an entry's number."""
    gateway = gateway_of(request)
    now_us = gateway.now_us
    until_us = deliveries.until(gateway.settings, now_us)
    found = await gateway.access.write(lambda c: kept.resend(c, of, notice, now_us=now_us, until_us=until_us))
    return JSONResponse(found, 202)


@router.post("/v1/webhooks/{webhook_id}/rotate-secret", status_code=201)
async def rotate(request: Request, of: Own) -> Response:
    """A new secret, shown this once. Until `former_until` notices are signed with the former one as well: give your
    endpoint the new one before then. If the answer did not reach you, ask again: no secret ends sooner for that."""
    gateway = gateway_of(request)
    now_us = gateway.now_us
    until_us = now_us + int(gateway.settings.webhook_overlap_hours * 3_600 * pace.SECOND_US)

    def write(connection: Any) -> dict[str, Any]:
        secret = kept.rotate(connection, of, now_us=now_us, until_us=until_us)
        more = {"secret": secret, "former_until": reading.moment(until_us)}
        return kept.one(connection, of, now_us=now_us) | more

    return JSONResponse(await gateway.access.write(write), 201)


@router.post("/v1/webhooks/{webhook_id}/recover", status_code=202)
async def recover(request: Request, of: Own, asked: RecoverAsked) -> Response:
    """Send notices of every entry after a cursor, in order, also of those sent before. `entries`: how many."""
    epoch, _, number = asked.after.partition(".")
    count = await gateway_of(request).access.write(lambda c: kept.recover(c, of, Cursor(epoch, int(number))))
    return JSONResponse({"entries": count}, 202)
