"""GET /v1/inbox/stream: an inbox as Server-Sent Events, from a cursor on and as it grows (services/web/stream.py)."""

from __future__ import annotations

from math import ceil
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.partner_gateway.door.context import Gateway, gateway_of
from services.partner_gateway.door.cursor import beyond
from services.partner_gateway.door.who import INBOX, Caller, authorise, caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.hub import frame
from services.web.cursor import Cursor, cursor_of
from services.web.hub import Frame, Piece, piece_of
from services.web.problems import Problem
from services.web.stream import HEARTBEAT, Stream

CATCH_UP = 32
"""Entries read at once for a stream that is behind."""

NOTICED = ceil(HEARTBEAT / 3)
"""Seconds after which a stream whose client has gone is surely counted no more."""

log = structlog.get_logger()
router = APIRouter()


@router.get("/v1/inbox/stream", response_class=Response)
async def stream(
    request: Request,
    who: Annotated[Caller, Depends(caller)],
    after: Annotated[str | None, Query()] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Disclosures as they come, from a cursor on; without one, from the first."""
    authorise(who, INBOX)
    gateway = gateway_of(request)
    cursor = cursor_of(last_event_id or after)
    if cursor is not None:
        await beyond(gateway, who.organisation, cursor)
    return OneOfFew(gateway, who, _token(request), cursor)


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2].strip()


class OneOfFew(Stream):
    """An organisation's stream, if it has not too many open in this process: each costs memory, and work at events."""

    def __init__(self, gateway: Gateway, who: Caller, token: str, cursor: Cursor | None) -> None:
        super().__init__(gateway.hub, Inbox(gateway, who, token), cursor)
        self._open, self._mine, self._most = gateway.streams, who.organisation, gateway.settings.gateway_streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._open[self._mine] >= self._most:
            log.info("denied", action="stream", organisation=self._mine, open=self._most)
            detail = (
                f"your organisation has {self._most} streams open, as many as it may; close one, or use one for all"
            )
            refused = Problem(429, "too-many-streams", detail, headers={"Retry-After": str(NOTICED)})
            await refused.response()(scope, receive, send)
            return
        self._open[self._mine] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._open.subtract([self._mine])
            if not self._open[self._mine]:
                del self._open[self._mine]


class Inbox:
    """One organisation's inbox, for whoever has shown that token."""

    def __init__(self, gateway: Gateway, who: Caller, token: str) -> None:
        self._gateway, self._who, self._token = gateway, who, token

    @property
    def channel(self) -> str:
        return self._who.organisation

    @property
    def who(self) -> dict[str, str]:
        return {"organisation": self._who.organisation, "by": self._who.by}

    async def missed(self, after: int) -> tuple[str, Piece | None]:
        """The next entries, from the database."""
        now_us, mine = self._gateway.now_us, self._who.organisation
        epoch, rows = await self._gateway.access.read(
            lambda connection: (
                reading.epoch(connection),
                reading.entries(connection, mine, after, CATCH_UP, now_us),
            )
        )
        return epoch, piece_of([Frame(row.number, frame(row, epoch)) for row in rows]) if rows else None

    async def still_may(self) -> bool:
        if not self._token:
            return True
        now = await self._gateway.identify(self._token)
        return now is not None and now.organisation == self._who.organisation and INBOX in now.scopes
