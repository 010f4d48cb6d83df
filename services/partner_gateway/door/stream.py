"""GET /v1/inbox/stream: an inbox as Server-Sent Events, from a cursor on and as it grows (services/web/stream.py)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from services.partner_gateway.door.context import Gateway, gateway_of
from services.partner_gateway.door.cursor import beyond
from services.partner_gateway.door.who import INBOX, Caller, authorise, caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.hub import frame
from services.web.cursor import cursor_of
from services.web.hub import Frame, Piece, piece_of
from services.web.stream import OneOfFew

CATCH_UP = 32
"""Entries read at once for a stream that is behind."""

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
    return OneOfFew(gateway.hub, Inbox(gateway, who, _token(request)), cursor, gateway.streams, who.organisation)


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2].strip()


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
