"""GET /v1/inbox/stream: an inbox as Server-Sent Events, from a cursor on and then as it grows.

A stream keeps its place and no queue. What it is sent is encoded once for all streams of its organisation
(inbox/hub.py), and what it has missed comes from the database. One that does not take what it is sent is dropped with a
reason, and finds everything again by its cursor.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.bus.errors import Surroundings
from services.partner_gateway.door.context import Gateway, gateway_of
from services.partner_gateway.door.cursor import Cursor, beyond, cursor_of
from services.partner_gateway.door.who import INBOX, Caller, authorise, caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.hub import Piece, Watcher, frame, piece_of

HEARTBEAT = 15.0
"""Seconds: nothing sent for so long, and a comment is, so that both ends know the connection stands."""

PATIENCE = 30.0
"""Seconds in which a client must take some of what it is sent."""

LINGER = 30.0
"""Seconds in which it may still take the rest, once it was told that it is dropped."""

AGAIN = 30.0
"""Seconds after which the proof that opened a stream is looked at again: it may have been revoked, or have expired."""

CATCH_UP = 32
"""Entries read at once for a stream that is behind."""

UNSENT = 65_536
"""Bytes that the system may hold for one stream: of itself it would take megabytes for a client that does not read."""

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",
    "Connection": "close",
}

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
    return InboxStream(gateway, who, _token(request), cursor)


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2].strip()


class StreamingProtocol(H11Protocol):
    """The server's side of one connection, which the application sees as `state.transport`: whether it stands, and how
    to end it.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class InboxStream(Response):
    """One open stream."""

    def __init__(self, gateway: Gateway, who: Caller, token: str, cursor: Cursor | None) -> None:
        super().__init__(None, headers=HEADERS)
        del self.headers["content-length"]
        self._gateway, self._who, self._token = gateway, who, token
        self._epoch, self._number = (cursor.epoch, cursor.number) if cursor else ("", 0)
        self._dropped = ""
        self._sending_since: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = scope.get("state", {}).get("transport")
        if self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT)
        self._loop, self._send, self._sent_at, self._proved_at = loop, send, loop.time(), loop.time()
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with self._gateway.hub.watch(self._who.organisation) as self._watcher:
            self._timer = loop.call_later(HEARTBEAT / 3, self._look_after)
            try:
                await self._say(b"retry: 2000\n\n")
                reason = await self._run(self._watcher)
            finally:
                self._timer.cancel()
        if not self._is_gone:
            log.info("stream_ended", organisation=self._who.organisation, by=self._who.by, reason=reason)
            goodbye = b"event: goodbye\ndata: %b\n\n" % to_json({"reason": reason})
            await send({"type": "http.response.body", "body": goodbye, "more_body": False})
            if self._transport is not None:
                loop.call_later(LINGER, self._transport.abort)

    async def _run(self, watcher: Watcher) -> str:
        """Send until there is a reason not to, which is returned."""
        loop, channel = self._loop, watcher.channel
        while not self._is_gone:
            if reason := self._dropped or ("closing" if channel.closed else ""):
                return reason
            if loop.time() - self._proved_at > AGAIN and not await self._still_may():
                return "not-identified"
            piece = self._new_epoch(channel.epoch) or channel.after(self._number)
            if piece is None and self._number < channel.last:
                piece = await self._missed()
            if piece is not None:
                await self._say(piece.frames)
                self._number = piece.number
            elif loop.time() - self._sent_at >= HEARTBEAT * 2 / 3:
                await self._say(b": heartbeat\n\n")
            else:
                await watcher.wait()
        return "gone"

    def _new_epoch(self, now: str) -> Piece | None:
        """What tells the client that numbers begin anew, if they do."""
        if not now or now == self._epoch:
            return None
        was, self._epoch, self._number = self._epoch, now, 0
        told = b"id: %b.0\nevent: epoch\ndata: %b\n\n" % (now.encode(), to_json({"epoch": now}))
        return Piece(told, 0) if was else None

    async def _missed(self) -> Piece | None:
        """What follows, from the database."""
        now_us, mine, after = self._gateway.now_us, self._who.organisation, self._number
        try:
            epoch, rows = await self._gateway.access.read(
                lambda connection: (
                    reading.epoch(connection),
                    reading.entries(connection, mine, after, CATCH_UP, now_us),
                )
            )
        except Surroundings:
            epoch, rows = "", []
        if epoch == self._epoch and rows:
            return piece_of([frame(row, epoch) for row in rows], after)
        self._gateway.hub.ring()
        await self._watcher.wait()
        return None

    async def _say(self, frames: bytes) -> None:
        self._sending_since = self._loop.time()
        await self._send({"type": "http.response.body", "body": frames, "more_body": True})
        self._sending_since, self._sent_at = None, self._loop.time()

    async def _still_may(self) -> bool:
        """Whether what proved who calls proves it still."""
        self._proved_at = self._loop.time()
        if not self._token:
            return True
        try:
            now = await self._gateway.identify(self._token)
        except Surroundings:
            return True  # nothing new can be read either; asked again soon
        return now is not None and now.organisation == self._who.organisation and INBOX in now.scopes

    @property
    def _is_gone(self) -> bool:
        return self._transport is not None and self._transport.is_closing()

    def _look_after(self) -> None:
        """A few times between heartbeats: see whether one is due, whether anybody is there, whether they read."""
        self._timer = self._loop.call_later(HEARTBEAT / 3, self._look_after)
        since, transport = self._sending_since, self._transport
        if since is not None and transport is not None and self._loop.time() - since > PATIENCE:
            self._dropped = "too-slow"
            # As if it had taken everything: one more piece and the goodbye go to the connection's own buffer.
            transport.get_protocol().resume_writing()
        self._watcher.wake()
